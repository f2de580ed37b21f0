"""When a block can no longer vanish: Alpenglow's rule and TowerBFT's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consensus:
    """How far behind the newest block the others of the commitment levels are, in blocks.

    Args:
        name: As `--consensus` spells it.
        confirmed: Blocks from processed back to confirmed.
        finalized: Blocks from processed back to finalized.
        certified: Whether `getAgGenesisCert` answers a certificate; else null.
    """

    name: str
    confirmed: int
    finalized: int
    certified: bool

    def behind(self, commitment: str | None) -> int:
        """Return how many blocks `commitment` is behind; finalized where none is given.

        `KeyError` for a word that is no commitment.
        """
        return {"processed": 0, "confirmed": self.confirmed, "finalized": self.finalized}[commitment or "finalized"]


ALPENGLOW = Consensus("alpenglow", confirmed=1, finalized=1, certified=True)
TOWER = Consensus("tower", confirmed=1, finalized=31, certified=False)
CONSENSUS = {rule.name: rule for rule in (ALPENGLOW, TOWER)}
