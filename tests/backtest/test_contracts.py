"""Sizes that are contracts: profit worked by hand, the breaker, the units of the report, and what is refused."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from bmv.adapters.cli.main import main
from bmv.adapters.config import configured, dump
from bmv.adapters.report.show import summary_table
from bmv.backtest import Backtest
from bmv.backtest.sweep.plan import make_plan
from bmv.backtest.sweep.run.periods import straight
from bmv.core.params import Params
from bmv.core.state import State
from bmv.data.runs.contracts import contract_of, gained, traded, units_of
from bmv.data.runs.statistics.stats import statistics
from bmv.data.ticks.schema import FLOATS
from bmv.ports.errors import ConfigError, DataError, UsageError
from bmv.ports.market import SPOT

SECOND = 1_000_000_000
START = 1_756_857_600 * SECOND
INVERSE = {"size": "100", "payoff": "inverse"}
LINEAR = {"size": "0.01", "payoff": "linear"}
TICKS_PER_UNIT = 10
FEE_BPS = 2

# Five contracts at the start and a mid of 60,000.1; three bought at 59,990; the mid goes to 60,100.1; two sold at
# 60,150; the mid goes to 60,200.1.
BEFORE, BETWEEN, AFTER = Fraction("60000.1"), Fraction("60100.1"), Fraction("60200.1")
BOUGHT, SOLD = Fraction(59_990), Fraction(60_150)
TAPE = [
    (0.0, "quote", None, None, None, 60_000.0, 9.0, 60_000.2, 9.0),
    (0.0, "trade", 60_000.0, 1.0, -1, None, None, None, None),
    (1.0, "trade", 59_980.0, 10.0, -1, None, None, None, None),
    (2.0, "quote", None, None, None, 60_100.0, 9.0, 60_100.2, 9.0),
    (3.0, "trade", 60_160.0, 10.0, 1, None, None, None, None),
    (4.0, "quote", None, None, None, 60_200.0, 9.0, 60_200.2, 9.0),
]
ORDERS = {0.0: (1, BOUGHT, 3), 2.0: (-1, SOLD, 2)}  # From each time on: side, price, size.


def script(params: Params, state: State, memory: Any, wanted: Any) -> int:
    """Want the order of the time."""
    side, price, size = ORDERS[2.0 if state.now_ns >= START + 2 * SECOND else 0.0]
    held = 8 if side > 0 else 6
    if state.position == held:
        return 0
    wanted[0] = (side, 0, int(price * TICKS_PER_UNIT), size, 0) + (0,) * (len(wanted[0]) - 5)
    return 1


def config(contract: dict[str, str] | None, start_quote: str, **tables: Any) -> dict[str, Any]:
    """Return a configuration of contracts, five of them held at the start."""
    market = {"symbol": "BTC-USD", "tick_size": "0.1", "lot_size": "1", "maker_fee_bps": FEE_BPS, "taker_fee_bps": 5}
    return {
        "version": 1,
        "market": market | ({"contract": contract} if contract else {}),
        "grid": {"bid": {"levels": 1, "total_size": 3}, "ask": {"levels": 1, "total_size": 3}},
        "inventory": {"start_base": 5, "start_quote": start_quote, "max_position": 50},
        "requote": {"threshold_bps": 0, "min_interval_ms": 0},
        "simulation": {"entry_latency_ms": 0, "response_latency_ms": 0},
    } | tables


def written(folder: Path, rows: Sequence[tuple[Any, ...]] = TAPE, words: dict[str, str] | None = None) -> Path:
    """Write a tape in units; `words` go into its metadata."""
    names = ("ts", "kind", "price", "size", "side", "bid", "bid_size", "ask", "ask_size")
    kinds = {name: pl.Float64() for name in names} | {"ts": pl.Int64(), "kind": pl.String(), "side": pl.Int64()}
    timed = [(START + round(row[0] * SECOND), *row[1:]) for row in rows]
    table = pl.DataFrame(timed, schema=kinds, orient="row")
    table.select(list(FLOATS)).write_parquet(folder / "tape.parquet", metadata=words)
    return folder / "tape.parquet"


def fee(worth: int) -> int:
    return ceil(Fraction(worth * FEE_BPS, 10_000))


def test_the_profit_of_inverse_contracts_is_that_worked_by_hand(tmp_path: Path) -> None:
    def worth(contracts: int, price: Fraction) -> int:  # Hundred millionths of a coin, the nearest.
        return floor(contracts * 100 / price * 10**8 + Fraction(1, 2))

    fees = fee(worth(3, BOUGHT)) + fee(worth(2, SOLD))
    spread = worth(3, BOUGHT) + worth(5, BEFORE) - worth(8, BEFORE)
    spread += worth(8, BETWEEN) - worth(6, BETWEEN) - worth(2, SOLD)
    inventory = worth(8, BEFORE) - worth(8, BETWEEN) + worth(6, BETWEEN) - worth(6, AFTER)

    made = Backtest(config(INVERSE, "1"), written(tmp_path), strategy=script, engine="reference").run().outcome

    assert made.fills.select("side", "price", "size").rows() == [(1, 59_990.0, 3.0), (-1, 60_150.0, 2.0)]
    net = spread + inventory - fees
    assert made.pnl == {"net": net, "spread": spread, "inventory": inventory, "fees": -fees} | dict.fromkeys(
        ("tips", "rounding"), 0
    )
    assert (spread, inventory, fees) == (361, 3876, 168)
    # Without any rounding, in hundred millionths: 360.2 and 3876.9, and fees of 167.5.
    exact = 500 * (1 / BEFORE - 1 / AFTER) + 300 * (1 / BOUGHT - 1 / AFTER) - 200 * (1 / SOLD - 1 / AFTER)
    assert abs(net + fees - exact * 10**8) <= 2  # Four amounts, each rounded once.
    assert made.net_vs_hold == net - (worth(5, BEFORE) - worth(5, AFTER))
    assert made.equity["equity"][0] == 1.0  # The margin: contracts cost nothing to enter.
    assert made.market.money(made.pnl["net"]) == Decimal(net) / 10**8


def test_the_profit_of_linear_contracts_is_that_worked_by_hand(tmp_path: Path) -> None:
    def worth(contracts: int, price: Fraction) -> Fraction:  # Quote.
        return contracts * Fraction("0.01") * price

    step = Fraction(1, 10**6)
    fees = sum(ceil(worth(*each) * Fraction(FEE_BPS, 10_000) / step) for each in ((3, BOUGHT), (2, SOLD))) * step
    spread = worth(3, BEFORE) - worth(3, BOUGHT) + worth(2, SOLD) - worth(2, BETWEEN)
    inventory = worth(8, BETWEEN) - worth(8, BEFORE) + worth(6, AFTER) - worth(6, BETWEEN)

    made = Backtest(config(LINEAR, "5000"), written(tmp_path), strategy=script, engine="reference").run().outcome

    found = {name: Fraction(made.market.money(made.pnl[name])) for name in ("net", "spread", "inventory", "fees")}
    assert found == {"net": spread + inventory - fees, "spread": spread, "inventory": inventory, "fees": -fees}
    assert found["net"] == Fraction("14.70046")  # 0.303 + 0.998 + 8 + 6 - 0.35994 - 0.2406.
    assert made.equity["equity"][0] == 5000 + float(worth(5, BEFORE))


def test_a_lot_of_a_linear_contract_is_as_so_much_base(tmp_path: Path) -> None:
    tape = written(tmp_path)
    one = config({"size": "1", "payoff": "linear"}, "500000")

    contracts, coins = (
        Backtest(each, tape, strategy=script, engine="reference").run() for each in (one, config(None, "500000"))
    )

    assert contracts.digest == coins.digest
    assert contracts.outcome.pnl == coins.outcome.pnl


def test_a_loss_in_base_halts_an_inverse_market(tmp_path: Path) -> None:
    loss = Decimal("0.00001")
    falling = [
        *TAPE[:2],
        *((n * 1.0, *TAPE[0][1:5], 60_000 - 10.0 * n, 9.0, 60_000.2 - 10 * n, 9.0) for n in range(1, 30)),
    ]
    told = config(INVERSE, "1", risk={"breaker": {"max_loss": str(loss)}})

    made = Backtest(told, written(tmp_path, falling), strategy=lambda *_: 0, engine="reference").run().outcome

    (at,) = made.breaker["equity"].to_list()
    mid = next(mid for mid in made.equity["mid"].to_list() if 500 * (1 / 60_000.1 - 1 / mid) <= -float(loss))
    assert at == pytest.approx(1 + 500 * (1 / 60_000.1 - 1 / mid), abs=2e-8)
    assert made.breaker["cause"].to_list() == ["max_loss"]


def test_what_may_be_bought_of_inverse_contracts_is_limited_by_the_position_alone(tmp_path: Path) -> None:
    poor = config(INVERSE, "0.00001")

    made = Backtest(poor, written(tmp_path), strategy=script, engine="reference").run().outcome

    assert made.fills["size"].to_list() == [3.0, 2.0]


@pytest.mark.parametrize("contract", [INVERSE, LINEAR])
def test_limits_on_notional_are_of_what_contracts_are_worth(contract: dict[str, str], tmp_path: Path) -> None:
    worth = Decimal(300) / 59_990 if contract is INVERSE else Decimal("0.03") * 59_990
    step = Decimal("0.00000001") if contract is INVERSE else Decimal("0.000001")
    enough, little = ((worth.quantize(step) + off * step) for off in (0, -1))

    bought = [
        Backtest(
            config(contract, "5000", risk={"max_order_notional": str(limit)}),
            written(tmp_path),
            strategy=script,
            engine="reference",
        ).run()
        for limit in (enough, little)
    ]

    assert [(made.outcome.fills["side"] == 1).sum() for made in bought] == [1, 0]
    assert bought[1].outcome.refusals["order_notional"] > 0


def test_statistics_and_report_speak_of_contracts_and_of_what_they_pay_in(tmp_path: Path) -> None:
    result = Backtest(config(INVERSE, "1"), written(tmp_path), strategy=script, engine="reference").run()

    stats = statistics(result.outcome, result.config.model_dump(mode="json"))

    assert stats["activity"]["notional"] == pytest.approx(300 / 59_990 + 200 / 60_150)
    gain = 200 * (1 / 59_990 - 1 / 60_150)
    fees = -float(result.outcome.market.money(result.outcome.pnl["fees"]))
    assert stats["round_trips"]["profit"] == pytest.approx(gain - fees * (2 / 3 + 1) / 2, rel=0.1)
    assert result.summary["units"] == "contracts/BTC"
    console = Console(record=True, width=120)
    console.print(summary_table(result.summary))
    told = console.export_text()
    assert " BTC = spread " in told
    assert "contracts" in told
    assert "USD =" not in told


@pytest.mark.parametrize("at", [lambda number: np.array([number]), lambda number: pl.Series([number])])
def test_gain_and_notional_are_those_of_the_payoff(at: Callable[[float], Any]) -> None:
    inverse, linear = contract_of({"market": {"contract": INVERSE}}), contract_of({"market": {"contract": LINEAR}})

    gains = [gained(each, at(2.0), at(50.0), at(100.0)).sum() for each in (inverse, linear, SPOT)]
    notionals = [traded(each, at(2.0), at(50.0)).sum() for each in (inverse, linear, SPOT)]

    assert gains == [2.0, 1.0, 100.0]
    assert notionals == [4.0, 1.0, 100.0]
    assert [units_of("BTC-USD", each) for each in (inverse, linear, SPOT)] == [
        "contracts/BTC",
        "contracts/USD",
        "BTC-USD",
    ]


WORDS = {"bmv.contract": "inverse", "bmv.contract_size": "100"}


@pytest.mark.parametrize(
    ("contract", "says"),
    [
        (None, 'a run needs contract = { size = "100", payoff = "inverse" } under [market]'),
        (INVERSE | {"size": "10"}, "holds contracts of 100; market.contract.size is configured as 10"),
        (LINEAR, "holds inverse contracts; market.contract.payoff is configured as linear"),
    ],
)
def test_a_tape_of_contracts_is_refused_where_they_are_taken_for_something_else(
    contract: dict[str, str] | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tape, told = written(tmp_path, words=WORDS), config(contract, "5000")

    with pytest.raises(DataError, match=r"tape\.parquet") as by_run:
        Backtest(told, tape, strategy=script, engine="reference").run()
    (tmp_path / "bmv.toml").write_text(dump(configured(told)), "utf-8")
    swept = ["--param", "grid.bid.first_bps=1,2", "--data", str(tape), "--out", str(tmp_path / "sweep")]

    by_sweep = main(["sweep", str(tmp_path / "bmv.toml"), *swept])

    assert says in str(by_run.value)
    assert by_sweep == DataError.exit_code
    assert says in capsys.readouterr().err


def test_a_tape_of_contracts_is_run_by_the_line_that_is_said(tmp_path: Path) -> None:
    tape = written(tmp_path, words=WORDS)

    assert Backtest(config(INVERSE, "1"), tape, strategy=script, engine="reference").run().outcome.pnl["net"] == 4069


@pytest.mark.parametrize(
    ("market", "inventory", "says"),
    [
        ({"contract": {"size": "0", "payoff": "inverse"}}, {}, "market.contract.size = 0: expected a number"),
        ({"contract": {"size": "1"}}, {}, "market.contract.payoff: missing; expected one of linear, inverse"),
        ({"contract": {"size": "1", "payoff": "quanto"}}, {}, "expected one of linear, inverse"),
        ({"contract": "100"}, {}, 'market.contract = "100": expected a table, in the form {size, payoff}'),
        ({"contract": INVERSE, "venue": "openbook-v2"}, {}, "market.contract: openbook-v2 trades coins"),
        ({"contract": INVERSE}, {"start_quote": 0}, "the margin that inverse contracts are paid in"),
        ({"contract": INVERSE}, {"max_position": "100000000"}, "expected at most 11529215 contracts"),
        ({"contract": INVERSE | {"size": "0.0000001"}}, {}, "at 1000 ticks a lot is worth less than the smallest"),
    ],
)
def test_what_a_contract_can_not_be_is_refused(market: dict[str, Any], inventory: dict[str, Any], says: str) -> None:
    told = config(INVERSE, "1")
    told["market"] |= market
    told["inventory"] |= inventory

    with pytest.raises(ConfigError) as refused:
        configured(told)

    assert says in str(refused.value)


def test_the_size_of_a_contract_is_not_swept(tmp_path: Path) -> None:
    with pytest.raises((ConfigError, UsageError), match=r"market\.contract"):
        make_plan(configured(config(INVERSE, "1")), ["market.contract.size=10,100"], [str(written(tmp_path))])


def test_a_set_of_a_sweep_of_contracts_is_its_backtest(tmp_path: Path) -> None:
    wavy = [
        (n * 0.5, *(TAPE[0][1:5] if n % 2 else TAPE[1][1:5]), *touch(60_000 + 10.0 * (n % 9)))
        if n % 2
        else (n * 0.5, "trade", 60_000 + 10.0 * ((n * 5) % 9), 9.0, 1 if n % 4 else -1, None, None, None, None)
        for n in range(400)
    ]
    told = config(INVERSE, "1") | {"sweep": {"validation": {"holdout": 0}}}
    (tmp_path / "bmv.toml").write_text(dump(configured(told)), "utf-8")
    tape, swept = written(tmp_path, wavy, WORDS), ["--param", "grid.bid.first_bps=0,3"]

    code = main(["sweep", str(tmp_path / "bmv.toml"), *swept, "--data", str(tape), "--out", str(tmp_path / "sweep")])

    trials = pl.read_parquet(tmp_path / "sweep" / "trials.parquet").sort("grid.bid.first_bps")
    assert code == 0
    for first_bps, row in zip((0, 3), trials.rows(named=True), strict=True):
        one = Backtest(configured(told, [f"grid.bid.first_bps={first_bps}"]), tape).run().outcome
        assert one.counts["fills"] == row["fills"] > 0
        assert one.digest == row["digest"]
        assert float(one.market.money(one.pnl["net"])) == row["net"] == pytest.approx(row["quoting"] + row["market"])
        notional = (one.fills["size"] * 100 / one.fills["price"]).sum()
        assert row["turnover"] == pytest.approx(notional / one.equity["equity"].mean())


def touch(bid: float) -> tuple[float, ...]:
    return bid, 9.0, bid + 0.2, 9.0


@pytest.mark.parametrize("mid2", [600_001, 1_190_000, 1_200_002, 1_500_000])
def test_a_straight_mid_makes_of_a_linear_position_what_the_mid_makes_of_an_inverse_one(mid2: int) -> None:
    first, mids = 1_200_002, np.array([mid2])

    (straightened,) = straight(1, mids, first)

    assert straightened / first - 1 == pytest.approx(1 - first / mid2, abs=2 / first)
    assert straight(0, mids, first) is mids
