"""Mutated messages to the signer: none is signed that must not be, and none is refused that may be.

    python -m tests.rigs.policy 100000 [SEED]

So many messages of each version, of both markets in turn. Each is an honest one with one to three faults: bytes that
flip, accounts and instructions exchanged, amounts, programs, rights, instructions too many, lookup tables, bytes behind
the end. What may be signed is told a second time by `policy_oracle`, which shares no code with the policy.
"""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from solders.pubkey import Pubkey
from tests.rigs.policy_oracle import ASSOCIATED, BUDGET, RENT, SYSTEM, TOKEN, Oracle, Raw, discriminator, read, write
from tests.rigs.policy_scene import VERSIONS, Scene, honest, make_scene

from bmv.adapters.openbook.policy.verdict import Approved

VENUES = ("openbook-v1", "openbook-v2")
THIEF = bytes([66]) * 32
MEMO = bytes(Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"))
BIG = (0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)


@dataclass
class Tally:
    """What came of the messages."""

    signed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)  # Signed against the oracle, or refused against it.


class Mutator:
    """Puts faults into honest messages of a scene."""

    def __init__(self, scene: Scene, dice: Random) -> None:
        self.dice = dice
        ours = scene.ours
        self.keys = [THIEF, SYSTEM, TOKEN, ASSOCIATED, BUDGET, RENT, MEMO, *map(bytes, scene.others)]
        self.keys += map(bytes, (ours.owner, ours.open_orders, ours.base, ours.quote, scene.world.market.address))
        self.changes = (
            self.change_key,
            self.swap_keys,
            self.change_header,
            self.change_byte,
            self.change_amount,
            self.change_program,
            self.change_account,
            self.add_account,
            self.drop_account,
            self.repeat_call,
            self.drop_call,
            self.insert_theft,
            self.change_config,
            self.add_table,
            self.promote,
        )

    def mutate(self, message: bytes) -> bytes:
        """Return a message with one to three faults."""
        dice = self.dice
        if dice.random() < 0.2:
            return self._bytes(message)
        raw = read(message)
        for _ in range(dice.choice((1, 1, 2, 3))):
            dice.choice(self.changes)(raw)
        try:
            data = write(raw)
        except (ValueError, OverflowError):  # An index or a count beyond a byte.
            return self._bytes(message)
        return data + dice.randbytes(dice.choice((1, 4, 64))) if dice.random() < 0.03 else data

    def _bytes(self, message: bytes) -> bytes:
        data = bytearray(message)
        for _ in range(self.dice.choice((1, 1, 1, 2, 8))):
            data[self.dice.randrange(len(data))] ^= 1 << self.dice.randrange(8)
        if self.dice.random() < 0.1:
            del data[self.dice.randrange(len(data)) :]
        return bytes(data)

    def index_of(self, raw: Raw, key: bytes) -> int:
        """Return where a key stands; it is put at the end if it stands nowhere, read-only."""
        if key not in raw.keys:
            raw.keys.append(key)
            raw.header[2] = min(raw.header[2] + 1, 255)
        return raw.keys.index(key)

    def call(self, raw: Raw) -> int:
        return self.dice.randrange(len(raw.calls)) if raw.calls else -1

    def change_key(self, raw: Raw) -> None:
        raw.keys[self.dice.randrange(len(raw.keys))] = self.dice.choice([*self.keys, self.dice.randbytes(32)])

    def swap_keys(self, raw: Raw) -> None:
        one, other = self.dice.randrange(len(raw.keys)), self.dice.randrange(len(raw.keys))
        raw.keys[one], raw.keys[other] = raw.keys[other], raw.keys[one]

    def change_header(self, raw: Raw) -> None:
        at = self.dice.randrange(3)
        raw.header[at] = (raw.header[at] + self.dice.choice((-1, 1, 1, 2))) % 128

    def change_byte(self, raw: Raw) -> None:
        self._edit(raw, 1)

    def change_amount(self, raw: Raw) -> None:
        self._edit(raw, 8)

    def _edit(self, raw: Raw, size: int) -> None:
        at = self.call(raw)
        if at < 0 or len(raw.calls[at][2]) < size:
            return
        program, accounts, data = raw.calls[at]
        start = self.dice.randrange(len(data) - size + 1)
        number = int.from_bytes(data[start : start + size], "little")
        number = self.dice.choice((number + 1, number - 1, number * 2, number // 2, *BIG)) % 256**size
        raw.calls[at] = (program, accounts, data[:start] + number.to_bytes(size, "little") + data[start + size :])

    def change_program(self, raw: Raw) -> None:
        at = self.call(raw)
        if at >= 0:
            _, accounts, data = raw.calls[at]
            raw.calls[at] = (self.index_of(raw, self.dice.choice(self.keys)), accounts, data)

    def change_account(self, raw: Raw) -> None:
        at = self.call(raw)
        if at >= 0 and raw.calls[at][1]:
            place = self.dice.randrange(len(raw.calls[at][1]))
            raw.calls[at][1][place] = self.dice.choice((self.dice.randrange(len(raw.keys)), self._any(raw)))

    def _any(self, raw: Raw) -> int:
        return self.index_of(raw, self.dice.choice(self.keys))

    def add_account(self, raw: Raw) -> None:
        at = self.call(raw)
        if at >= 0:
            accounts = raw.calls[at][1]
            accounts.insert(self.dice.randrange(len(accounts) + 1), self._any(raw))

    def drop_account(self, raw: Raw) -> None:
        at = self.call(raw)
        if at >= 0 and raw.calls[at][1]:
            del raw.calls[at][1][self.dice.randrange(len(raw.calls[at][1]))]

    def repeat_call(self, raw: Raw) -> None:
        at = self.call(raw)
        if at >= 0:
            program, accounts, data = raw.calls[at]
            raw.calls.insert(self.dice.randrange(len(raw.calls) + 1), (program, list(accounts), data))

    def drop_call(self, raw: Raw) -> None:
        at = self.call(raw)
        if at >= 0:
            del raw.calls[at]

    def change_config(self, raw: Raw) -> None:
        if raw.version == "v1":
            bit = self.dice.choice((0, 2, 3, 4))
            raw.config[bit] = self.dice.choice((0, 1, 5_000, 32_768, 10_000, 10_001, 1_400_000, 1_400_001, 2**32 - 1))
            if self.dice.random() < 0.3:
                del raw.config[bit]

    def add_table(self, raw: Raw) -> None:
        if raw.version == "v0":
            raw.tables.append((THIEF, [0], [1]))

    def promote(self, raw: Raw) -> None:
        """Let an account be written to that is only read, with nothing else changed."""
        if raw.header[2] > 0:
            raw.header[2] -= 1

    def insert_theft(self, raw: Raw) -> None:
        """Put an instruction in that takes something away, with all the rights it needs."""
        owner, amount = raw.keys[0], self.dice.choice((1, 10**6, 10**9)).to_bytes(8, "little")
        base, quote = self.keys[-3], self.keys[-2]
        thefts = (
            (SYSTEM, [owner, THIEF], b"\2\0\0\0" + amount),
            (SYSTEM, [owner, THIEF], b"\0\0\0\0" + amount + amount + TOKEN),
            (SYSTEM, [owner], b"\1\0\0\0" + THIEF),
            (SYSTEM, [THIEF, owner], b"\4\0\0\0"),
            (TOKEN, [quote, THIEF, owner], b"\3" + amount),
            (TOKEN, [base, THIEF, owner], b"\4" + amount),
            (TOKEN, [quote, owner], b"\6\2\1" + THIEF),
            (TOKEN, [quote, THIEF, owner], b"\x09"),
            (ASSOCIATED, [owner, THIEF, THIEF, THIEF, SYSTEM, TOKEN], b"\1"),
            (MEMO, [owner], b"hello"),
            (self._venue(raw), [owner, self.keys[-4], THIEF], discriminator("set_delegate")),
            (self._venue(raw), [owner, self.keys[-4]], discriminator("deposit") + amount + amount),
            (THIEF, [owner], b""),
        )
        program, keys, data = self.dice.choice(thefts)
        indices = [self.index_of(raw, key) for key in keys]
        raw.calls.insert(self.dice.randrange(len(raw.calls) + 1), (self.index_of(raw, program), indices, data))

    def _venue(self, raw: Raw) -> bytes:
        return raw.keys[raw.calls[-1][0]] if raw.calls else SYSTEM


async def try_all(venue: str, version: str, count: int, seed: int) -> Tally:
    """Judge so many mutated messages of a version, and sign what is approved."""
    scene = make_scene(venue)
    moment, oracle, tally = scene.moment, Oracle(scene), Tally()
    facts = (bytes(moment.blockhash), moment.now_s, moment.price_min or 0, moment.price_max or 0)
    messages = [scene.compiled(instructions, version, moment.blockhash) for instructions in honest(scene).values()]
    assert all(oracle.allows(message, *facts) for message in messages), "the oracle forbids an honest message"
    dice = Random(f"policy {venue} {version} {seed}")
    mutator = Mutator(scene, dice)
    for number in range(count):
        message = mutator.mutate(dice.choice(messages))
        verdict, allowed = scene.guard.judge(message, moment), oracle.allows(message, *facts)
        if isinstance(verdict, Approved):
            await scene.guard.sign(verdict)
            tally.signed += 1
        else:
            tally.refused[verdict.code] += 1
        if isinstance(verdict, Approved) != allowed:
            tally.wrong.append(f"{venue} {version} seed {seed} number {number}: {verdict}, {message.hex()}")
    return tally


def main(count: int, seed: int) -> int:
    """Run it and say what came of it; return the number of messages on which policy and oracle differ."""
    wrong = 0
    for version in VERSIONS:
        for venue in VENUES:
            tally = asyncio.run(try_all(venue, version, count // len(VENUES), seed))
            wrong += len(tally.wrong)
            reasons = ", ".join(f"{code} {n}" for code, n in tally.refused.most_common())
            print(f"{version} {venue}: {count // len(VENUES)} messages, {tally.signed} signed; refused for {reasons}")
            for line in tally.wrong[:5]:
                print(f"  WRONG {line}")
    print(f"seed {seed}: {wrong} signed that must not be, or refused that may be")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1), 1))
