"""Backtests for these tests: tapes and strategies written by hand, run by the command, read back from the run folder.

A tape is a table of rows, one a line, in ticks of 1 and lots of 1, with the time in seconds::

    0.0 trade 100 x 1 buy        (or sell, or ? where the side was not recorded)
    1.0 quote 99 x 5 / 101 x 5   (- for an absent side, ? for a size that was not recorded)

A strategy is a script: at each of its times, at the first call from then on, it wants exactly the orders listed there,
and between them it leaves things as they are::

    {0: ["bid 99 x 5"], 4.0: []}

It is called when a decision is due: at the first event, and when we learn of a fill.

An order is post-only unless the line ends in `limit` or `ioc`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from audit import audit
from click.testing import CliRunner

from bmv.adapters.cli.main import root

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
FLOAT_FORM = {
    "ts": pl.Int64, "kind": pl.String, "price": pl.Float64, "size": pl.Float64, "side": pl.Int8,
    "bid": pl.Float64, "bid_size": pl.Float64, "ask": pl.Float64, "ask_size": pl.Float64,
}  # fmt: skip

CONFIG = """
version = 1
strategy = "{strategy}"
[market]
symbol = "HAND"
tick_size = "{tick_size}"
lot_size = "{lot_size}"
maker_fee_bps = {maker_fee_bps}
taker_fee_bps = {taker_fee_bps}
[pivot]
window_s = 1000
history_s = 10000
[inventory]
start_base = {start_base}
start_quote = {start_quote}
max_position = 100000
[requote]
threshold_bps = 0
tolerance_bps = 0
tolerance_size = 0
min_interval_ms = 0
[simulation]
entry_latency_ms = {entry_latency_ms}
response_latency_ms = {response_latency_ms}
queue = "{queue}"
fill_on_quotes = {fill_on_quotes}
[data]
max_bad_share = {max_bad_share}
"""
USUAL = {
    "tick_size": "1", "lot_size": "1", "maker_fee_bps": "0", "taker_fee_bps": "0",
    "start_base": "1000", "start_quote": "1000000", "entry_latency_ms": "0",
    "response_latency_ms": "0", "queue": "back", "fill_on_quotes": "true", "max_bad_share": "0.01",
}  # fmt: skip

STRATEGY = '''
"""A script: each step once, at the first call from its time on."""

STEPS = {steps}


def script(params, state, memory, wanted):
    """Write the orders of the step that is due, or leave things as they are."""
    step = int(memory[0])
    if step >= len(STEPS) or state.now_ns < STEPS[step][0]:
        return -1
    memory[0] = step + 1
    for i, row in enumerate(STEPS[step][1]):
        wanted[i, 0], wanted[i, 1], wanted[i, 2], wanted[i, 3], wanted[i, 4] = row
    return len(STEPS[step][1])
'''
TIF = {"post": 0, "limit": 1, "ioc": 2}


@dataclass(frozen=True, slots=True)
class Played:
    """A run's tables and its summary, and what the audit found."""

    folder: Path
    orders: pl.DataFrame
    fills: pl.DataFrame
    equity: pl.DataFrame
    summary: dict[str, Any]  # JSON.
    findings: list[str]

    @property
    def told(self) -> list[str]:
        """Return the fills as lines: time, side, size, price, and taking."""
        return [
            f"{(ts - START) / SECOND:g} {'bought' if side == 1 else 'sold'} {size} at {price}"
            + (" taking" if liquidity == "taker" else "")
            for ts, side, size, price, liquidity in self.fills.select(
                "ts_ns", "side", "size_lots", "price_ticks", "liquidity"
            ).iter_rows()
        ]

    @property
    def ends(self) -> list[str]:
        """Return how each order ended, in the order of their ids."""
        return self.orders.sort("order_id")["done"].to_list()


def backtest(folder: Path, config: str, tapes: Sequence[Path], *options: str) -> int:
    """Run `bmv backtest` into `folder`/run and return its exit code; print what it said."""
    (folder / "config.toml").write_text(config, "utf-8")
    data = [word for tape in tapes for word in ("--data", str(tape))]
    words = ["backtest", str(folder / "config.toml"), *data, "--out", str(folder / "run"), "--no-report", *options]
    result = CliRunner().invoke(root, words)
    print(result.output)
    print(repr(result.exception))
    code = getattr(result.exception, "exit_code", None)
    if result.exception is not None and code is None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return int(result.exit_code if code is None else code)


def tape(lines: str) -> pl.DataFrame:
    """Return the float form of a tape written as lines."""
    return pl.DataFrame([_row(line.split()) for line in lines.strip().splitlines()], schema=FLOAT_FORM, orient="row")


def _row(words: list[str]) -> tuple[object, ...]:
    ts = START + round(float(words[0]) * SECOND)
    sides = " ".join(words[2:]).split("/")
    if words[1] == "quote":
        bid, bid_size = _shown(sides[0])
        ask, ask_size = _shown(sides[1])
        return ts, "quote", None, None, None, bid, bid_size, ask, ask_size
    side = {"buy": 1, "sell": -1, "?": 0}[words[5]]
    return ts, "trade", float(words[2]), float(words[4]), side, None, None, None, None


def _shown(text: str) -> tuple[float | None, float | None]:
    if text.strip() == "-":
        return None, None
    price, size = text.split("x")
    return float(price), None if size.strip() == "?" else float(size)


def strategy(folder: Path, steps: Mapping[float, Sequence[str]]) -> str:
    """Write a script into `folder` and return the configuration's name for it."""
    rows = [(START + round(at * SECOND), [_order(i, line) for i, line in enumerate(steps[at])]) for at in sorted(steps)]
    (folder / "script.py").write_text(STRATEGY.format(steps=rows), "utf-8")
    return f"{folder / 'script.py'}:script"


def _order(level: int, line: str) -> tuple[int, int, int, int, int]:
    side, price, _, size, *tif = line.split()
    return 1 if side == "bid" else -1, level, int(price), int(size), TIF[tif[0] if tif else "post"]


def play(folder: Path, lines: str | pl.DataFrame, steps: Mapping[float, Sequence[str]], **settings: str) -> Played:
    """Run a script on a tape, both written by hand; the run must succeed, and the audit find nothing in it."""
    rows = tape(lines) if isinstance(lines, str) else lines
    rows.write_parquet(folder / "tape.parquet")
    config = CONFIG.format(**USUAL | {"strategy": strategy(folder, steps)} | settings)
    code = backtest(folder, config, [folder / "tape.parquet"], "--engine", "reference")
    assert code == 0, f"bmv backtest ended with {code}"
    played = result(folder / "run", [folder / "tape.parquet"])
    assert not played.findings, "\n".join(played.findings)
    return played


def result(folder: Path, tapes: Sequence[Path], start_ns: int | None = None, end_ns: int | None = None) -> Played:
    """Read a run folder and audit it."""
    orders, fills, equity = (pl.read_parquet(folder / f"{name}.parquet") for name in ("orders", "fills", "equity"))
    summary = orjson.loads((folder / "summary.json").read_bytes())
    return Played(folder, orders, fills, equity, summary, audit(folder, tapes, start_ns, end_ns))
