"""One set on one tape: what it came to, in figures. The same run as `bmv backtest` makes of that set, word for word."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy import int64
from numpy.typing import NDArray

from bmv.adapters.config import Config
from bmv.adapters.config.compile import price_ticks_max, to_ns
from bmv.adapters.strategy import plugin
from bmv.backtest import ledger as r
from bmv.backtest.ledger import Record
from bmv.backtest.sweep.run.periods import Periods, cut, straight
from bmv.backtest.sweep.run.wiring import TrialContainer
from bmv.backtest.sweep.tapes.shared import STOPS, Prepared
from bmv.backtest.sweep.trials.objectives import Objective
from bmv.backtest.tables import (
    counts,
    equity_table,
    held,
    outcome,
    profit,
    times,
)
from bmv.core.accounting import worth_if_known
from bmv.core.digest import text
from bmv.core.engine import Strategy
from bmv.core.params import Params
from bmv.data.runs.columns import HORIZONS_NS, scaled
from bmv.data.runs.contracts import gained, traded
from bmv.data.runs.numbers import BPS, Json, ratio
from bmv.data.runs.statistics.returns import drawdown, ratios
from bmv.data.runs.statistics.stats import statistics
from bmv.ports.errors import ConfigError
from bmv.ports.market import Contract, Market

HORIZONS = {"5s": HORIZONS_NS.index(5 * 10**9), "60s": HORIZONS_NS.index(60 * 10**9)}
CHECKS = STOPS  # How many times a run is looked at, at most; not at its end.

Look = Callable[[int, int, float], str]  # Check, net so far (quanta), deepest fall so far: why to stop, or nothing.
AGAINST_HOLDING = "net_vs_hold"


class Stopped(Exception):
    """The run was given up on its way; the words say why."""

    def __init__(self, why: str, halfway: Sequence[int]) -> None:
        super().__init__(why)
        self.halfway = tuple(halfway)


class Made(NamedTuple):
    """What a run came to.

    Args:
        digest: The fingerprint of every event heard and every intent said.
        figures: By the names of the columns in `trials.parquet`, and some more that objectives are made of.
        objectives: In the order in which they were asked for; None where one is unknown.
        periods: Its account, period by period.
        halfway: Net so far at each check, in quanta, against holding where that is the objective; what the pruning of
            later sets goes by.
        equity: Samples of the equity, as `equity.parquet` has them.
    """

    digest: str
    figures: dict[str, Any]  # Any: numbers, None where unknown.
    objectives: tuple[float | None, ...]
    periods: Periods
    halfway: tuple[int, ...]
    equity: pl.DataFrame


def run(
    config: Config,
    prepared: Prepared,
    objectives: Sequence[Objective] = (),
    periods: int = 1,
    strategy: Strategy | None = None,
    verb: Any = None,  # Any: machine code.
    look: Look | None = None,
) -> Made:
    """Run a configuration over a tape.

    Args:
        periods: Stretches of equal length for the returns.
        strategy: The user's function, if the configuration names one.
        verb: The same as machine code, if it is marked: compiled once, it serves all runs.
        look: Asked at each check whether to give up.

    Raises:
        Stopped: `look` gave up.
        ConfigError: The largest position times the tape's highest price can't be counted.
    """
    container = TrialContainer(
        config=config,
        prepared=prepared,
        paths=[],
        sample_ns=to_ns(config.data.equity_sample_s),
        strategy=plugin.counted(strategy),
        spelling=config.strategy or "",
        verb=verb,
    )
    try:
        return _ran(container, prepared, config, objectives, periods, look)
    finally:
        container.reset_singletons()  # Its parts know one another; thousands of them must not wait to be found.


def _ran(
    container: Any,  # Any: its providers are made at run time.
    prepared: Prepared,
    config: Config,
    objectives: Sequence[Objective],
    periods: int,
    look: Look | None,
) -> Made:
    whole = any(each.whole for each in objectives)
    sink, params, market = container.sink(), container.params(), container.market()
    sink.keep_orders = whole
    if prepared.highest > price_ticks_max(config, market):
        raise ConfigError("the largest position allowed, at the highest price, is too much money to count in 64 bits")
    watch = _Watch(container, prepared, look, against=any(each.spelling == AGAINST_HOLDING for each in objectives[:1]))
    container.loop().run(container.tape(), watch)
    samples, pivots = sink.equity()
    equity = equity_table(market, samples, pivots)
    account = cut(params, int(container.record().start_position), samples, sink.fills(), prepared, periods)
    figures = _figures(container, config, equity, quoted(equity, samples, account, market)) | _parted(market, account)
    summary = _summary(container, config, figures) if whole else {}
    return Made(
        text(container.loop().state.digest),
        figures,
        tuple(each.of(summary if each.whole else figures) for each in objectives),
        account,
        tuple(watch.halfway),
        equity,
    )


class _Watch:
    """Looks at a run at `CHECKS` places that depend on its tape alone."""

    def __init__(self, container: Any, prepared: Prepared, look: Look | None, against: bool) -> None:  # Any: as above.
        self.halfway = list[int]()
        self._params: Params = container.params()
        self._against = against  # Whether what the starting position made is taken away from net.
        self._record: Record = container.record()
        self._sink = container.sink()
        self._look = look
        self._told, self._events = 0, prepared.events

    def __call__(self, rows: int) -> None:
        """Hear that `rows` more have happened."""
        self._told += rows
        owned = self._sink.look(self._params.half, self._params.divisor)
        if (
            self._look is None
            or self._told >= self._events
            or self._told * CHECKS < self._events * (len(self.halfway) + 1)
        ):
            return
        t, params = self._record, self._params
        mid2 = self._sink.mid2 if self._against else t.start_mid2
        start = t.start_cash + int(worth_if_known(params.half, params.divisor, t.start_position, mid2))
        self.halfway.append(0 if owned is None else owned - start)
        why = self._look(len(self.halfway) - 1, self.halfway[-1], self._sink.fallen)
        if why:
            raise Stopped(why, self.halfway)


def _figures(
    container: Any, config: Config, equity: pl.DataFrame, without: pl.DataFrame
) -> dict[str, Any]:  # Any: made at run time.
    """Return the figures of a run that has ended; `without` is its equity without the market's part."""
    loop, record, sink = container.loop(), container.record(), container.sink()
    market, params = container.market(), container.params()
    pnl, spent = profit(params, record), times(record)
    traded = _traded(sink.fills(), market)
    happened = counts(loop.state, record)
    fallen, earned = drawdown(equity), ratios(without, float(config.data.equity_sample_s), happened["fills"])
    mean_equity = float(equity["equity"].to_numpy().mean()) if len(equity) else None
    return {
        **happened,
        **{name: _money(market, pnl[name]) for name in ("net", "spread", "inventory", "fees")},
        "net_vs_hold": _money(market, pnl["net"] - held(params, record)),
        "max_drawdown": fallen["max"],
        "max_drawdown_quote": fallen["max_quote"],
        **{name: earned[name] for name in ("sharpe", "sortino", "sampling_s")},
        "no_ratio": earned["reason"] if earned["sharpe"] is None else None,
        **traded,
        "turnover": ratio(traded["notional"], mean_equity),
        "uptime": ratio(spent["two_sided"], spent["total"]),
        "halted_share": ratio(spent["halted"], spent["total"]),
        "end_position": float(record.position) * float(market.lot_size),
    }


