"""Doubles against the genuine programs: random sequences of instructions, played on both and compared.

    python -m tests.rigs.against_genuine --version v1 --sequences 2000 --seed 1

The genuine program is a file that `BMV_OPENBOOK_V1_SO` (or `…_V2_SO`) names; it runs on LiteSVM. After each
instruction the error, the log's lines (compute units apart) and every byte of every account must be the same.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any, Protocol

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rent import Rent
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from bmv.adapters.sandbox.double import AccountState, Double, Surroundings

LAMPORTS_PER_BYTE = 6_960
SYSTEM = Pubkey.default()
PAYER = Keypair.from_seed(bytes(31) + b"\7")


@dataclass
class World:
    """Every account there is, as both sides begin."""

    accounts: dict[Pubkey, AccountState]
    unix_timestamp: int = 1_700_000_000


@dataclass(frozen=True)
class Call:
    """One instruction, and the second of the chain's clock at which it arrives."""

    name: str
    instruction: Instruction
    unix_timestamp: int


class Sequence(Protocol):
    """A random sequence: it looks at what is there, and asks for something next."""

    world: World

    def calls(self) -> int: ...
    def next(self) -> Call: ...


class Version(Protocol):
    """One version of the program: a module `genuine_v1`, `genuine_v2` of this folder has these names."""

    VARIABLE: str
    DOUBLE: Callable[[], Double]
    SEQUENCE: Callable[[Random], Sequence]


class Differ(AssertionError):
    """The double did not do what the program did."""


@dataclass
class Genuine:
    """LiteSVM with the genuine program."""

    program_id: Pubkey
    file: Path
    svm: LiteSVM = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        svm = LiteSVM().with_sigverify(False).with_blockhash_check(False).with_transaction_history(0)
        self.svm = svm.with_log_bytes_limit(None)
        self.svm.add_program(self.program_id, self.file.read_bytes())
        self.svm.set_rent(Rent(LAMPORTS_PER_BYTE // 2, 2.0, 50))
        self.put(PAYER.pubkey(), AccountState(10**15, bytearray(), SYSTEM))

    def put(self, key: Pubkey, state: AccountState) -> None:
        self.svm.set_account(key, Account(state.lamports, bytes(state.data), state.owner, state.executable))

    def get(self, key: Pubkey) -> AccountState:
        account = self.svm.get_account(key)
        if account is None or not account.lamports:
            return AccountState(0, bytearray(), SYSTEM)
        return AccountState(account.lamports, bytearray(account.data), account.owner, account.executable)

    def run(self, instruction: Instruction, unix_timestamp: int) -> tuple[Any, list[str]]:
        """Return the instruction's error, and what the program said."""
        clock = self.svm.get_clock()
        clock.unix_timestamp = unix_timestamp
        self.svm.set_clock(clock)
        self.number += 1
        limit = set_compute_unit_limit(1_400_000 - self.number % 100_000)  # So that no two are the same.
        message = MessageV0.try_compile(PAYER.pubkey(), [limit, instruction], [], self.svm.latest_blockhash())
        signatures = [Signature.default()] * message.header.num_required_signatures
        result = self.svm.send_transaction(VersionedTransaction.populate(message, signatures))
        if isinstance(result, TransactionMetadata):
            return None, own_lines(result.logs())
        error = result.err()
        return getattr(error, "err", error), own_lines(result.meta().logs())


def own_lines(logs: list[str]) -> list[str]:
    """The lines between the program's `invoke [1]` and its end, compute units left out."""
    lines = [line for line in logs if " consumed " not in line and "Program ComputeBudget1" not in line]
    return lines[1:-1]


def play(double: Double, genuine: Genuine, sequence: Sequence, kinds: Counter[str]) -> None:
    """Play one sequence on both; raise Differ at the first difference."""
    states = sequence.world.accounts
    for key, state in states.items():
        genuine.put(key, state)
    history: list[str] = []
    for _ in range(sequence.calls()):
        call = sequence.next()
        history.append(call.name)
        for meta in call.instruction.accounts:
            states.setdefault(meta.pubkey, genuine.get(meta.pubkey))
        surroundings = Surroundings(call.unix_timestamp, genuine.svm.get_clock().slot, LAMPORTS_PER_BYTE)
        outcome = double.execute(call.instruction, states, surroundings)
        error, lines = genuine.run(call.instruction, call.unix_timestamp)
        kinds[f"{call.name}: {'ok' if error is None else error}"] += 1
        kinds.update(line for line in lines if line.endswith("full! booting..."))
        context = f"after {history[-12:]}\n{call.instruction}"
        if error != outcome.error:
            raise Differ(f"error {outcome.error!r}, not {error!r}; {outcome.logs[-2:]} {lines[-3:]} {context}")
        for key, state in outcome.accounts.items():
            states[key] = state if state.lamports else AccountState(0, bytearray(), SYSTEM)
        for key in {meta.pubkey for meta in call.instruction.accounts}:
            _compare(key, states[key], genuine.get(key), context)
        if list(outcome.logs) != lines:
            one, other = next((a, b) for a, b in zip_longest(outcome.logs, lines) if a != b)
            raise Differ(f"log {one!r}\nnot {other!r} {context}")


def _compare(key: Pubkey, ours: AccountState, theirs: AccountState, context: str) -> None:
    if ours.lamports != theirs.lamports:
        raise Differ(f"{key}: {ours.lamports} lamports, not {theirs.lamports} {context}")
    if ours.data != theirs.data:
        pairs = enumerate(zip(ours.data, theirs.data, strict=False))
        places = [place for place, (one, other) in pairs if one != other]
        raise Differ(f"{key}: {len(ours.data)} bytes differ from {len(theirs.data)} at {places[:20]} {context}")


def load(version: str) -> Version:
    return import_module(f"tests.rigs.genuine_{version}")  # type: ignore[return-value]  # A module with these names.


def genuine_file(version: Version) -> Path | None:
    """The genuine program, where its variable names one."""
    name = os.environ.get(version.VARIABLE)
    return Path(name) if name else None


def compare(version: Version, file: Path, sequences: int, seed: int, only: int | None = None) -> Counter[str]:
    """Play `sequences` of them, numbered from `seed`; return how often each call ended how."""
    double = version.DOUBLE()
    genuine = Genuine(double.program_id, file)
    kinds: Counter[str] = Counter()
    for number in [only] if only is not None else range(seed, seed + sequences):
        try:
            play(double, genuine, version.SEQUENCE(Random(number)), kinds)
        except Exception:
            print(f"sequence {number}", file=sys.stderr)
            raise
    return kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--version", choices=["v1", "v2"], required=True)
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    version = load(options.version)
    file = genuine_file(version)
    if file is None:
        print(f"{version.VARIABLE} names no genuine program: nothing compared")
        return
    start = time.perf_counter()
    kinds = compare(version, file, options.sequences, options.seed)
    for kind, times in sorted(kinds.items()):
        print(f"{times:8} {kind}")
    print(
        f"{options.sequences} sequences, {sum(kinds.values())} instructions: no difference, {time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
