"""Accounts of a snapshot, read one after the other; what is wrong with one is noted, and the others are still read."""

from collections.abc import Callable
from typing import TypeVar

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.inspection.records import Finding
from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.clock import CLOCK, read_unix_timestamp
from bmv.ports.errors import BmvError, DataError, Refused

T = TypeVar("T")


class Reading:
    """What was found in a snapshot so far.

    Args:
        snapshot: Accounts of one moment.
        program: Whose the market's own accounts have to be.
    """

    def __init__(self, snapshot: Snapshot, program: Pubkey) -> None:
        self.snapshot, self.program = snapshot, program
        self.findings: list[Finding] = []

    def note(self, error: type[BmvError], text: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(error, text))

    def refuse(self, wrong: bool, text: str) -> None:
        """Add a finding of safety where something is wrong."""
        if wrong:
            self.note(Refused, text)

    def account(self, what: str, key: Pubkey) -> Account | None:
        """Return an account of the snapshot; where there is none, that is a finding."""
        account = self.snapshot.accounts.get(key)
        if account is None:
            self.note(DataError, f"{what}: there is no account {key}")
        return account

    def decoded(self, what: str, key: Pubkey, decode: Callable[[bytes], T]) -> T | None:
        """Return one of the market's own accounts, decoded; None where it is not the program's, or malformed."""
        account = self.account(what, key)
        if account is None:
            return None
        if account.owner != self.program:
            self.note(DataError, f"{what} {key}: belongs to program {account.owner}, not to {self.program}")
            return None
        try:
            return decode(account.data)
        except Malformed as error:
            self.note(DataError, f"{what} {key}: {error}")
            return None

    def clock(self) -> int | None:
        """Return the chain's time, second of 1970."""
        account = self.account("clock", CLOCK)
        try:
            return None if account is None else read_unix_timestamp(account)
        except ValueError as error:
            self.note(DataError, f"clock {CLOCK}: {error}")
            return None
