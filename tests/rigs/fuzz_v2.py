"""What of OpenBook v2 is decoded, for the fuzzer: accounts that the double made, and those of the golden tapes."""

from base64 import b64decode
from functools import partial
from random import Random

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from tests.rigs.fuzz_openbook import Target
from tests.rigs.golden_v2 import read_tape

from bmv.adapters.openbook.book import Side, to_levels
from bmv.adapters.openbook.v2 import returned
from bmv.adapters.openbook.v2.bookside import BOOK_SIDE_SIZE, DISCRIMINATOR, BookSide
from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.heap import EventHeap, FillEvent
from bmv.adapters.openbook.v2.instructions import KINDS, build, parse
from bmv.adapters.openbook.v2.levels import matchable
from bmv.adapters.openbook.v2.logs import read_log, write_log
from bmv.adapters.openbook.v2.market import PROGRAM_ID, Market
from bmv.adapters.openbook.v2.metas import accounts
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount, OpenOrdersIndexer
from bmv.adapters.openbook.v2.oracle import StubOracle, oracle_price_lots
from bmv.adapters.sandbox.openbook_v2.tree import Leaf, Trees


def filled_side(random: Random, orders: int, side: Side) -> bytes:
    """A side of a book with some orders in each tree, more of which came and went."""
    data = bytearray(BOOK_SIDE_SIZE)
    data[:8], data[312] = DISCRIMINATOR, side
    trees, keys = Trees(data), []
    for number in range(orders + 5):
        tree = random.randrange(2)
        price = random.randrange(1, 2**63) if random.random() < 0.2 else random.randrange(1, 50)
        key = (price + (1 << 63) * tree) << 64 | (number if side is Side.ASK else 2**64 - 1 - number)
        limit = random.randrange(-1, 100) if tree else -1
        seconds, now = random.choice([0, 0, 30]), random.randrange(2**40)
        trees.insert(tree, Leaf(number % 24, seconds, key, random.randbytes(32), 1 + number, now, limit, number))
        keys.append((tree, key))
    for tree, key in random.sample(keys, 5):
        trees.remove_by_key(tree, key)
    return bytes(data)


def states(*names: str) -> list[bytes]:
    return [
        data
        for version in Build
        for step in read_tape(version).steps
        for name, data in step.accounts_after.items()
        if name in names
    ]


def book_side() -> Target:
    random = Random(1)
    sides = [filled_side(random, n, side) for n in (0, 1, 2, 5, 20) for side in Side]

    def run(data: bytes) -> bytes:
        decoded = BookSide.decode(data)
        orders = decoded.orders(0) + decoded.orders(1)
        assert len(orders) == sum(root.leaf_count for root in decoded.head.roots)
        valid = matchable(decoded, 1_800_000_000, 1_000)
        assert all(0 < order.price_lots < 2**63 and order.size_lots > 0 for order in valid)
        assert len(valid) == sum(level.orders for level in to_levels(valid))
        return decoded.encode()

    return Target(run, sides + states("bids", "asks")[::20])


def event_heap() -> Target:
    def run(data: bytes) -> bytes:
        decoded = EventHeap.decode(data)
        events = [event for _, event in decoded.events()]
        assert len(events) == decoded.header.count
        assert all(event.price > 0 < event.quantity for event in events if isinstance(event, FillEvent))
        return decoded.encode()

    return Target(run, states("event_heap"))


def market() -> Target:
    price = 150.0

    def run(data: bytes) -> bytes:
        decoded = Market.decode(data)
        oracle_price_lots(decoded, price)
        decoded.lots()
        return decoded.encode()

    return Target(run, states("market")[::10])


def open_orders() -> Target:
    def run(data: bytes) -> bytes:
        decoded = OpenOrdersAccount.decode(data)
        assert len(decoded.orders()) <= 24
        assert all(order.locked_price > 0 for order in decoded.orders().values())
        return decoded.encode()

    return Target(run, states("open_orders_maker", "open_orders_taker")[::5])


def indexer() -> Target:
    return Target(lambda data: OpenOrdersIndexer.decode(data).encode(), states("indexer_maker"))


def stub_oracle() -> Target:
    oracle = StubOracle(PROGRAM_ID, PROGRAM_ID, 150.5, 1_800_000_000, 7, 0.25, bytes(104))
    return Target(lambda data: StubOracle.decode(data).encode(), [oracle.encode()])


def log() -> Target:
    lines = {line for version in Build for step in read_tape(version).steps for line in step.program_data}
    return Target(lambda data: write_log(read_log(data)), [b64decode(line) for line in sorted(lines)])


def instruction() -> Target:
    """Bytes: the instruction's data; its accounts are as many as its kind names."""
    corpus = {bytes(step.instruction.data) for version in Build for step in read_tape(version).steps}

    def run(data: bytes) -> bytes:
        kind = KINDS.get(data[:8])
        named = len(accounts(kind)) if kind is not None else 0
        metas = [AccountMeta(Pubkey.from_bytes(bytes([n]) * 32), False, False) for n in range(1, named + 1)]
        return bytes(build(parse(Instruction(PROGRAM_ID, data, metas))).data)

    return Target(run, sorted(corpus | {bytes(discriminator) + bytes(64) for discriminator in KINDS}))


def returned_ids(many: bool) -> Target:
    steps = [step for version in Build for step in read_tape(version).steps if step.return_data]
    batches = [step.return_data for step in steps if len(step.return_data) > 17]
    if many:
        return Target(lambda data: returned.write_order_ids(returned.read_order_ids(data)), batches)
    single = [step.return_data for step in steps if len(step.return_data) in (1, 17)]
    return Target(lambda data: returned.write_order_id(returned.read_order_id(data)), single)


TARGETS = {
    "book_side": book_side,
    "event_heap": event_heap,
    "market": market,
    "open_orders": open_orders,
    "indexer": indexer,
    "stub_oracle": stub_oracle,
    "log": log,
    "instruction": instruction,
    "order_id": partial(returned_ids, many=False),
    "order_ids": partial(returned_ids, many=True),
}
