"""The golden tape of OpenBook v1: what the genuine program did with 40 instructions, and what that needs to be played."""

import gzip
import json
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zlib import decompress

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.token import ID as TOKEN_PROGRAM

from bmv.adapters.openbook.v1.accounts import Market
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID, AnyInstruction, NewOrderV3, SettleFunds, parse
from bmv.adapters.sandbox.double import AccountState
from bmv.adapters.sandbox.transfers import empty_account

TAPE = Path(__file__).parents[1] / "vectors" / "openbook" / "v1_openbook.json.gz"
RICH = 10**15


@dataclass(frozen=True)
class Step:
    """One transaction: its only instruction of the program, and what was there after it.

    Args:
        error: Number of the custom error; None: it succeeded.
        after: Bytes of the accounts that it changed, by name.
    """

    name: str
    instruction: Instruction
    unix_timestamp: int
    error: int | None
    program_data: list[str]
    after: dict[str, bytes]


@dataclass(frozen=True)
class Tape:
    keys: dict[str, Pubkey]
    steps: list[Step]

    def parsed(self) -> list[AnyInstruction]:
        return [parse(step.instruction) for step in self.steps]


@cache
def read() -> Tape:
    raw = json.loads(gzip.decompress(TAPE.read_bytes()))
    keys = {name: Pubkey.from_string(key) for name, key in raw["tracked"].items()}
    return Tape(keys, [_step(step) for step in raw["steps"]])


def _step(raw: dict) -> Step:
    (one,) = raw["instructions"]
    metas = [
        AccountMeta(Pubkey.from_string(key), bool(signer), bool(writable)) for key, signer, writable in one["accounts"]
    ]
    error = None if raw["ok"] else int(raw["err"].split("Custom(")[1].split(")")[0])
    return Step(
        raw["step"],
        Instruction(Pubkey.from_string(one["program"]), bytes.fromhex(one["data"]), metas),
        raw["unix_timestamp"],
        error,
        raw["program_data"],
        {name: decompress(b64decode(data)) for name, data in raw["accounts_after"].items()},
    )


def accounts_before(tape: Tape) -> dict[Pubkey, AccountState]:
    """Every account the tape names, as it was before: those of the program zeroed, wallets rich, vaults empty."""
    first = tape.steps[1].after
    market = Market.decode(first["market"])
    states = {key: AccountState(10**10, bytearray(len(first[name])), PROGRAM_ID) for name, key in tape.keys.items()}
    signer = market.vault_signer(PROGRAM_ID)
    for mint, vault in ((market.coin_mint, market.coin_vault), (market.pc_mint, market.pc_vault)):
        states[vault] = empty_account(mint, signer, 0, 10**7)
        states[mint] = AccountState(10**7, bytearray(45) + b"\1" + bytes(36), TOKEN_PROGRAM)
    for value in tape.parsed():
        if isinstance(value, NewOrderV3):
            mint = market.coin_mint if value.order.side else market.pc_mint
            states.setdefault(value.keys.payer, empty_account(mint, value.keys.owner, RICH, 10**7))
        if isinstance(value, SettleFunds):
            for mint, wallet in ((market.coin_mint, value.keys.coin_wallet), (market.pc_mint, value.keys.pc_wallet)):
                states.setdefault(wallet, empty_account(mint, value.keys.owner, RICH, 10**7))
    for step in tape.steps:
        for meta in step.instruction.accounts:
            states.setdefault(meta.pubkey, AccountState(0, bytearray(), Pubkey.default()))
    return states