def _traded(fills: NDArray[int64], market: Market) -> dict[str, float | None]:
    """Return what the fills came to: volume (base), notional (quote), markouts in bps and quote."""
    plain = Contract(payoff=market.contract.payoff)  # Of one lot, at a price of one tick.
    price, size, side = (fills[:, at].astype(float) for at in (r.F_PRICE, r.F_SIZE, r.F_SIDE))
    found: dict[str, float | None] = {
        "volume": float(size.sum()) * float(market.lot_size),
        "notional": _in_units(market, float(traded(plain, size, price).sum())),
    }
    before = fills[:, r.F_MID2].astype(float)
    for name, horizon in HORIZONS.items():
        after = fills[:, r.F_MARKOUT + horizon].astype(float)
        known = (after > 0) & (before > 0)
        moved = (side * (after / 2 - price))[known]
        money = float(gained(plain, (side * size)[known], price[known], after[known] / 2).sum())
        found[f"markout_bps_{name}"] = float((moved / (before[known] / 2)).mean()) * BPS if known.any() else None
        found[f"markout_quote_{name}"] = _in_units(market, money) if known.any() else None
    return found


def _in_units(market: Market, amount: float) -> float:
    """Return money that was counted in ticks and lots, each taken for 1, in quote; of inverse contracts in base."""
    tick, lot, size = float(market.tick_size), float(market.lot_size), float(market.contract.size)
    return amount / tick * lot * size if market.contract.inverse else amount * tick * lot * size


def quoted(equity: pl.DataFrame, samples: NDArray[int64], account: Periods, market: Market) -> pl.DataFrame:
    """Return the equity of a run less what its average position had made by then, as far as quoting made it grow."""
    made = scaled(account.market(straight(market.divisor, samples[:, r.E_MID2], account.mids[0])), market.quantum)
    return equity.with_columns(equity=pl.col("equity") - made)


def _parted(market: Market, account: Periods) -> dict[str, float]:
    """Return what the market made of the average position of a run, and what its quoting earned: together its net."""
    made = int(account.market(np.array(account.mids[-1:]))[0])
    return {"quoting": _money(market, sum(account.returns) - made), "market": _money(market, made)}


def _summary(container: Any, config: Config, figures: Json) -> Json:  # Any: made at run time.
    """Return what a backtest's summary says, for objectives that need it."""
    loop, market = container.loop(), container.market()
    made = outcome(market, container.params(), loop.state, container.record(), container.sink().whole(), (0.0, 0.0))
    stats = statistics(made, config.model_dump(mode="json"))
    return {
        **made.counts,
        "pnl": {name: format(market.money(quanta), "f") for name, quanta in made.pnl.items()},
        "net_vs_hold": format(market.money(made.net_vs_hold), "f"),
        "max_drawdown": figures["max_drawdown"],
        **{name: stats["ratios"][name] for name in ("sharpe", "sortino")},
        "statistics": stats,
    }


def _money(market: Market, quanta: int) -> float:
    return float(market.money(int(quanta)))
