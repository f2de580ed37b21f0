"""What a run leaves in memory, whichever driver made it."""

from dataclasses import dataclass

import polars as pl

from bmv.ports.market import Market


@dataclass(frozen=True, slots=True)
class Outcome:
    """The tables and figures of one run. Times in ns, money in quanta where it is whole, in quote where it is not.

    `fills` has, beside the columns of the file contract, what caused each fill (`print`, `quote`, `take`), the mid
    before it, and the mid at six horizons after it, null where the tape had ended.
    """

    market: Market
    orders: pl.DataFrame
    fills: pl.DataFrame
    equity: pl.DataFrame
    breaker: pl.DataFrame  # ts_ns, tier, cause, equity
    counts: dict[str, int]
    refusals: dict[str, int]  # By code: intents that risk refused.
    pnl: dict[str, int]  # Quanta; `net` is the sum of the others.
    net_vs_hold: int  # Quanta.
    digest: str
    times: dict[str, int]  # ns of tape time.
    fit: dict[str, int]  # Levels of depth that were passed, and prints that passed one which had long been passed.
    stretches: pl.DataFrame  # Prints against the quotes before them: from_ns, to_ns, prints, sided, outside, wrong_side
    sums: dict[str, float]  # Integrals over tape time, in units x ns.
    first_ns: int
    last_ns: int
    load_seconds: float
    engine_seconds: float

    def __repr__(self) -> str:
        net = self.market.money(self.pnl["net"])
        return f"<Outcome {self.market.symbol} | net {net}, {self.counts['fills']} fills | {self.digest}>"


def described(identity: object) -> str:
    """Return what a manifest says of a strategy in words.

    >>> described({"name": "quote", "module": "research", "file": None, "sha256": "0123456789abcdef"}), described(None)
    ('quote of research (01234567)', 'the pivot grid')
    """
    if identity is None:
        return "the pivot grid"
    if not isinstance(identity, dict):
        return str(identity)
    digest = identity.get("sha256")
    where = identity.get("module") or identity.get("file")
    return f"{identity.get('name')} of {where}" + (f" ({digest[:8]})" if digest else ", whose text is not known")
