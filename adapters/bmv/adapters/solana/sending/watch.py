"""Asks a node what became of attempts, in the order that makes its answer a verdict."""

from collections.abc import Sequence

from bmv.adapters.solana.errors import EndpointError, Json, NodeError
from bmv.adapters.solana.rpc import FINALIZED, Rpc
from bmv.adapters.solana.sending.track import Look, Status, Track

STATUSES_MAX = 256  # In one call.
COMMITMENTS = ("processed", "confirmed", "finalized")


async def look_at(rpc: Rpc, tracks: Sequence[Track]) -> tuple[Look, list[Status | None]]:
    """Return what a node knows of attempts, up to 256; `EndpointError` where it can't be asked."""
    assert len(tracks) <= STATUSES_MAX, f"{len(tracks)} attempts in one call"
    info = await rpc.call("getEpochInfo", {"commitment": FINALIZED})
    height, slot = _number(rpc, info, "blockHeight"), _number(rpc, info, "absoluteSlot")
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
    return look, statuses


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
