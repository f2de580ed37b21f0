"""Which accounts an instruction of OpenBook v2 names, in which order, and who signs or writes: from annotations.

An instruction is a frozen dataclass: its arguments, and its accounts in their order. An account that may be absent is
the program's own id there, read-only.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2.codes import Build

SYSTEM_PROGRAM = Pubkey.from_string("11111111111111111111111111111111")
TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED_TOKEN_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramCall:
    """What all instructions have.

    Args:
        remaining: Accounts of makers, behind those that the kind of instruction names.
    """

    remaining: tuple[Pubkey, ...] = ()


@dataclass(frozen=True, slots=True)
class Meta:
    """How an account is passed.

    Args:
        writable_in: The builds that write to it; others only read it.
        optional: Whether it may be absent.
    """

    signer: bool = False
    writable_in: tuple[Build, ...] = ()
    optional: bool = False


_EVERY = tuple(Build)
Read = Annotated[Pubkey, Meta()]
Write = Annotated[Pubkey, Meta(writable_in=_EVERY)]
Sign = Annotated[Pubkey, Meta(signer=True)]
SignWrite = Annotated[Pubkey, Meta(signer=True, writable_in=_EVERY)]
SignWriteV17 = Annotated[Pubkey, Meta(signer=True, writable_in=(Build.V1_7,))]
MaybeRead = Annotated[Pubkey | None, Meta(optional=True)]
MaybeWrite = Annotated[Pubkey | None, Meta(writable_in=_EVERY, optional=True)]
MaybeSign = Annotated[Pubkey | None, Meta(signer=True, optional=True)]


_ACCOUNTS: dict[type, dict[str, Meta]] = {}  # What annotations say is read once.


def accounts(kind: type) -> dict[str, Meta]:
    """Return how the accounts of a kind of instruction are passed, by name, in order."""
    if kind not in _ACCOUNTS:
        hints = get_type_hints(kind, include_extras=True)
        metas = {field.name: _meta(hints[field.name]) for field in fields(kind)}
        _ACCOUNTS[kind] = {name: meta for name, meta in metas.items() if meta is not None}
    return _ACCOUNTS[kind]


def _meta(hint: Any) -> Meta | None:  # Any: an annotation of any form.
    if get_origin(hint) is not Annotated:
        return None
    return next((mark for mark in get_args(hint)[1:] if isinstance(mark, Meta)), None)


def write_metas(instruction: ProgramCall, program: Pubkey, build: Build) -> list[AccountMeta]:
    """Return the metas of an instruction, those of `remaining` writable."""
    named = [
        _write(getattr(instruction, name), meta, program, build) for name, meta in accounts(type(instruction)).items()
    ]
    return named + [AccountMeta(key, False, True) for key in instruction.remaining]


def _write(key: Pubkey | None, meta: Meta, program: Pubkey, build: Build) -> AccountMeta:
    if key is None:
        return AccountMeta(program, False, False)
    return AccountMeta(key, meta.signer, build in meta.writable_in)


def read_metas(kind: type, metas: Sequence[AccountMeta], program: Pubkey) -> Iterator[Pubkey | None]:
    """Yield the accounts of a kind of instruction; whether they sign and write is the chain's to check."""
    places = accounts(kind)
    if len(metas) < len(places):
        raise Malformed(f"{kind.__name__} names {len(places)} accounts, not {len(metas)}")
    for meta, place in zip(metas, places.values(), strict=False):
        yield None if place.optional and meta.pubkey == program else meta.pubkey


def remaining(kind: type, metas: Sequence[AccountMeta]) -> Iterable[Pubkey]:
    """Return the accounts after those that the kind of instruction names."""
    return tuple(meta.pubkey for meta in metas[len(accounts(kind)) :])
