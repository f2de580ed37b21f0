"""Random forks against a plain model of the chain: no finalized read ever changes, and every read is the right one.

    python -m tests.rigs.forks 10000 [SEED]

The model keeps a whole copy of the accounts for each block; the chain keeps what they were before. Every step writes,
lands, freezes, skips, forks, goes dark or comes back, and then reads at all commitments, from nodes late by some
blocks too, and winds the chain back to each block that it read.
"""

import sys
from random import Random

from solders.account import Account
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.finality import ALPENGLOW, TOWER, Consensus
from bmv.adapters.sandbox.ledger import LAG_BLOCKS
from bmv.adapters.sandbox.runtime import make_runtime

KEYS = [Pubkey(bytes([number]) * 32) for number in range(1, 9)]
STEPS_DARK_MAX = 60
LAMPORTS = 10**9


class Model:
    """Blocks, each with a whole copy of the accounts at its end."""

    def __init__(self, slot: int) -> None:
        self.blocks: list[tuple[int, dict[Pubkey, int]]] = [(slot, {})]

    @property
    def state(self) -> dict[Pubkey, int]:
        return self.blocks[-1][1]

    def open(self, slot: int) -> None:
        self.blocks.append((slot, dict(self.state)))

    def undo(self, blocks: int) -> None:
        del self.blocks[-blocks:]

    def at(self, index: int) -> tuple[int, dict[Pubkey, int]]:
        return self.blocks[max(index, 0)]


class Play:
    """A chain and its model, moved alike."""

    def __init__(self, consensus: Consensus, seed: int) -> None:
        self.chain = Chain(make_runtime(), consensus)
        self.model = Model(self.chain.slot)
        self.dice = Random(seed)
        self.forks = self.restarts = self.reads = 0
        self.final: dict[int, dict[Pubkey, int]] = {}  # Slot -> what was read there as finalized.
        self.final_slot = 0
        self.final_index = 0  # Of the model's block that is final.
        self.dark_for = 0

    def step(self) -> None:
        """Do one thing at random, then read everything."""
        for _ in range(self.dice.randrange(3)):
            self.write()
        self.move()
        self.read()

    def write(self) -> None:
        """Change an account, by a transaction or without."""
        key, amount = self.dice.choice(KEYS), LAMPORTS + self.dice.randrange(10**6)
        if self.dice.random() < 0.3 and not self.chain.dark:
            assert self.chain.land(self.transfer(key, amount)) is None
            self.model.state[key] = self.model.state.get(key, 0) + amount
        elif self.dice.random() < 0.1:
            self.chain.put(key, None)
            self.model.state.pop(key, None)
        else:
            self.chain.put(key, Account(amount, b"", Pubkey.default()))
            self.model.state[key] = amount

    def transfer(self, key: Pubkey, amount: int) -> VersionedTransaction:
        """Return a transaction that pays `key`; no two are alike."""
        faucet: Keypair = self.chain.faucet
        salt = transfer(
            TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=faucet.pubkey(), lamports=self.dice.randrange(10**9))
        )
        paid = transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=key, lamports=amount))
        return VersionedTransaction(
            MessageV0.try_compile(faucet.pubkey(), [paid, salt], [], self.chain.ledger.open.newest_hash), [faucet]
        )

    def move(self) -> None:
        """Go on, fork, or go dark and come back."""
        if self.chain.dark:
            self.dark_for += 1
            if self.dark_for > STEPS_DARK_MAX or self.dice.random() < 0.05:
                self.come_back()
                return
        elif self.dice.random() < 0.02:
            self.chain.go_dark()
            self.dark_for = 0
        if self.dice.random() < 0.4 and not self.chain.dark and self.fork():
            return
        self.chain.advance(skipped=self.dice.choice((0, 0, 0, 1, 4)))
        self.model.open(self.chain.slot)

    def fork(self) -> bool:
        """Let as many blocks vanish as may, or fewer; one more is refused."""
        most = self.chain.height - self.chain.final_height
        if most == 0:
            return False
        try:
            self.chain.fork(most + 1)
        except ValueError:
            pass
        else:
            raise AssertionError("a finalized block vanished")
        depth = self.dice.choice((1, 1, 1, 1, 1, 1, 1, 1, 1, self.dice.randint(1, most)))  # Mostly one block.
        self.chain.fork(depth)
        self.model.undo(depth)
        self.model.open(self.chain.slot)
        self.forks += 1
        return True

    def come_back(self) -> None:
        """Come back from the dark, with slot numbers that were seen before."""
        safe = self.chain.block("confirmed")
        self.chain.go_on()
        self.model.undo(sum(slot > safe.slot for slot, _ in self.model.blocks))
        self.model.open(self.chain.slot)
        self.restarts += 1

    def read(self) -> None:
        """Compare every read with the model, and every finalized one with those before it."""
        for commitment in ("processed", "confirmed", "finalized"):
            if self.chain.dark and commitment != "processed":
                continue
            for lag in {0, self.dice.randrange(LAG_BLOCKS)}:
                block = self.chain.block(commitment, lag)
                slot, state = self.model.at(self.expected(commitment) - lag)
                assert block.slot == slot, f"{commitment}, {lag} late: block {block.slot}, expected {slot}"
                assert self.lamports(slot) == state, f"{commitment}, {lag} late, slot {slot}"
                with self.chain.ledger.wound_back(block):
                    assert self.lamports() == state, f"{commitment}, {lag} late, wound back to {slot}"
                self.reads += 1
        assert self.lamports() == self.model.state, "winding back left a trace"
        self.read_final()

    def expected(self, commitment: str) -> int:
        """Return the index of the model's block at a commitment."""
        newest, behind = len(self.model.blocks) - 1, self.chain.consensus.behind(commitment)
        if behind == self.chain.consensus.finalized:
            self.final_index = max(self.final_index, newest - behind)
            return self.final_index
        return newest - behind

    def read_final(self) -> None:
        block = self.chain.block("finalized")
        assert block.slot >= self.final_slot, f"finality went back from {self.final_slot} to {block.slot}"
        self.final_slot = block.slot
        now = self.lamports(block.slot)
        assert self.final.setdefault(block.slot, now) == now, f"the finalized slot {block.slot} changed"

    def lamports(self, slot: int | None = None) -> dict[Pubkey, int]:
        accounts = {key: self.chain.account(key, slot) for key in KEYS}
        return {key: account.lamports for key, account in accounts.items() if account is not None}


def play(consensus: Consensus, forks: int, seed: int) -> Play:
    """Play until that many forks have been; return the play."""
    game = Play(consensus, seed)
    while game.forks < forks:
        game.step()
    return game


def main(argv: list[str]) -> None:
    """Play as many forks as asked for under either consensus."""
    forks, seed = int(argv[0]) if argv else 10_000, int(argv[1]) if len(argv) > 1 else 1
    for consensus in (ALPENGLOW, TOWER):
        game = play(consensus, forks, seed)
        print(
            f"{consensus.name}, seed {seed}: {game.forks} forks, {game.restarts} restarts with slot numbers used again, "
            f"{game.reads} reads, {len(game.final)} finalized slots: none changed"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
