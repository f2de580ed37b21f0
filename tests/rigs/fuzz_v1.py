"""What of OpenBook v1 is decoded, for the fuzzer: small accounts, which the double made, and those of the golden tape."""

from base64 import b64decode
from random import Random

from solders.instruction import AccountMeta, Instruction
from tests.rigs.fuzz_openbook import Target
from tests.rigs.golden_v1 import read

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import layout as at
from bmv.adapters.openbook.v1 import logs
from bmv.adapters.openbook.v1.accounts import IS_ASKS, IS_BIDS, IS_EVENT_QUEUE, Market, OpenOrders, RequestQueue
from bmv.adapters.openbook.v1.events import EVENT, EVENTS, EventQueue, Fill
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID, build, parse
from bmv.adapters.openbook.v1.slab import Slab
from bmv.adapters.sandbox.openbook_v1.queue import Party, Ring
from bmv.adapters.sandbox.openbook_v1.tree import Leaf, Tree


def wrapped(size: int, flags: int) -> bytearray:
    data = bytearray(size)
    data[:5], data[5:13], data[-7:] = at.HEAD, flags.to_bytes(8, "little"), at.TAIL
    return data


def small_slab(random: Random, orders: int, nodes: int = 21, flags: int = IS_BIDS) -> bytes:
    """A side of a book of some orders, more of which came and went."""
    data = wrapped(at.NODES + at.NODE_BYTES * nodes + 7, flags)
    tree = Tree(data)
    keys = []
    for number in range(orders + 5):
        key = random.randrange(1, 2**64) << 64 | random.randrange(2**64)
        owner = random.randbytes(32)
        if tree.insert(Leaf.make(key, owner, number % 128, random.randrange(1, 2**64), 0, random.randrange(2**64))):
            keys.append(key)
    for key in random.sample(keys, max(len(keys) - orders, 0)):
        tree.remove(key)
    return bytes(data)


def small_queue(random: Random, places: int = 6) -> bytes:
    data = wrapped(EVENTS + EVENT.itemsize * places + 7, IS_EVENT_QUEUE)
    ring = Ring(data)
    for _ in range(random.randrange(places * 2)):
        if ring.header["count"] == places:
            ring.pop()
        party = Party(random.randrange(2**128), random.randbytes(32), random.randrange(128), random.randrange(2**64))
        if random.random() < 0.5:
            ring.fill(
                random.choice([0, 4]), random.random() < 0.5, *(random.randrange(2**40) for _ in range(3)), party, 0
            )
        else:
            ring.out(random.choice([0, 4]), random.random() < 0.5, random.randrange(2**40), 0, party)
    return bytes(data)


def states(*names: str) -> list[bytes]:
    return [data for step in read().steps for name, data in step.after.items() if name in names and any(data)]


def slab() -> Target:
    random = Random(1)
    small = [small_slab(random, n, flags=flags) for n in (0, 1, 2, 5, 10) for flags in (IS_BIDS, IS_ASKS)]

    def run(data: bytes) -> bytes:
        decoded = Slab.decode(data)
        orders = decoded.orders()
        assert len(orders) == decoded.leaf_count == sum(level.orders for level in decoded.levels())
        assert all(order.price_lots and order.size_lots for order in orders)
        return decoded.encode()

    return Target(run, small * 3 + states("bids", "asks")[:2])


def event_queue() -> Target:
    random = Random(1)

    def run(data: bytes) -> bytes:
        queue = EventQueue.decode(data)
        seen, _ = queue.since(max(queue.seq_num - 5, 0)) if queue.seq_num <= queue.capacity else ([], 0)
        events = list(queue.pending())
        assert len(events) == queue.count
        for event in [*events, *seen]:
            if isinstance(event, Fill):
                try:
                    assert event.price_lots(100, 10) > 0
                except Malformed:
                    continue
        return queue.encode()

    return Target(run, [small_queue(random) for _ in range(30)] + states("event_queue")[-1:])


def market() -> Target:
    def run(data: bytes) -> bytes:
        decoded = Market.decode(data)
        decoded.lots(9, 6)
        return decoded.encode()

    permissioned = bytearray(at.PERMISSIONED_MARKET_BYTES)
    plain = states("market")[-1]
    permissioned[: len(plain) - 7] = plain[:-7]
    permissioned[5:7] = (0x3 | 1 << 9).to_bytes(2, "little")
    permissioned[-7:] = at.TAIL
    return Target(run, [*states("market")[-3:], bytes(permissioned)])


def open_orders() -> Target:
    def run(data: bytes) -> bytes:
        decoded = OpenOrders.decode(data)
        assert len(decoded.open) == at.SLOTS - decoded.free_slots
        return decoded.encode()

    return Target(run, states("open_orders_maker", "open_orders_taker"))


def request_queue() -> Target:
    return Target(lambda data: RequestQueue.decode(data).encode(), states("request_queue")[-3:])


def log() -> Target:
    def run(data: bytes) -> bytes:
        decoded = logs.decode(data)
        return data if decoded is None else decoded.encode()

    return Target(run, [b64decode(line) for step in read().steps for line in step.program_data])


def instruction() -> Target:
    """Bytes: the instruction's data; how many accounts there are is taken from the first that fits its tag."""
    metas = {bytes(step.instruction.data)[1]: step.instruction.accounts for step in read().steps}

    def run(data: bytes) -> bytes:
        accounts: list[AccountMeta] = metas.get(data[1], []) if len(data) > 1 else []
        return bytes(build(parse(Instruction(PROGRAM_ID, data, accounts))).data)

    return Target(run, sorted({bytes(step.instruction.data) for step in read().steps}))


TARGETS = {
    "slab": slab,
    "event_queue": event_queue,
    "market": market,
    "open_orders": open_orders,
    "request_queue": request_queue,
    "log": log,
    "instruction": instruction,
}
