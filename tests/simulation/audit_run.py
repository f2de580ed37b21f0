"""A run folder as whole numbers: its settings, orders, fills and samples, with what does not convert as findings."""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl

NS = 1_000_000_000
WHOLE = ("_ns", "price_ticks", "_lots", "_id")  # How the names of whole numbers end.
MARKS = {f"mid_{name}s": int(float(name.replace("_", ".")) * NS) for name in ("0_1", "1", "5", "30", "60", "300")}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the audit needs of `config.resolved.toml`, exact: ticks, lots, quanta, nanoseconds."""

    raw: Mapping[str, Any]  # TOML is any nesting of values.

    def get(self, key: str, default: object = None) -> Any:  # Any: TOML again.
        value: Any = self.raw
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return default if value is None else value

    def exact(self, key: str, default: str = "0") -> Fraction:
        return Fraction(Decimal(str(self.get(key, default))))

    @property
    def tick(self) -> Fraction:
        return self.exact("market.tick_size")

    @property
    def lot(self) -> Fraction:
        return self.exact("market.lot_size")

    @property
    def quantum(self) -> Fraction:
        """`gcd(tick * lot / 2, quote_step)`."""
        a, b = self.tick * self.lot / 2, self.exact("market.quote_step", "0.000001")
        below = a.denominator * b.denominator
        return Fraction(math.gcd(a.numerator * b.denominator, b.numerator * a.denominator), below)

    @property
    def half(self) -> int:
        """Quanta in half a tick times a lot."""
        return int(self.tick * self.lot / 2 / self.quantum)

    @property
    def start(self) -> tuple[int, int]:
        """Position in lots and cash in quanta at the start."""
        return int(self.exact("inventory.start_base") / self.lot), int(
            self.exact("inventory.start_quote") / self.quantum
        )

    @property
    def target(self) -> Fraction:
        """Lots wanted: what is held at the start, unless given."""
        return self.exact("inventory.target", str(self.get("inventory.start_base", "0"))) / self.lot

    @property
    def latency(self) -> tuple[int, int] | None:
        """Entry and response latency in nanoseconds, or `None` when they are drawn."""
        both = [self.get(f"simulation.{key}_latency_ms", 0) for key in ("entry", "response")]
        plain = [value.get("value_ms", value.get("ms")) if isinstance(value, Mapping) else value for value in both]
        if any(value is None for value in plain):
            return None
        entry, response = (int(Fraction(Decimal(str(value))) * 1_000_000) for value in plain)
        return entry, response

    @property
    def queue(self) -> str:
        return str(self.get("simulation.queue", "back"))

    @property
    def fill_on_quotes(self) -> bool:
        return bool(self.get("simulation.fill_on_quotes", True))

    def fee(self, notional: int, taker: bool) -> int:
        """Return the fee of `notional` quanta, rounded up, against us."""
        return math.ceil(notional * self.exact(f"market.{'taker' if taker else 'maker'}_fee_bps") / 10_000)


@dataclass(slots=True)
class Fill:
    index: int
    ts: int
    known: int
    order: int
    level: int
    side: int
    price: int
    size: int
    taker: bool
    fee: float
    position: float
    cash: float
    mid: float | None
    cause: str | None
    marks: dict[int, float | None]  # Nanoseconds after the fill: the mid then.


@dataclass(slots=True)
class Order:
    id: int
    level: int
    side: int
    price: int
    size: int
    filled: int
    decided: int
    accepted: int | None
    done_ns: int | None
    done: str
    reason: str
    pivot: float | None
    fills: list[Fill] = field(default_factory=list)

    def left(self, at: int) -> int:
        """Lots still open as far as we know at `at`."""
        return self.size - sum(fill.size for fill in self.fills if fill.known <= at)


@dataclass(slots=True)
class Sample:
    ts: int
    mid: float | None
    pivot: float | None
    position: float
    cash: float
    equity: float
    drawdown: float


@dataclass(slots=True)
class Run:
    settings: Settings
    orders: dict[int, Order]
    fills: list[Fill]
    samples: list[Sample]
    summary: dict[str, Any]  # JSON.
    findings: list[str]


def same(recorded: float | None, expected: Fraction) -> bool:
    """Say whether a float64 is `expected`, but for the last bits that a float64 loses."""
    if recorded is None or not math.isfinite(recorded):
        return False
    slack = 4 * math.ulp(max(abs(recorded), abs(float(expected))))
    return abs(Fraction(recorded) - expected) <= Fraction(slack)


def load(folder: Path) -> Run:
    """Return the run in `folder`; unit columns that disagree with their whole twins are findings already."""
    settings = Settings(tomllib.loads((folder / "config.resolved.toml").read_text(), parse_float=Decimal))
    findings: list[str] = []
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("orders", "fills", "equity")}
    orders: dict[int, Order] = {}
    for row in tables["orders"].iter_rows(named=True):
        order = Order(
            row["order_id"], row["level"], row["side"], row["price_ticks"], row["size_lots"],
            _lots(row, "filled_size", settings, findings), row["decided_ns"], row["accepted_ns"], row["done_ns"],
            row["done"], row["reason"] or "", row["pivot"],
        )  # fmt: skip
        if order.id in orders:
            findings.append(f"order {order.id}: its id stands twice in orders.parquet")
        _twins(f"order {order.id}", row, settings, findings)
        orders[order.id] = order
    fills = [
        Fill(
            index, row["ts_ns"], row["known_ns"], row["order_id"], row["level"], row["side"], row["price_ticks"],
            row["size_lots"], row["liquidity"] == "taker", row["fee"], row["position"], row["cash"], row.get("mid"),
            row.get("cause"), {ns: row[name] for name, ns in MARKS.items() if name in row},
        )
        for index, row in enumerate(tables["fills"].iter_rows(named=True))
    ]  # fmt: skip
    for fill, row in zip(fills, tables["fills"].iter_rows(named=True), strict=True):
        _twins(f"fill {fill.index}", row, settings, findings)
        if row["liquidity"] not in ("maker", "taker"):
            findings.append(f"fill {fill.index}: liquidity {row['liquidity']!r} is neither maker nor taker")
        if fill.order in orders:
            orders[fill.order].fills.append(fill)
    columns = ("ts_ns", "mid", "pivot", "position", "cash", "equity", "drawdown")
    samples = [Sample(*row) for row in tables["equity"].select(columns).iter_rows()]
    for name, table in tables.items():
        whole = [c for c in table.columns if c in ("side", "level") or c.endswith(WHOLE)]
        findings += [f"{name}.{c}: is {table[c].dtype}, not Int64" for c in whole if table[c].dtype != pl.Int64]
    summary = json.loads((folder / "summary.json").read_text())
    return Run(settings, orders, fills, samples, summary, findings)


def _lots(row: Mapping[str, Any], name: str, settings: Settings, findings: list[str]) -> int:
    """Return a size that has no whole twin, in lots."""
    lots = round(Fraction(row[name]) / settings.lot)
    if not same(row[name], lots * settings.lot):
        findings.append(f"order {row['order_id']}: {name} {row[name]} is not a whole number of lots")
    return lots


def _twins(what: str, row: Mapping[str, Any], settings: Settings, findings: list[str]) -> None:
    for name, twin, step in (("price", "price_ticks", settings.tick), ("size", "size_lots", settings.lot)):
        if not same(row[name], row[twin] * step):
            findings.append(f"{what}: {name} {row[name]} is not {twin} {row[twin]} x {float(step)}")
