"""How often a grid is laid, and what comes of it, on every recorded tape: for comparing two trees of the project.

    python tests/simulation/requotes.py > before.json                      # In one tree,
    python tests/simulation/requotes.py --beside before.json > table.md    # in the other: a table of both.

Every tape of the ticks folder runs whole, with the configuration that the audit uses (four levels of bids, three of
asks): as it stands ("usual"), without quote at the start, so that at first no bid can be paid for ("no quote"), and with
20 orders a minute at the most ("20 a minute"). The machine code is compiled first, which takes half a minute.
"""

import json
import os
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from markets import RECORDED, Recorded

from bmv.adapters.config import Config
from bmv.backtest import Backtest

TICKS = Path(os.environ.get("BMV_TICKS") or Path(__file__).resolve().parents[3] / "shared" / "ticks")
CASES: dict[str, dict[str, dict[str, Any]]] = {
    "usual": {},
    "no quote": {"inventory": {"start_quote": 0}},
    "20 a minute": {"risk": {"max_orders_per_minute": 20}},
}
COLUMNS = ("requotes", "orders", "bids", "asks", "fills", "net")
Figures = dict[str, int | str]


def measure(market: Recorded, case: str) -> Figures:
    """Run one market whole and return its figures."""
    settings: dict[str, Any] = tomllib.loads(market.config("back"), parse_float=Decimal)
    for section, keys in CASES[case].items():
        settings[section] = settings.get(section, {}) | keys
    outcome = Backtest(Config(**settings), TICKS / f"{market.file}.parquet").run().outcome
    counts = {name: int(outcome.counts[name]) for name in ("requotes", "orders", "fills")}
    sides = {name: int((outcome.orders["side"] == side).sum()) for name, side in (("bids", 1), ("asks", -1))}
    return {**counts, **sides, "net": str(outcome.market.money(outcome.pnl["net"]))}


def table(before: dict[str, Figures], after: dict[str, Figures]) -> str:
    """Return the figures of two trees side by side, as Markdown."""
    lines = ["| tape | " + " | ".join(COLUMNS) + " |", "|---|" + "--:|" * len(COLUMNS)]
    for name, figures in after.items():
        cells = [_cell(before[name][column], figures[column]) for column in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(before: int | str, after: int | str) -> str:
    texts = [f"{value:,}" if isinstance(value, int) else f"{float(value):,.2f}" for value in (before, after)]
    return texts[1] if before == after else f"{texts[0]} → {texts[1]}"


def main(words: list[str]) -> None:
    """Measure every case on every tape; print JSON, or a table beside an earlier one."""
    figures = {
        f"{market.file}, {case}": measure(market, case) for case in CASES for market in RECORDED if market.trades
    }
    if words[:1] == ["--beside"]:
        print(table(json.loads(Path(words[1]).read_text("utf-8")), figures))
    else:
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
