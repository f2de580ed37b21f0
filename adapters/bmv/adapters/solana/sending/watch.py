"""Asks a node what became of attempts, in the order that makes its answer a verdict.

Behind one URL there may be several nodes, each call answered by another: one that is at the newest final block tells
the height, one that is on a branch that will vanish finds nothing, and together they say what neither would. So before
an attempt has expired, one call is made whose answer proves itself: the signatures of its payer up to that final slot
at least, back to before the attempt can have landed. Where a node keeps no such history, the height is asked once more
and the lower one counts; that finds a lagging node, unless two nodes take turns so that it never tells a height.
"""

from collections.abc import Sequence

from solders.pubkey import Pubkey

from bmv.adapters.solana.errors import EndpointError, Json, Lagging, NodeError
from bmv.adapters.solana.rpc import FINALIZED, Rpc
from bmv.adapters.solana.sending.track import Look, Status, Track

STATUSES_MAX = 256  # In one call.
PAGE, PAGES_MAX = 1_000, 5  # Signatures in one answer, and answers to read: anybody may name our wallet.
COMMITMENTS = ("processed", "confirmed", "finalized")


async def look_at(rpc: Rpc, tracks: Sequence[Track]) -> tuple[Look, list[Status | None]]:
    """Return what a node knows of attempts, up to 256; `EndpointError` where it can't be asked."""
    assert len(tracks) <= STATUSES_MAX, f"{len(tracks)} attempts in one call"
    height, slot = await _final(rpc)
    over = max((height - track.attempt.last_height for track in tracks), default=0)
    answer, searched = await _statuses(rpc, [track.attempt.signature for track in tracks], over > 0)
    first = await _first_slot(rpc) if searched else None
    try:
        look = Look(height, slot, int(answer["context"]["slot"]), first)
        statuses = [_status(value) for value in answer["value"]]
    except (KeyError, TypeError, ValueError):
        raise EndpointError(f"{rpc.endpoint}: answers getSignatureStatuses with what can't be used") from None
    if len(statuses) != len(tracks):
        raise EndpointError(f"{rpc.endpoint}: answers with {len(statuses)} statuses, {len(tracks)} were asked for")
    rpc.health.note_slot(look.slot)
    missed = [track for track, status in zip(tracks, statuses, strict=True) if track.is_missed(look, status)]
    return await _be_sure(rpc, look, missed), statuses


async def _be_sure(rpc: Rpc, look: Look, missed: Sequence[Track]) -> Look:
    """Return a look without the height at which attempts are over where it is not sure that they never landed."""
    if not missed:
        return look
    doubted = list[Track]()
    for payer in {track.attempt.message.account_keys[0] for track in missed}:
        of_payer = [track for track in missed if track.attempt.message.account_keys[0] == payer]
        try:
            landed = await _landed(rpc, payer, look, min(track.landed_since(look) for track in of_payer))
        except Lagging:
            doubted += of_payer
        else:
            doubted += [track for track in of_payer if landed is not None and track.attempt.signature in landed]
            if landed is None:
                look = look._replace(final_height=min(look.final_height, (await _final(rpc))[0]))
    heights = [track.attempt.last_height for track in doubted]
    return look._replace(final_height=min([look.final_height, *heights]))


async def _landed(rpc: Rpc, payer: Pubkey, look: Look, since: int) -> set[str] | None:
    """Return the signatures of all that a wallet paid for since a slot; None where a node can't show all of them.

    `Lagging` where the node that answers has not got to the final slot of the look.
    """
    found, before = set[str](), None
    for _ in range(PAGES_MAX):
        options = {"commitment": FINALIZED, "minContextSlot": look.final_slot, "limit": PAGE}
        options |= {} if before is None else {"before": before}
        try:
            rows = _rows(rpc, await rpc.call("getSignaturesForAddress", str(payer), options))
        except Lagging:
            raise
        except NodeError:
            return None
        found |= {name for name, _ in rows}
        if any(slot < since for _, slot in rows):
            return found
        if not rows or rows[-1][0] == before:
            return None
        before = rows[-1][0]
    return None


def _rows(rpc: Rpc, answer: Json) -> list[tuple[str, int]]:
    try:
        return [(str(row["signature"]), int(row["slot"])) for row in answer]
    except (KeyError, TypeError, ValueError):
        raise EndpointError(f"{rpc.endpoint}: answers getSignaturesForAddress with what can't be used") from None


async def _final(rpc: Rpc) -> tuple[int, int]:
    """Return height and slot of the newest final block."""
    info = await rpc.call("getEpochInfo", {"commitment": FINALIZED})
    return _number(rpc, info, "blockHeight"), _number(rpc, info, "absoluteSlot")


async def _statuses(rpc: Rpc, signatures: list[str], history: bool) -> tuple[Json, bool]:
    """Ask for statuses, and whether the whole history was looked through: a node may have none."""
    if history:
        try:
            return await rpc.call("getSignatureStatuses", signatures, {"searchTransactionHistory": True}), True
        except NodeError:
            pass
    return await rpc.call("getSignatureStatuses", signatures), False


async def _first_slot(rpc: Rpc) -> int | None:
    """Return how far back a node's history reaches: a pruned one looks through what it has, and finds nothing."""
    try:
        first = await rpc.call("getFirstAvailableBlock")
    except NodeError:
        return None
    return first if type(first) is int else None


def _number(rpc: Rpc, info: Json, name: str) -> int:
    number = info.get(name) if isinstance(info, dict) else None
    if type(number) is not int:
        raise EndpointError(f"{rpc.endpoint}: answers getEpochInfo without {name}")
    return number


def _status(value: Json) -> Status | None:
    if value is None:
        return None
    commitment = value["confirmationStatus"]
    if commitment not in COMMITMENTS:
        raise ValueError(f"{commitment!r} is no commitment")
    return Status(int(value["slot"]), commitment, value["err"])
