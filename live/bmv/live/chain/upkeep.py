"""What was put into accounts of ours and came back from them, and what that cost: kept for the session that follows.

`bmv chain setup`, `close` and a rotation belong to no session, and have to work without a journal. So each notes
what it did beside the file of the key, and the next session of this owner on this market takes it into its money:
accounts are made for the sake of a session, and closed after one. Whoever is killed between doing and writing leaves no
line, and what came back to a key that was rotated away is in no session.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import time_ns
from typing import NamedTuple

from solders.pubkey import Pubkey

from bmv.adapters.solana.sending.attempt import State
from bmv.adapters.solana.sending.fees import SIGNATURE_LAMPORTS
from bmv.data.journal.costs import Cost, cost_note, rent_note
from bmv.live.chain.hands import Hands, Outcome
from bmv.live.chain.seated import wallet_of
from bmv.ports.errors import DataError
from bmv.ports.storage import Note, Word

TAKEN = "upkeep"  # Topic of a note: up to which line a session has taken them in.


class Line(NamedTuple):
    """One thing that was paid. All lamports.

    Args:
        ts_ns: When it was written down, ns UTC; later in each line than in the one before.
        market: On which.
        account: Of ours; "": it is a fee.
        rent: That went into the account; what came back is negative.
        base, priority: Of a fee.
    """

    ts_ns: int
    market: str
    account: str
    rent: int = 0
    base: int = 0
    priority: int = 0

    def note(self, ts_ns: int) -> Note:
        """Return it as a session keeps it."""
        if self.account:
            return rent_note(ts_ns, self.rent, self.account)
        return cost_note(ts_ns, Cost(self.base, self.priority))


def keep_upkeep(hands: Hands, what: str, rents: Iterable[tuple[Pubkey, int]]) -> None:
    """Write down what was done at a seat; a disk that takes nothing is said, for what was done is done.

    Args:
        hands: Have done it.
        what: They called it.
        rents: Accounts, and the lamports that went into each; negative: that came back.
    """
    seat = hands.seated.seat
    lines = [Line(0, str(seat.market), str(account), rent) for account, rent in rents if rent]
    lines += [_fee(str(seat.market), outcome) for outcome in hands.outcomes if outcome.what == what and _paid(outcome)]
    try:
        _append(path_of(wallet_of(hands.seated.config), seat.owner), lines)
    except OSError as error:
        hands.say(f"what this cost is not written down, and will be in no session's profit: {error}")


def _paid(outcome: Outcome) -> bool:
    return outcome.fate.state in (State.FINALIZED, State.FAILED)


def _fee(market: str, outcome: Outcome) -> Line:
    return Line(0, market, "", base=SIGNATURE_LAMPORTS, priority=outcome.lamports - SIGNATURE_LAMPORTS)


def path_of(wallet: Path, owner: Pubkey) -> Path:
    """Return where the lines of an owner lie, beside the file of a key."""
    return wallet.parent / f"upkeep-{owner}.jsonl"


def _append(path: Path, lines: Sequence[Line]) -> None:
    if not lines:
        return
    first_ns = time_ns()
    text = "".join(json.dumps(line._replace(ts_ns=first_ns + at)._asdict()) + "\n" for at, line in enumerate(lines))
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def read_lines(path: Path) -> list[Line]:
    """Return all lines of an owner; `DataError` where a file holds something else."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        return [Line(**json.loads(line)) for line in text.splitlines()]
    except (ValueError, TypeError):
        raise DataError(f"{path}: is no record of what accounts cost; move it away to go on without") from None


def taken_in(wallet: Path, owner: Pubkey, market: Pubkey, before: Iterable[Word], ts_ns: int) -> list[Note]:
    """Return what a session begins with: what was paid since the one before began, and up to where that is.

    Args:
        wallet: File of the key that trades.
        owner, market: Whose account it is, and where.
        before: Words of the session before.
    """
    until_ns = read_taken(before)
    lines = [
        line for line in read_lines(path_of(wallet, owner)) if line.market == str(market) and line.ts_ns > until_ns
    ]
    newest_ns = max((line.ts_ns for line in lines), default=until_ns)
    return [*(line.note(ts_ns) for line in lines), taken_note(ts_ns, newest_ns)]


def taken_note(ts_ns: int, until_ns: int) -> Note:
    """Return the note of up to which line a session and those before it have taken them in."""
    return Note(ts_ns, TAKEN, str(until_ns))


def read_taken(before: Iterable[Word]) -> int:
    """Return up to which line a session has taken them in; 0: it has taken none."""
    found = [word.text for word in before if isinstance(word, Note) and word.topic == TAKEN]
    return int(found[-1]) if found and found[-1].isdecimal() else 0
