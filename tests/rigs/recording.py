"""A recorder beside a sandbox in which things go wrong, held against what the chain itself did.

    python -m tests.rigs.recording MINUTES [--venue openbook-v1|openbook-v2] [--consensus alpenglow|tower] [--speed N]
                                           [--seed N] [--no-faults]

The truth is taken from the chain block by block, as each of them freezes, and what vanishes is struck out again. Every
slot that became final must have been recorded row for row, or lie in a noted gap; nothing else may have been recorded;
and what was recorded with what the gaps say was missed must be all that was ever traded.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from bmv.adapters.openbook.feed.feed import Feed, Limits
from bmv.adapters.openbook.feed.follow import Venue
from bmv.adapters.openbook.feed.v1 import MarketV1
from bmv.adapters.openbook.feed.v2 import MarketV2
from bmv.adapters.openbook.feed.words import Down, Traded, Update, Word
from bmv.adapters.openbook.inspection.inspect import identify
from bmv.adapters.openbook.v1.accounts import Market as AccountV1
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.ledger import Block
from bmv.adapters.sandbox.wiring import Sandbox, Settings, World, make_sandbox
from bmv.adapters.solana.clock import CLOCK, read_unix_timestamp
from bmv.adapters.solana.endpoints import Endpoint, Endpoints
from bmv.adapters.solana.pubsub import Logs
from bmv.adapters.spool.spool import Spool
from bmv.live.record.keeper import Keeper
from bmv.live.record.recorder import Copy, Recorder
from bmv.live.record.rows import rows_of
from bmv.live.record.times import SlotTimes
from bmv.live.record.writer import Writer
from bmv.ports.market import Market
from bmv.ports.market_data import Columns
from bmv.ports.messages import Kind
from bmv.ports.storage import Gap, Ticks

Row = tuple[int, ...]
UNKEPT_MAX = 60  # Slots at the end that were not final in time.
QUIET_SLOTS_MAX = 600  # Without a trade; a made-up market has one every six slots.


class Truth:
    """What happened on the market, slot by slot, read from the chain itself."""

    def __init__(self, world: World) -> None:
        self.chain = world.chain
        self.address = world.market.address
        self.venue = self.another_venue()
        self.updates: list[Update] = []
        self.ring_s = 60 if world.market.__class__.__name__ == "MarketV1" else 10**6
        self.chain.on_freeze.append(self._freeze)

    def another_venue(self) -> Venue:
        """Return what reads the market, without any memory of it."""
        identity = identify(self.address, self.chain.account(self.address))
        if isinstance(identity.market, AccountV1):
            return MarketV1(self.address, identity.market)
        return MarketV2(self.address, identity.market, identity.program)

    def _freeze(self, block: Block) -> None:
        while self.updates and self.updates[-1].slot > block.parent:
            self.updates.pop()
        self.venue.undo(block.parent)
        keys = (*self.venue.keys, CLOCK)
        accounts = {key: self.chain.account(key) for key in keys}
        clock = accounts[CLOCK]
        assert clock is not None
        now = read_unix_timestamp(clock)
        bids, asks = self.venue.book(accounts, now)
        logs = [
            Logs(landed.signature, landed.result.error is not None, tuple(landed.result.logs))
            for landed in block.landed
            if self.address in landed.keys
        ]
        traded = self.venue.traded(block.slot, accounts, logs, fresh=not self.updates)
        self.updates.append(
            Update(
                slot=block.slot,
                parent=block.parent,
                fresh=not self.updates,
                unix_timestamp=now,
                received_ns=0,
                bids=bids,
                asks=asks,
                traded=traded,
            )
        )

    def final(self) -> "dict[int, tuple[int | None, list[Row], Traded]]":
        """Return time, rows and trades of every slot that is final."""
        times, before, rows = SlotTimes(), None, {}
        for update in self.updates:
            if update.slot > self.chain.block("finalized").slot:
                break
            ts_ns = times.note(update.slot, update.unix_timestamp, before is not None)
            made = [] if ts_ns is None else [row_of(event) for event in rows_of(before, update, ts_ns)]
            rows[update.slot] = (ts_ns, made, update.traded)
            before = update
        return rows

    def rows(self, first: int, last: int) -> list[Row]:
        """Return the rows from the end of slot `first`, with the whole book, to that of `last`."""
        times, before, rows = SlotTimes(), None, []
        for number, update in enumerate(self.updates):
            ts_ns = times.note(update.slot, update.unix_timestamp, number > 0)
            if update.slot == first:
                update = replace(update, traded=update.traded._replace(prints=()))
            if ts_ns is not None and first <= update.slot <= last:
                rows += rows_of(before if update.slot > first else None, update, ts_ns)
            before = update
        return [row_of(event) for event in rows]


def row_of(event: object) -> Row:
    """Return an event as a row of the lake."""
    return tuple(int(getattr(event, name)) for name in Columns._fields)


@dataclass
class Memory:
    """A store of ticks that remembers."""

    rows: dict[int, list[Row]] = field(default_factory=dict)  # By slot.
    gaps: list[Gap] = field(default_factory=list)

    async def append(self, ticks: Ticks) -> None:
        assert ticks.stamps is not None
        for slot, *row in zip(ticks.stamps.slot, *ticks.columns, strict=True):
            self.rows.setdefault(int(slot), []).append(tuple(map(int, row)))

    async def note_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    async def read(self, market: str, from_ns: int, to_ns: int) -> AsyncIterator[Columns]:
        for _ in ():
            yield _

    async def gaps_of(self, market: str) -> Sequence[Gap]:
        return self.gaps


async def trouble(box: Sandbox, seed: int, until_slot: int, told: Counter[str], slot_s: float) -> None:
    """Let everything go wrong that a sandbox can, one thing after another."""
    dice, chain = Random(seed), box.chain
    faults = box.node.view.faults
    while chain.slot < until_slot:
        await asyncio.sleep(slot_s * dice.uniform(5, 40))
        what = dice.choice(KINDS)
        told[what] += 1
        if what in ("drop", "double", "reorder"):
            faults.switch_on(Fault(what, share=0.05))
            await asyncio.sleep(slot_s * 50)
            faults.switch_off([what])
        elif what == "silence":
            faults.switch_on(Fault(what))
            await asyncio.sleep(max(slot_s * 30, 0.3))
            faults.switch_off([what])
        elif what in ("refuse", "fail", "reset", "lose_answer"):
            faults.switch_on(Fault(what, share=0.5, seconds=0.05))
            await asyncio.sleep(slot_s * 50)
            faults.switch_off([what])
        elif what == "null_certificate":
            faults.switch_on(Fault(what, count=1))
        elif what == "cut":
            box.node.cut()
        elif what == "fork":
            with suppress(ValueError):
                chain.fork(dice.randint(1, max(min(chain.may_vanish, 5), 1)))
        elif what == "skip":
            chain.advance(skipped=dice.randint(1, 3))
        elif what == "dark":
            chain.go_dark()
            await asyncio.sleep(slot_s * dice.uniform(5, 40))
            chain.go_on()
    faults.switch_off()


KINDS = (
    "drop", "double", "reorder", "silence", "refuse", "fail", "reset", "lose_answer", "null_certificate", "cut",
    "fork", "skip", "dark",
)  # fmt: skip


@dataclass
class Result:
    """What a run came to."""

    slots: int
    rows: int
    trades: int
    gaps: int
    in_gaps: int  # Slots.
    quote_missed: int
    faults: Counter[str]
    downs: Counter[str]
    wrong: list[str]
    recorded: list[Row]  # All that was recorded,
    happened: list[Row]  # and all that happened in these slots, the first with its whole book.


async def run(settings: Settings, slots: int, seed: int, faulty: bool, folder: Path) -> Result:
    """Record `slots` of a sandbox, and hold the record against the truth."""
    box = make_sandbox(settings)
    truth = Truth(box.world)
    store, told, downs = Memory(), Counter[str](), Counter[str]()
    lots = box.world.market.lots
    units = Market("SOL/USDC", _decimal(lots.tick), _decimal(lots.lot))
    slot_s = settings.slot_ms / 1000 / settings.speed
    async with box:
        other = await box.add_node(lag=0)
        ends = [Endpoint(node.rpc_url, node.websocket_url) for node in (box.node, other)]
        limits = Limits(stale_s=max(0.25, 15 * slot_s), look_s=0.2, backoff_max_s=0.5)
        feed = Feed(box.world.market.address, Endpoints(ends[:1] if not faulty else ends), limits, dice=Random(seed))
        keeper = Keeper(feed.lineage, lots.quote_lot)
        async with Spool(store, folder / "spool") as spool:  # type: ignore[arg-type]
            native = Fraction(1, 10**lots.quote_decimals) / units.quantum
            writer = Writer(spool, "openbook/SOL-USDC", units, native, "rig", 1, folder / "kept.json")
            recorder = Recorder(feed, [Copy(keeper, writer)])
            hear = recorder._hear

            def listen(word: Word) -> None:
                if isinstance(word, Down):
                    downs[word.cause.value] += 1
                hear(word)

            recorder._hear = listen  # type: ignore[method-assign]
            task = asyncio.create_task(recorder.run())
            until = box.chain.slot + slots
            if faulty:
                await trouble(box, seed, until, told, slot_s)
            while box.chain.slot < until + 40 and not task.done():
                await asyncio.sleep(0.02)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await spool.flush()
    return judged(truth, store, lots.quote_lot, native, told, downs)


def judged(
    truth: Truth, store: Memory, quote_lot: int, native: Fraction, told: Counter[str], downs: Counter[str]
) -> Result:
    """Compare the record with the truth."""
    final = truth.final()
    wrong: list[str] = []
    kept = sorted(store.rows)
    rows = sum(map(len, store.rows.values()))
    result = Result(len(final), rows, 0, len(store.gaps), 0, 0, told, downs, wrong, [], [])
    if not kept:
        wrong.append("nothing was recorded")
        return result
    wrong += [f"slot {slot} was recorded, and is not on the chain" for slot in kept if slot not in final]
    unkept = [slot for slot, (_, rows, _) in final.items() if rows and slot > kept[-1]]
    if len(unkept) > UNKEPT_MAX:
        wrong.append(f"nothing was recorded after slot {kept[-1]}, and {len(unkept)} slots with rows came after it")
    traded = [slot for slot, (_, _, traded) in final.items() if traded.prints]
    if not traded or max(final) - traded[-1] > QUIET_SLOTS_MAX:
        wrong.append("the market of the sandbox stands still")
    first = kept[0]
    gaps = sorted((gap.from_ns, gap.to_ns) for gap in store.gaps)
    for slot, (ts_ns, rows, _) in final.items():
        if slot <= first or slot > kept[-1] or ts_ns is None:
            continue
        if any(start < ts_ns <= end for start, end in gaps):
            result.in_gaps += 1
        elif store.rows.get(slot, []) != rows:
            wrong.append(f"slot {slot}: {store.rows.get(slot, [])[:3]} was recorded, and {rows[:3]} happened")
    trades = [row for rows in store.rows.values() for row in rows if row[1] == Kind.TRADE]
    result.trades = len(trades)
    recorded = sum(row[3] * row[4] for row in trades) * quote_lot
    overwritten = truth.ring_s * 1_000_000_000  # A gap that is longer may have overwritten events on version 1.
    unknown = [gap for gap in store.gaps if gap.quanta is None and gap.to_ns - gap.from_ns < overwritten]
    missed = sum(gap.quanta or 0 for gap in store.gaps)
    result.quote_missed = missed
    happened = final[kept[-1]][2].quote - final[first][2].quote if kept[-1] in final and first in final else -1
    if all(gap.quanta is not None for gap in store.gaps) and recorded * native + missed != happened * native:
        wrong.append(f"{recorded} was recorded and {missed / native} missed, and {happened} traded, native quote")
    if unknown:
        wrong.append(f"{len(unknown)} gaps of unknown size: {unknown[0]}")
    result.recorded = [row for slot in kept for row in store.rows[slot]]
    result.happened = truth.rows(kept[0], kept[-1])
    return result


def _decimal(fraction: Fraction):  # type: ignore[no-untyped-def]
    from decimal import Decimal

    return Decimal(fraction.numerator) / Decimal(fraction.denominator)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float, help="of the market's time")
    parser.add_argument("--venue", default="openbook-v2")
    parser.add_argument("--consensus", default="alpenglow")
    parser.add_argument("--speed", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-faults", action="store_true")
    given = parser.parse_args()
    settings = Settings(venue=given.venue, consensus=given.consensus, speed=given.speed, seed=given.seed)
    with TemporaryDirectory() as folder:
        slots = int(given.minutes * 60_000 / settings.slot_ms)
        result = asyncio.run(run(settings, slots, given.seed, not given.no_faults, Path(folder)))
    for name, value in vars(result).items():
        if name not in ("wrong", "recorded", "happened"):
            print(f"{name:14}{dict(value) if isinstance(value, Counter) else value}")
    for line in result.wrong[:10]:
        print("WRONG", line)
    print(f"{len(result.wrong)} wrong")
    return bool(result.wrong)


if __name__ == "__main__":
    sys.exit(main())
