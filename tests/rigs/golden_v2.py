"""The golden tapes of OpenBook v2: what two genuine builds of the program did with the same 70 steps."""

import gzip
import json
import zlib
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2 import bookside, funds, heap, market, open_orders
from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.instructions import Known, parse
from bmv.adapters.openbook.v2.metas import ASSOCIATED_TOKEN_PROGRAM, SYSTEM_PROGRAM, TOKEN_PROGRAM, accounts
from bmv.adapters.sandbox.double import AccountState
from bmv.adapters.sandbox.transfers import empty_account

FOLDER = Path(__file__).parents[1] / "vectors/openbook"
FILES = {Build.V1_7: "v2_openbook_v1.7-like.json.gz", Build.MASTER_2024_04: "v2_openbook_master-2024-04.json.gz"}
RICH = 10**15
DECODERS: dict[str, Any] = {
    "market": market.Market,
    "bids": bookside.BookSide,
    "asks": bookside.BookSide,
    "event_heap": heap.EventHeap,
    "open_orders_maker": open_orders.OpenOrdersAccount,
    "open_orders_taker": open_orders.OpenOrdersAccount,
    "indexer_maker": open_orders.OpenOrdersIndexer,
}


@dataclass(frozen=True)
class Step:
    """One transaction of a tape.

    Args:
        error: The error's repr; empty: none.
        accounts_after: Bytes of the tracked accounts that are no longer as they were at the step before, by name.
    """

    number: int
    name: str
    error: str
    unix_timestamp: int
    instruction: Instruction
    program_data: list[str]
    return_data: bytes
    accounts_after: dict[str, bytes]


@dataclass(frozen=True)
class GoldenTape:
    """A tape: its steps, and the addresses of the accounts that it tracks."""

    build: Build
    tracked: dict[str, Pubkey]
    steps: list[Step]


@cache
def read_tape(build: Build) -> GoldenTape:
    """Read the tape of a build."""
    stored = json.loads(gzip.decompress((FOLDER / FILES[build]).read_bytes()))
    tracked = {name: Pubkey.from_string(key) for name, key in stored["tracked"].items()}
    return GoldenTape(build, tracked, [_step(number, step) for number, step in enumerate(stored["steps"])])


def _step(number: int, step: dict[str, Any]) -> Step:
    after = {name: zlib.decompress(b64decode(packed)) for name, packed in step["accounts_after"].items()}
    return Step(
        number,
        step["step"],
        step["err"],
        step["unix_timestamp"],
        _instruction(*step["instructions"]),
        step["program_data"],
        bytes.fromhex(step["return_data"]),
        after,
    )


def _instruction(stored: dict[str, Any]) -> Instruction:
    metas = [AccountMeta(Pubkey.from_string(key), bool(s), bool(w)) for key, s, w in stored["accounts"]]
    return Instruction(Pubkey.from_string(stored["program"]), bytes.fromhex(stored["data"]), metas)


def accounts_before(tape: GoldenTape) -> dict[Pubkey, AccountState]:
    """Return the accounts that the tape takes for granted: mints, rich wallets, room for books, payers, programs."""
    states: dict[Pubkey, AccountState] = {}
    for program in (SYSTEM_PROGRAM, TOKEN_PROGRAM, ASSOCIATED_TOKEN_PROGRAM, market.PROGRAM_ID):
        states[program] = AccountState(1, bytearray(), SYSTEM_PROGRAM, executable=True)
    known = [parse(step.instruction) for step in tape.steps]
    for made in [value for value in known if isinstance(value, funds.CreateMarket)]:
        states |= {made.base_mint: _mint(9), made.quote_mint: _mint(6)}
        for key, size in ((made.bids, 90_952), (made.asks, 90_952), (made.event_heap, 91_288)):
            states[key] = AccountState(RICH, bytearray(size), market.PROGRAM_ID)
    for value in known:
        states |= _wallets(value, known[0])
        for name, meta in accounts(type(value)).items():
            key = getattr(value, name)
            if key is not None:
                empty = AccountState(RICH if meta.signer and name != "market" else 0, bytearray(), SYSTEM_PROGRAM)
                states.setdefault(key, empty)
            if name == "mint":
                states[key] = _mint(9)
    return states


def _mint(decimals: int) -> AccountState:
    data = bytearray(36) + RICH.to_bytes(8, "little") + bytes([decimals, 1]) + bytes(36)
    return AccountState(RICH, data, TOKEN_PROGRAM)


def _wallets(value: Known, created: Any) -> dict[Pubkey, AccountState]:
    owner = getattr(value, "signer", None) or getattr(value, "owner", None)
    mints = {
        "user_base_account": created.base_mint,
        "user_quote_account": created.quote_mint,
        "referrer_account": created.quote_mint,
    }
    args = getattr(value, "args", None) or getattr(value, "place_order", None)
    if args is not None:
        mints["user_token_account"] = created.quote_mint if args.side is Side.BID else created.base_mint
    found = {getattr(value, name): mint for name, mint in mints.items() if getattr(value, name, None) is not None}
    return {key: empty_account(mint, owner, RICH, RICH) for key, mint in found.items()}
