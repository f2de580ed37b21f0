"""What is said to a block engine, and what it means by its answers; no I/O.

No answer ends anything: what was taken may never land, what was refused may have been taken before, and a status is a
hint. Whether something landed is told by our own node alone. Forms and bodies: solana.md, section 3.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from bmv.data.landing.accounts import JITO_TIP_ACCOUNTS

Json: TypeAlias = Any  # Any: whatever JSON can hold.
BUNDLE_MAX: Final = 5
STATUSES_MAX: Final = 5  # In one call.
BYTES_MAX: Final = 1_232  # The engine cuts what is longer, whatever its version (jito-solana 1452).
ENCODED: Final = {"encoding": "base64"}  # The default is base58, which is slow and going.
TOO_MANY: Final = frozenset({-32097, -32429, 429})
WORDS_MAX: Final = 300
WAIT_S_MAX: Final = 60.0
_WAIT = re.compile(r"retry after\s+(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Args:
        path: Behind the engine's URL, with its query.
        method: Of JSON-RPC.
        params: Of that method.
    """

    path: str
    method: str
    params: Sequence[Json]

    def body(self, number: int) -> bytes:
        """Return the call as it is sent."""
        row = {"jsonrpc": "2.0", "id": number, "method": self.method, "params": list(self.params)}
        return json.dumps(row).encode()


def send_transaction(transaction: bytes, bundle_only: bool = True) -> Call:
    """Return the call that sends one transaction.

    Args:
        transaction: Its bytes.
        bundle_only: It lands as a bundle of one or not at all: if it would fail, it costs nothing. Else it also goes
            the normal way.
    """
    path = "/api/v1/transactions" + ("?bundleOnly=true" if bundle_only else "")
    return Call(path, "sendTransaction", [_text(transaction), ENCODED])


def send_bundle(transactions: Sequence[bytes]) -> Call:
    """Return the call that sends up to five transactions, which land in order and together, or not at all."""
    assert 1 <= len(transactions) <= BUNDLE_MAX, f"{len(transactions)} transactions in a bundle"
    return Call("/api/v1/bundles", "sendBundle", [[_text(each) for each in transactions], ENCODED])


def bundle_statuses(numbers: Sequence[str]) -> Call:
    """Return the call that asks for bundles that landed."""
    assert 1 <= len(numbers) <= STATUSES_MAX, f"{len(numbers)} bundles in one call"
    return Call("/api/v1/getBundleStatuses", "getBundleStatuses", [list(numbers)])


def inflight_statuses(numbers: Sequence[str]) -> Call:
    """Return the call that asks for bundles of the last five minutes."""
    assert 1 <= len(numbers) <= STATUSES_MAX, f"{len(numbers)} bundles in one call"
    return Call("/api/v1/getInflightBundleStatuses", "getInflightBundleStatuses", [list(numbers)])


def tip_accounts() -> Call:
    """Return the call that asks whom tips are paid to."""
    return Call("/api/v1/getTipAccounts", "getTipAccounts", [])


def _text(transaction: bytes) -> str:
    assert len(transaction) <= BYTES_MAX, f"{len(transaction)} bytes, of which the engine would cut what is over"
    return b64encode(transaction).decode()


class Said(StrEnum):
    """What an engine said."""

    TAKEN = "taken"  # It may land, or not.
    BUSY = "busy"  # Too many requests: the call was not done.
    KNOWN = "known"  # It, or a part of it, has landed: go and look.
    REFUSED = "refused"  # It was not taken.
    UNKNOWN = "unknown"  # Nobody knows whether it was taken.


