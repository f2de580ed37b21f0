"""One set on one tape: what it came to, in figures. The same run as `bmv backtest` makes of that set, word for word."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy import int64
from numpy.typing import NDArray

from bmv.adapters.bookkeeping import ledger as r
from bmv.adapters.bookkeeping.tables import (
    counts,
    equity_table,
    fall,
    held,
    outcome,
    owned_of,
    profit,
    times,
)
from bmv.adapters.config import Config
from bmv.adapters.config.compile import price_ticks_max
from bmv.backtest.sweep.run.arena import Arena
from bmv.backtest.sweep.run.periods import Periods, cut, straight
from bmv.backtest.sweep.run.wiring import Parts, put_together
from bmv.backtest.sweep.tapes.shared import STOPS, Prepared
from bmv.backtest.sweep.trials.objectives import Objective
from bmv.core.accounting import worth_if_known
from bmv.core.digest import text
from bmv.core.engine import Strategy
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


class RunFigures(NamedTuple):
    """What a run came to.

    Args:
        digest: The fingerprint of every event heard and every intent said.
        figures: By the names of the columns in `trials.parquet`, and some more that objectives are made of.
        objectives: In the order in which they were asked for; None where one is unknown.
        periods: Its account, period by period.
        halfway: Net so far at each check, in quanta, against holding where that is the objective; what the pruning of
            later sets goes by.
        market: The instrument.
        samples: Rows of the equity, as :mod:`bmv.adapters.bookkeeping.ledger` has their columns.
        pivots: Beside each the pivot, ticks; 0.0 for none.
    """

    digest: str
    figures: dict[str, Any]  # Any: numbers, None where unknown.
    objectives: tuple[float | None, ...]
    periods: Periods
    halfway: tuple[int, ...]
    market: Market
    samples: NDArray[int64]
    pivots: NDArray[np.float64]

    @property
    def equity(self) -> pl.DataFrame:
        """Samples of the equity, as `equity.parquet` has them; made anew at each call."""
        return equity_table(self.market, self.samples, self.pivots)


def run(
    config: Config,
    prepared: Prepared,
    objectives: Sequence[Objective] = (),
    periods: int = 1,
    strategy: Strategy | None = None,
    verb: Any = None,  # Any: machine code.
    look: Look | None = None,
    arena: Arena | None = None,
) -> RunFigures:
    """Run a configuration over a tape.

    Args:
        periods: Stretches of equal length for the returns.
        strategy: The user's function, if the configuration names one.
        verb: The same as machine code, if it is marked: compiled once, it serves all runs.
        look: Asked at each check whether to give up.
        arena: Memory for the tables of the run, one thread's; see :class:`Arena`.

    Raises:
        Stopped: `look` gave up.
        ConfigError: The largest position times the tape's highest price can't be counted.
    """
    if prepared.highest > price_ticks_max(config, prepared.market):
        raise ConfigError("the largest position allowed, at the highest price, is too much money to count in 64 bits")
    parts = put_together(config, prepared, strategy, verb, arena)
    whole = any(each.whole for each in objectives)
    parts.sink.keep_orders = whole
    watch = _Watch(parts, prepared, look, against=any(each.spelling == AGAINST_HOLDING for each in objectives[:1]))
    parts.loop.run(parts.tape, watch)
    samples, pivots = parts.sink.equity()
    fills = parts.sink.fills()
    account = cut(parts.params, int(parts.record.start_position), samples, fills, prepared, periods)
    figures = _figures(parts, config, prepared.market, samples, fills, account)
    summary = _summary(parts, config, prepared.market, figures) if whole else {}
    return RunFigures(
        text(parts.loop.state.digest),
        figures,
        tuple(each.of(summary if each.whole else figures) for each in objectives),
        account,
        tuple(watch.halfway),
        prepared.market,
        samples,
        pivots,
    )


class _Watch:
    """Looks at a run at `CHECKS` places that depend on its tape alone."""

    def __init__(self, parts: Parts, prepared: Prepared, look: Look | None, against: bool) -> None:
        self.halfway = list[int]()
        self._params, self._record, self._sink = parts.params, parts.record, parts.sink
        self._against = against  # Whether what the starting position made is taken away from net.
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
    parts: Parts, config: Config, market: Market, samples: NDArray[int64], fills: NDArray[int64], account: Periods
) -> dict[str, Any]:  # Any: numbers, None where unknown.
    """Return the figures of a run that has ended."""
    pnl, spent = profit(parts.params, parts.record), times(parts.record)
    happened = counts(parts.loop.state, parts.record)
    traded, equity = _traded(fills, market), _curve(market, samples)
    without = quoted(equity, samples, account, market)
    fallen, earned = drawdown(equity), ratios(without, float(config.data.equity_sample_s), happened["fills"])
    mean_equity = float(equity["equity"].to_numpy().mean()) if len(equity) else None
    return {
        **happened,
        **{name: _money(market, pnl[name]) for name in ("net", "spread", "inventory", "fees")},
        "net_vs_hold": _money(market, pnl["net"] - held(parts.params, parts.record)),
        "max_drawdown": fallen["max"],
        "max_drawdown_quote": fallen["max_quote"],
        **{name: earned[name] for name in ("sharpe", "sortino", "sampling_s")},
        "no_ratio": earned["reason"] if earned["sharpe"] is None else None,
        **traded,
        "turnover": ratio(traded["notional"], mean_equity),
        "uptime": ratio(spent["two_sided"], spent["total"]),
        "halted_share": ratio(spent["halted"], spent["total"]),
        "end_position": float(parts.record.position) * float(market.lot_size),
        **_parted(market, account),
    }


def _curve(market: Market, samples: NDArray[int64]) -> pl.DataFrame:
    """Return `ts_ns`, `equity` and `drawdown` of the samples, which is all that the figures look at."""
    owned = owned_of(market.half, market.divisor, samples)
    columns = {"ts_ns": samples[:, r.E_TS_NS], "equity": scaled(owned, market.quantum), "drawdown": fall(owned)}
    return pl.DataFrame([pl.Series(name, values) for name, values in columns.items()])


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
    """Return the equity of a run less what its average position had made by then, as far as quoting made it grow.

    Columns: `ts_ns`, `equity`, and `drawdown` as it was.
    """
    made = scaled(account.market(straight(market.divisor, samples[:, r.E_MID2], account.mids[0])), market.quantum)
    without = pl.Series("equity", equity["equity"].to_numpy() - made)
    return pl.DataFrame([equity["ts_ns"], without, equity["drawdown"]])


def _parted(market: Market, account: Periods) -> dict[str, float]:
    """Return what the market made of the average position of a run, and what its quoting earned: together its net."""
    made = int(account.market(np.array(account.mids[-1:]))[0])
    return {"quoting": _money(market, sum(account.returns) - made), "market": _money(market, made)}


def _summary(parts: Parts, config: Config, market: Market, figures: Json) -> Json:
    """Return what a backtest's summary says, for objectives that need it."""
    made = outcome(market, parts.params, parts.loop.state, parts.record, parts.sink.whole(), (0.0, 0.0))
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
