"""What goes wrong, by command: each fault is switched on, strikes by share or by count, and is switched off.

Nothing goes wrong unless it was asked for. Dice are seeded, so that a run with faults can be had again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from random import Random
from types import NoneType

from bmv.adapters.sandbox.jsonrpc import Json

KINDS = {
    "refuse": "HTTP 429 with Retry-After; `body` replaces the body, `seconds` is the wait.",
    "fail": "HTTP 503.",
    "reset": "The connection breaks before the call is done.",
    "lose_answer": "The call is done, and the connection breaks before its answer.",
    "delay": "The answer comes `seconds` late.",
    "drop_transaction": "A transaction is taken, and never lands.",
    "late_transaction": "A transaction is taken, and lands 1 to `blocks` blocks later, if it is valid then.",
    "drop": "A notification is lost.",
    "double": "A notification comes twice.",
    "reorder": "A notification comes after the one behind it.",
    "silence": "Subscriptions stay, pings are answered, nothing more comes.",
    "refuse_version_1": "The endpoint does not know transactions of version 1.",
    "no_certificate": "getAgGenesisCert is not known (-32601).",
    "null_certificate": "getAgGenesisCert answers null.",
    "fork": "A block vanishes after it was processed.",
    "skip": "A leader misses its slot.",
    "jito_silent": "Jito answers nothing for `seconds` (60), and does nothing; `methods` names regions.",
    "jito_limit": "Jito refuses with -32097 and says the wait in words only; `seconds` is the wait.",
    "region_late": "A region of Jito's is `blocks` late, and knows no younger blockhash; `methods` names it.",
    "region_down": "A region of Jito's answers 503; `methods` names it.",
    "bundle_drop": "A bundle is taken, and never lands.",
    "bundle_apart": "A bundle wins, its block is skipped, and its transactions go about singly.",
    "bundle_invalid": "A bundle's status is Invalid or null, whatever became of it.",
    "relay_drop": "A relay takes a transaction, and it never lands.",
}
SECONDS_MAX = 86_400
BLOCKS_MAX = 1_000


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong.

    Args:
        kind: Which, of `KINDS`.
        share: How often it strikes, 0 to 1.
        count: How often it strikes at most; None: until it is switched off.
        methods: The RPC methods it strikes; empty: all.
        seconds: For those that take time.
        body: For "refuse": the body to answer, JSON.
        blocks: For "late_transaction": by how many blocks at most.
    """

    kind: str
    share: float = 1.0
    count: int | None = None
    methods: Sequence[str] = ()
    seconds: float = 0.0
    body: Json = None
    blocks: int = 150

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no fault; expected one of {', '.join(KINDS)}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share: expected 0 to 1, found {self.share!r}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count: expected at least 1, found {self.count!r}")
        if not 0 <= self.seconds <= SECONDS_MAX:
            raise ValueError(f"seconds: expected 0 to {SECONDS_MAX}, found {self.seconds!r}")
        if not 1 <= self.blocks <= BLOCKS_MAX:
            raise ValueError(f"blocks: expected 1 to {BLOCKS_MAX}, found {self.blocks!r}")


TYPES = {
    "kind": (str,),
    "share": (int, float),
    "count": (int, NoneType),
    "methods": (list,),
    "seconds": (int, float),
    "blocks": (int,),
}


def fault_of(asked: dict[str, Json]) -> Fault:
    """Return the fault that a client asks for; `ValueError` or `TypeError` for a field that is none."""
    for name, kinds in TYPES.items():
        if name in asked and type(asked[name]) not in kinds:
            names = " or ".join("null" if kind is NoneType else kind.__name__ for kind in kinds)
            raise ValueError(f"{name}: expected {names}, found {asked[name]!r}")
    return Fault(**asked)


class Faults:
    """The faults of one node that are on.

    Args:
        seed: Of the dice that say when one strikes.
    """

    def __init__(self, seed: int = 0) -> None:
        self._dice = Random(seed)
        self._on: list[Fault] = []

    def switch_on(self, *faults: Fault) -> None:
        """Let these go wrong from now on."""
        self._on += faults

    def switch_off(self, kinds: Iterable[str] = ()) -> None:
        """Stop these kinds; all where none is named."""
        kept = tuple(kinds)
        self._on = [fault for fault in self._on if kept and fault.kind not in kept]

    def strike(self, kind: str, method: str = "") -> Fault | None:
        """Return the fault of a kind that strikes now, or None."""
        for fault in self._on:
            if fault.kind != kind or (fault.methods and method not in fault.methods):
                continue
            if fault.share < 1 and self._dice.random() >= fault.share:
                continue
            self._count(fault)
            return fault
        return None

    def draw(self, most: int) -> int:
        """Return a number from 1 to `most`, by the dice."""
        return self._dice.randint(1, most)

    def _count(self, fault: Fault) -> None:
        if fault.count is None:
            return
        fault.count -= 1
        if fault.count == 0:
            self._on = [one for one in self._on if one is not fault]

    def to_json(self) -> list[Json]:
        """Return what is on."""
        return [asdict(fault) for fault in self._on]
