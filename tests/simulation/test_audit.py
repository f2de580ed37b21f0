"""Every run is audited by code that shares nothing with the engine; and the audit is shown to notice what is wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from audit import audit
from markets import RECORDED, SYNTHETIC, Recorded, synthetic
from runs import FLOAT_FORM, SECOND, START, backtest, result

from bmv.core import engine


@pytest.mark.parametrize("queue", ["front", "back"])
@pytest.mark.parametrize("market", RECORDED, ids=lambda market: market.id)
def test_the_audit_finds_nothing_in_a_run_on_recorded_ticks(
    tmp_path: Path, ticks: Path, market: Recorded, queue: str
) -> None:
    tapes = [ticks / f"{market.file}.parquet"]

    code = backtest(tmp_path, market.config(queue), tapes, "--timerange", market.timerange)

    assert code == 0
    played = result(tmp_path / "run", tapes, *market.span_ns)
    assert "\n".join(played.findings) == ""
    assert played.summary["events"] > 1000
    assert (played.fills.height >= 3) == market.trades
    assert market.trades or played.orders.is_empty()


@pytest.mark.parametrize("queue", ["front", "back", "power", "log"])
def test_the_audit_finds_nothing_in_a_run_on_a_synthetic_tape(tmp_path: Path, queue: str) -> None:
    tapes = [synthetic(tmp_path / "tape.parquet", seed=7)]

    code = backtest(tmp_path, SYNTHETIC.config(queue), tapes)

    assert code == 0
    played = result(tmp_path / "run", tapes)
    assert "\n".join(played.findings) == ""
    assert played.fills.height > 20


@pytest.mark.parametrize("seed", range(6))
def test_the_audit_finds_nothing_whatever_the_latencies_and_the_recording(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tapes = [synthetic(tmp_path / "tape.parquet", seed, sides=bool(seed % 2), sizes=seed % 3 > 0)]
    entry, response = (str(rng.choice([0, 1, 7, 150, 1000])) for _ in range(2))
    config = SYNTHETIC.config("back", entry_latency_ms=entry, response_latency_ms=response, min_interval_ms="0")
    print(f"seed {seed}: entry {entry} ms, response {response} ms")

    code = backtest(tmp_path, config, tapes)

    assert code == 0
    played = result(tmp_path / "run", tapes)
    assert "\n".join(played.findings) == ""
    assert played.fills.height > 20


@pytest.mark.parametrize("queue", ["front", "back"])
def test_the_audit_finds_nothing_when_latencies_are_drawn(tmp_path: Path, queue: str) -> None:
    tapes = [synthetic(tmp_path / "tape.parquet", seed=5)]
    drawn = '{ model = "random", median_ms = 60, p99_ms = 900 }'

    code = backtest(tmp_path, SYNTHETIC.config(queue, entry_latency_ms=drawn, response_latency_ms=drawn), tapes)

    assert code == 0
    played = result(tmp_path / "run", tapes)
    assert "\n".join(played.findings) == ""
    assert played.fills.height > 20
    assert (played.fills["known_ns"] - played.fills["ts_ns"]).n_unique() > 10


def test_the_audit_finds_nothing_in_a_run_that_halts_and_flattens(tmp_path: Path) -> None:
    tapes = [synthetic(tmp_path / "tape.parquet", seed=9)]
    breaker = ["halt_pct=0.02", "on_halt=flatten", "flatten_bps=30"]
    options = [word for each in breaker for word in ("--set", f"risk.breaker.{each}")]

    code = backtest(tmp_path, SYNTHETIC.config("back"), tapes, *options, "--set", "risk.max_open_orders=7")

    assert code == 0
    played = result(tmp_path / "run", tapes)
    assert "\n".join(played.findings) == ""
    flattening = played.orders.filter(pl.col("level") == -1)
    grid = played.orders.filter(pl.col("level") >= 0)
    assert flattening["filled_size"].sum() > 0
    assert max(grid["decided_ns"].to_list()) < min(flattening["decided_ns"].to_list())
    assert played.fills["position"][-1] == 400


@pytest.mark.parametrize("queue", ["front", "back"])
@pytest.mark.parametrize("lacking", [{"start_quote": "0"}, {"start_base": "0"}, {"max_position": '"5"'}])
def test_the_audit_finds_nothing_where_levels_can_not_be_had(
    tmp_path: Path, lacking: dict[str, str], queue: str
) -> None:
    tapes = [synthetic(tmp_path / "tape.parquet", seed=7)]

    code = backtest(tmp_path, SYNTHETIC.config(queue, min_interval_ms="0", **lacking), tapes)

    assert code == 0
    played = result(tmp_path / "run", tapes)
    assert "\n".join(played.findings) == ""
    assert played.orders.height > 20


def _creeping(path: Path) -> Path:
    """Write a tape of 300 s whose mid creeps up by half a tick a second, so that nothing 200 bps away fills."""
    rows: list[tuple[object, ...]] = []
    for second in range(300):
        ts, bid, ask = START + second * SECOND, 10_000 + second // 2, 10_001 + (second + 1) // 2
        rows.append((ts, "quote", None, None, None, bid / 100, 5.0, ask / 100, 5.0))
        rows.append((ts, "trade", (ask - 1) / 100, 1.0, 1, None, None, None, None))
    pl.DataFrame(rows, schema=FLOAT_FORM, orient="row").write_parquet(path)
    return path


@pytest.mark.parametrize("lacking", [{"start_quote": "0"}, {"start_base": "3", "max_position": '"50"'}])
def test_the_audit_notices_an_engine_that_lays_a_grid_for_a_level_which_can_not_be_had(
    tmp_path: Path, lacking: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tapes = [_creeping(tmp_path / "tape.parquet")]
    config = SYNTHETIC.config("back", first_bps="200", threshold_bps="20", max_age_s="1000", **lacking)

    code = backtest(tmp_path, config, tapes, "--engine", "reference")
    right = audit(tmp_path / "run", tapes)
    monkeypatch.setattr(engine, "look_due", lambda params, state: state.missing != 0)
    monkeypatch.setattr(engine, "would_serve", lambda params, state: True)
    code += backtest(tmp_path, config, tapes, "--engine", "reference")
    wrong = audit(tmp_path / "run", tapes)

    assert code == 0
    assert right == []
    assert len(wrong) > 10
    assert all("nothing asked for them" in each for each in wrong)


# The audit audited: one value changed in one file, and it must be found.


def _cell(file: str, column: str, change: Callable[[Any], Any], row: int = 3) -> Callable[[Path], None]:
    """Return a tampering with one cell of a table; in a table of orders, of the `row`-th that was filled."""

    def tamper(run: Path) -> None:
        table = pl.read_parquet(run / file).with_row_index("at")
        at = table.filter(pl.col("done") == "filled")["at"][row] if file == "orders.parquet" else row
        value = change(table[column][at])
        changed = pl.when(pl.col("at") == at).then(pl.lit(value, table.schema[column])).otherwise(pl.col(column))
        table.with_columns(changed.alias(column)).drop("at").write_parquet(run / file)

    return tamper


def _rows(file: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Path], None]:
    return lambda run: change(pl.read_parquet(run / file)).write_parquet(run / file)


def _summary(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def tamper(run: Path) -> None:
        summary = orjson.loads((run / "summary.json").read_bytes())
        change(summary)
        (run / "summary.json").write_bytes(orjson.dumps(summary))

    return tamper


def _pnl(name: str) -> Callable[[Path], None]:
    return _summary(lambda s: s["pnl"].update({name: f"{float(s['pnl'][name]) + 0.000001:.6f}"}))


def _config(old: str, new: str) -> Callable[[Path], None]:
    def tamper(run: Path) -> None:
        text = (run / "config.resolved.toml").read_text("utf-8")
        assert old in text
        (run / "config.resolved.toml").write_text(text.replace(old, new, 1), "utf-8")

    return tamper


def _both(*tampers: Callable[[Path], None]) -> Callable[[Path], None]:
    def tamper(run: Path) -> None:
        for each in tampers:
            each(run)

    return tamper


FILLS, ORDERS, EQUITY = "fills.parquet", "orders.parquet", "equity.parquet"
TAMPERS: dict[str, Callable[[Path], None]] = {
    "a fill's size": _both(
        _cell(FILLS, "size_lots", lambda lots: lots + 1), _cell(FILLS, "size", lambda size: size + 0.1)
    ),
    "a fill's price": _both(
        _cell(FILLS, "price_ticks", lambda ticks: ticks + 1), _cell(FILLS, "price", lambda price: price + 0.01)
    ),
    "a fill's price in units": _cell(FILLS, "price", lambda price: price + 0.01),
    "a fill's time": _cell(FILLS, "ts_ns", lambda ns: ns + 1),
    "when a fill was known": _cell(FILLS, "known_ns", lambda ns: ns - 1),
    "a fill's side": _cell(FILLS, "side", lambda side: -side),
    "a fill's order": _cell(FILLS, "order_id", lambda order: order + 1),
    "a fill's level": _cell(FILLS, "level", lambda level: level + 1),
    "a fill's fee": _cell(FILLS, "fee", lambda fee: fee + 0.000001),
    "a fill's liquidity": _cell(FILLS, "liquidity", lambda _: "taker"),
    "a fill's position": _cell(FILLS, "position", lambda base: base + 0.1),
    "a fill's cash": _cell(FILLS, "cash", lambda cash: cash - 0.000001),
    "a fill's mid": _cell(FILLS, "mid", lambda mid: mid + 0.005),
    "a fill's mid after five seconds": _cell(FILLS, "mid_5s", lambda mid: mid + 0.005),
    "a fill forgotten": _rows(FILLS, lambda fills: pl.concat([fills[:3], fills[4:]])),
    "two fills in the wrong order": _rows(
        FILLS, lambda fills: pl.concat([fills[:3], fills[4:9], fills[3:4], fills[9:]])
    ),
    "an order's price": _both(
        _cell(ORDERS, "price_ticks", lambda ticks: ticks + 1), _cell(ORDERS, "price", lambda price: price + 0.01)
    ),
    "an order's filled size": _cell(ORDERS, "filled_size", lambda size: size - 0.1),
    "an order's end": _cell(ORDERS, "done", lambda _: "cancelled"),
    "when an order ended": _cell(ORDERS, "done_ns", lambda ns: ns - 1),
    "when an order arrived": _cell(ORDERS, "accepted_ns", lambda ns: ns + 1),
    "when an order was decided": _cell(ORDERS, "decided_ns", lambda ns: ns - 1),
    "an order's pivot": _cell(ORDERS, "pivot", lambda pivot: pivot * (1 + 1e-7)),
    "an order's level": _cell(ORDERS, "level", lambda level: level + 1),
    "an order forgotten": _rows(ORDERS, lambda orders: orders[1:]),
    "a sample's mid": _cell(EQUITY, "mid", lambda mid: mid + 0.005, row=50),
    "a sample's pivot": _cell(EQUITY, "pivot", lambda pivot: pivot * (1 + 1e-7), row=50),
    "a sample's position": _cell(EQUITY, "position", lambda base: base + 0.1, row=50),
    "a sample's cash": _cell(EQUITY, "cash", lambda cash: cash + 0.000001, row=50),
    "a sample's equity": _cell(EQUITY, "equity", lambda equity: equity + 0.000001, row=50),
    "a sample's drawdown": _cell(EQUITY, "drawdown", lambda drawdown: drawdown + 0.1, row=50),
    "a sample forgotten": _rows(EQUITY, lambda equity: pl.concat([equity[:50], equity[51:]])),
    "the first sample": _rows(EQUITY, lambda equity: equity[1:]),
    "the last sample": _rows(EQUITY, lambda equity: equity[:-1]),
    "net": _pnl("net"),
    "spread": _pnl("spread"),
    "inventory": _pnl("inventory"),
    "fees": _pnl("fees"),
    "rounding": _pnl("rounding"),
    "net against holding": _summary(lambda s: s.update(net_vs_hold="0.5")),
    "the drawdown": _summary(lambda s: s.update(max_drawdown=s["max_drawdown"] * 1.001)),
    "the count of events": _summary(lambda s: s.update(events=s["events"] + 1)),
    "the count of fills": _summary(lambda s: s.update(fills=s["fills"] - 1)),
    "the maker's fee": _config('maker_fee_bps = "1.5"', 'maker_fee_bps = "1.6"'),
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clean run and its tape."""
    folder = tmp_path_factory.mktemp("clean")
    tape = synthetic(folder / "tape.parquet", seed=11, rows=3000)
    assert backtest(folder, SYNTHETIC.config("back"), [tape]) == 0
    assert audit(folder / "run", [tape]) == []
    return folder / "run", tape


@pytest.mark.parametrize("what", TAMPERS)
def test_the_audit_notices_one_wrong_value(tmp_path: Path, clean: tuple[Path, Path], what: str) -> None:
    run, tape = clean
    shutil.copytree(run, tmp_path / "run")

    TAMPERS[what](tmp_path / "run")

    assert audit(tmp_path / "run", [tape]) != []