class Answer(NamedTuple):
    """An answer, understood.

    Args:
        said: What it means.
        result: What came with it, if it is a result.
        bundle: The bundle's number, where one was told.
        words: The engine's own, if it refused.
        wait_s: For how long it wants to be left alone; None: it does not say.
    """

    said: Said
    result: Json = None
    bundle: str = ""
    words: str = ""
    wait_s: float | None = None


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Return what an answer means: by its status, then its code, then its words; what is not known is `UNKNOWN`.

    Args:
        status: Of HTTP.
        headers: By name in small letters.
        body: As it came.
    """
    try:
        row = json.loads(body)
    except (ValueError, RecursionError):
        row = None
    error = row.get("error") if isinstance(row, dict) else None
    code, words = _error(error)
    if status == 429 or code in TOO_MANY:
        return Answer(Said.BUSY, words=words, wait_s=_wait_s(headers.get("retry-after"), words))
    if error is not None:
        return Answer(_meaning(status, code, words), words=words)
    if status == 200 and isinstance(row, dict) and "result" in row:
        result = row["result"]
        bundle = headers.get("x-bundle-id") or (result if isinstance(result, str) and len(result) == 64 else "")
        return Answer(Said.TAKEN, result=result, bundle=bundle)
    return Answer(Said.UNKNOWN, words=f"HTTP {status}")


def _error(error: Json) -> tuple[int | None, str]:
    if isinstance(error, str):
        return None, error[:WORDS_MAX]
    if not isinstance(error, dict):
        return None, ""
    code = error.get("code")
    return code if type(code) is int else None, str(error.get("message", ""))[:WORDS_MAX]


def _meaning(status: int, code: int | None, words: str) -> Said:
    if "already processed" in words.lower():
        return Said.KNOWN
    # An error of the engine's own making says nothing of what was done before it.
    certain = status in (200, 400) and code is not None and (code == -32600 or code == -32601 or code == -32602)
    return Said.REFUSED if certain else Said.UNKNOWN


def _wait_s(header: str | None, words: str) -> float | None:
    """Return the wait that is asked for: by header, or, as this engine does, in words alone."""
    found = _WAIT.search(words)
    try:
        if header is not None:
            wait_s = float(header)
        elif found is not None:
            wait_s = float(found[1]) / (1_000 if found[2].lower() == "ms" else 1)
        else:
            return None
    except ValueError:
        return None
    return min(wait_s, WAIT_S_MAX) if wait_s >= 0 else None


class Hint(StrEnum):
    """What an engine says became of a bundle; nothing follows from any of them."""

    NOTHING = "nothing"  # Null, an empty list, Invalid: not known there, or not in the last five minutes.
    PENDING = "pending"
    FAILED = "failed"
    LANDED = "landed"


_HINTS: Final = {"Pending": Hint.PENDING, "Failed": Hint.FAILED, "Landed": Hint.LANDED}


def read_hints(result: Json, numbers: Sequence[str]) -> dict[str, Hint]:
    """Return the hint of each bundle that was asked about, whichever of the two calls it was."""
    value = result.get("value") if isinstance(result, dict) else None
    hints = dict.fromkeys(numbers, Hint.NOTHING)
    for row in value if isinstance(value, list) else ():
        number = row.get("bundle_id") if isinstance(row, dict) else None
        if number not in hints:
            continue
        if "status" in row:
            hints[number] = _HINTS.get(str(row["status"]), Hint.NOTHING)
        elif row.get("confirmation_status") or row.get("confirmationStatus"):
            hints[number] = Hint.LANDED
    return hints


class Changed(NamedTuple):
    """How the accounts that an engine names differ from those that were documented."""

    new: tuple[str, ...]
    gone: tuple[str, ...]

    def __str__(self) -> str:
        return f"Jito's tip accounts are not those that are known: new {', '.join(self.new) or 'none'}; " + (
            f"gone {', '.join(self.gone) or 'none'}"
        )


def read_tip_accounts(
    result: Json, pinned: Sequence[str] = JITO_TIP_ACCOUNTS
) -> tuple[tuple[str, ...], Changed | None]:
    """Return those accounts to pay to that are pinned and still named, and the difference, if there is one.

    What an endpoint names is never paid to because it names it: it may be anybody's.
    """
    named = [each for each in result if isinstance(each, str)] if isinstance(result, list) else []
    both = tuple(each for each in pinned if each in named)
    changed = Changed(tuple(each for each in named if each not in pinned), tuple(set(pinned) - set(named)))
    return both, changed if changed.new or changed.gone else None
