"""What transactions that name an account logged, asked from a node: to catch up after an absence.

A node remembers for so long only, and cuts long logs short. What it does not say is not known from here; the checksum
of whoever reads the fills tells how much that was.
"""

from solders.pubkey import Pubkey

from bmv.adapters.openbook.fills.fill import Logged
from bmv.adapters.solana.errors import EndpointError, Json
from bmv.adapters.solana.pubsub import Logs
from bmv.adapters.solana.rpc import FINALIZED, Rpc

PAGE = 1_000  # Signatures in one answer, the most that a node gives.
VERSION_MAX = 1  # Of transactions.
CUT_OFF = ("Log truncated",)


async def read_history(
    rpc: Rpc,
    address: Pubkey,
    after: int,
    commitment: str = FINALIZED,
    page: int = PAGE,
    known: dict[str, Logged] | None = None,
) -> list[Logged]:
    """Return what succeeded and named an account in slots after `after`, oldest first.

    EndpointError where the node lists what it can't show, or answers what can't be used; asking again may help.

    Args:
        rpc: The node.
        address: Our account at the venue for version 1, the market's for version 2.
        after: The slot of a mark; what came in it was read.
        commitment: At `finalized` what is read never vanishes.
        page: Signatures to ask for at once.
        known: What was read before, by signature; it is brought up to date, also where the node fails halfway, so that
            asking again goes on from there. Only for a commitment of which nothing vanishes.
    """
    read: dict[str, Logged] = {} if known is None else known
    rows = await _signatures(rpc, address, after, commitment, page)
    wanted = dict(reversed(rows))
    for signature in read.keys() - wanted.keys():
        del read[signature]
    for signature, slot in wanted.items():
        if signature not in read:
            read[signature] = await _logged(rpc, signature, slot, commitment)
    return [read[signature] for signature in wanted]


async def _signatures(rpc: Rpc, address: Pubkey, after: int, commitment: str, page: int) -> list[tuple[str, int]]:
    """Return signatures and slots of transactions that succeeded, newest first."""
    found: list[tuple[str, int]] = []
    before: str | None = None
    while True:
        options: dict[str, Json] = {"commitment": commitment, "limit": page}
        options |= {} if before is None else {"before": before}
        rows = _rows(rpc, await rpc.call("getSignaturesForAddress", str(address), options), page)
        found += [(signature, slot) for signature, slot, failed in rows if not failed and slot > after]
        if len(rows) < page or rows[-1][1] <= after:
            return found
        if rows[-1][0] == before:
            raise _unusable(rpc, "getSignaturesForAddress", "the same page again")
        before = rows[-1][0]


def _rows(rpc: Rpc, answer: Json, page: int) -> list[tuple[str, int, bool]]:
    try:
        rows = [(row["signature"], row["slot"], row["err"] is not None) for row in answer]
    except (KeyError, TypeError):
        raise _unusable(rpc, "getSignaturesForAddress", "no list of signatures") from None
    slots = [slot for _, slot, _ in rows]
    if len(rows) > page or not all(type(slot) is int and isinstance(name, str) for name, slot, _ in rows):
        raise _unusable(rpc, "getSignaturesForAddress", "signatures without slots, or too many")
    if slots != sorted(slots, reverse=True):
        raise _unusable(rpc, "getSignaturesForAddress", "signatures that are not the newest first")
    return rows


async def _logged(rpc: Rpc, signature: str, slot: int, commitment: str) -> Logged:
    options = {"commitment": commitment, "encoding": "base64", "maxSupportedTransactionVersion": VERSION_MAX}
    answer = await rpc.call("getTransaction", signature, options)
    if answer is None:
        raise _unusable(rpc, "getTransaction", f"nothing, for {signature} that it lists in slot {slot}")
    try:
        where, error, lines = answer["slot"], answer["meta"]["err"], answer["meta"]["logMessages"]
    except (KeyError, TypeError):
        raise _unusable(rpc, "getTransaction", "neither slot nor logs") from None
    if where != slot or error is not None:
        raise _unusable(rpc, "getTransaction", f"another fate of {signature} than it lists")
    if lines is None:  # It keeps none.
        return Logged(slot, Logs(signature, False, CUT_OFF))
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise _unusable(rpc, "getTransaction", "logs that are no lines")
    return Logged(slot, Logs(signature, False, tuple(lines)))


def _unusable(rpc: Rpc, method: str, what: str) -> EndpointError:
    return EndpointError(f"{rpc.endpoint}: answers {method} with what can't be used: {what}")
