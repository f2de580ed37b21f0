"""An account decoded once for every change of it."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed

T = TypeVar("T")


def data_of(accounts: Mapping[Pubkey, Account | None], key: Pubkey) -> bytes:
    """Return an account's bytes; Malformed where there is no such account."""
    account = accounts[key]
    if account is None:
        raise Malformed(f"there is no account {key} any more")
    return account.data


class Decoded(Generic[T]):
    """Decodes one account, and remembers the last result as long as the account is the same object."""

    def __init__(self, key: Pubkey, decode: Callable[[bytes], T]) -> None:
        self._key, self._decode = key, decode
        self._seen: tuple[Account | None, T] | None = None

    def of(self, accounts: Mapping[Pubkey, Account | None]) -> T:
        """Return what the account says; Malformed where it is gone, or is none of its kind."""
        account = accounts[self._key]
        if self._seen is None or self._seen[0] is not account:
            self._seen = (account, self._decode(data_of(accounts, self._key)))
        return self._seen[1]
