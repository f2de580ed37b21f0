"""What may be signed, told a second time: by offsets and tables of accounts, without a line of the policy or a codec.

It reads and writes messages itself, byte by byte, and knows the sandbox's markets, whose owner is the scene's user.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from struct import error as ShortError
from struct import iter_unpack, unpack

from base58 import b58decode
from solders.pubkey import Pubkey
from tests.rigs.policy_scene import SEED, TIP, Scene

from bmv.adapters.sandbox.market_v1 import MarketV1

Row = list[tuple[bytes, bool, bool]]  # Key, signs, written to.
SYSTEM, TOKEN, ASSOCIATED, BUDGET, RENT = map(
    b58decode,
    (
        "11111111111111111111111111111111",
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
        "ComputeBudget111111111111111111111111111111",
        "SysvarRent111111111111111111111111111111111",
    ),
)
V1_PROGRAM = b58decode("srmqPvymJeFKQ4zGQed1GFppgkRHL9kaELCbyksJtPX")
V2_PROGRAM = b58decode("opnb2LAfJYbRMAHHvqjCwQxanZn7ReEHp1k81EohpZb")


class Broken(Exception):
    """No message."""


@dataclass
class Raw:
    """A message in parts; `config` holds the numbers of version 1's head by their bits."""

    version: str
    header: list[int]
    keys: list[bytes]
    blockhash: bytes
    calls: list[tuple[int, list[int], bytes]]  # Program, accounts, data.
    config: dict[int, int] = field(default_factory=dict)
    tables: list[tuple[bytes, list[int], list[int]]] = field(default_factory=list)


class Reader:
    """Bytes, read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise Broken
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def length(self) -> int:
        """Read a compact number of 16 bits, in as few bytes as it takes."""
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
            shift += 7
        if value >= 2**16 or (shift and not byte) or shift > 14:
            raise Broken
        return value


def read(data: bytes) -> Raw:
    """Read a message; `Broken` if it is none, to the last byte."""
    reader = Reader(data)
    first = reader.number(1)
    if first == 0x81:
        return _read_v1(reader)
    if first > 0x80:
        raise Broken
    version = "v0" if first == 0x80 else "legacy"
    header = [reader.number(1) if first == 0x80 else first, reader.number(1), reader.number(1)]
    keys = [reader.take(32) for _ in range(reader.length())]
    blockhash = reader.take(32)
    calls = []
    for _ in range(reader.length()):
        program, accounts = reader.number(1), list(reader.take(reader.length()))
        calls.append((program, accounts, reader.take(reader.length())))
    tables = [
        (reader.take(32), list(reader.take(reader.length())), list(reader.take(reader.length())))
        for _ in range(reader.length() if version == "v0" else 0)
    ]
    if reader.at != len(data):
        raise Broken
    return Raw(version, header, keys, blockhash, calls, tables=tables)


def _read_v1(reader: Reader) -> Raw:
    header = [reader.number(1) for _ in range(3)]
    mask, blockhash = reader.number(4), reader.take(32)
    count, key_count = reader.number(1), reader.number(1)
    keys = [reader.take(32) for _ in range(key_count)]
    if mask >> 5 or mask & 3 in (1, 2):
        raise Broken
    config = {bit: reader.number(8 if bit == 0 else 4) for bit in (0, 2, 3, 4) if mask >> bit & 1}
    heads = [(reader.number(1), reader.number(1), reader.number(2)) for _ in range(count)]
    calls = [(program, list(reader.take(n)), reader.take(size)) for program, n, size in heads]
    if reader.at != len(reader.data):
        raise Broken
    return Raw("v1", header, keys, blockhash, calls, config)


def _length(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def write(raw: Raw) -> bytes:
    """Write a message."""
    head = bytes(raw.header)
    if raw.version == "v1":
        mask = sum(3 if bit == 0 else 1 << bit for bit in raw.config)
        parts = [b"\x81", head, mask.to_bytes(4, "little"), raw.blockhash, bytes([len(raw.calls), len(raw.keys)])]
        parts += [*raw.keys, *(raw.config[bit].to_bytes(8 if bit == 0 else 4, "little") for bit in sorted(raw.config))]
        parts += [
            bytes([program, len(accounts)]) + len(data).to_bytes(2, "little") for program, accounts, data in raw.calls
        ]
        parts += [bytes(accounts) + data for _, accounts, data in raw.calls]
        return b"".join(parts)
    parts = [b"\x80" if raw.version == "v0" else b"", head, _length(len(raw.keys)), *raw.keys, raw.blockhash]
    parts.append(_length(len(raw.calls)))
    for program, accounts, data in raw.calls:
        parts += [bytes([program]), _length(len(accounts)), bytes(accounts), _length(len(data)), data]
    if raw.version == "v0":
        parts.append(_length(len(raw.tables)))
        for key, written, only_read in raw.tables:
            parts += [key, _length(len(written)), bytes(written), _length(len(only_read)), bytes(only_read)]
    return b"".join(parts)


V1_ROWS = {
    3: "OTHERS* market* queue* END* END*",
    5: "market* orders* owner! base_vault* quote_vault* base* quote* authority token REFERRER*?",
    10: "market* orders* requests* queue* bids* asks* PAYER* owner! base_vault* quote_vault* token RENT",
    11: "market* bids* asks* orders* owner! queue*",
    14: "orders* owner! owner* market",
    15: "orders* owner! market SYSVAR",
}
V1_ROWS |= {19: V1_ROWS[10], 20: V1_ROWS[10], 12: V1_ROWS[11], 18: V1_ROWS[11]}
_PLACES = "owner! orders* NONE quote* base* market* bids* asks* heap* quote_vault* base_vault* NONE NONE token OTHERS*"
_CANCELS = "owner! orders* market bids* asks*"
V2_ROWS = {
    "place_order": "owner! orders* NONE PAYER* market* bids* asks* heap* PAYER_VAULT* NONE NONE token OTHERS*",
    "place_orders": _PLACES,
    "cancel_all_and_place_orders": _PLACES,
    "cancel_order": _CANCELS,
    "cancel_order_by_client_order_id": _CANCELS,
    "cancel_all_orders": _CANCELS,
    "consume_events": "NONE market* heap* CRANKED*",
    "consume_given_events": "NONE market* heap* CRANKED*",
    "settle_funds": "owner!* owner!* orders* market* authority base_vault* quote_vault* base* quote* REFERRER* token system",
    "set_delegate": "owner!* orders* NONE",
    "create_open_orders_indexer": "owner!* owner! indexer* system",
    "create_open_orders_account": "owner!* owner! NONE indexer* orders* market system",
    "close_open_orders_account": "owner! indexer* orders* owner* system",
    "close_open_orders_indexer": "owner! indexer* owner* token",
}


def discriminator(name: str) -> bytes:
    return sha256(f"global:{name}".encode()).digest()[:8]


class Oracle:
    """Knows what the scene's owner may sign."""

    def __init__(self, scene: Scene) -> None:
        ours, market = scene.ours, scene.world.market
        state = market.state  # type: ignore[attr-defined]  # Of either version.
        self.scene, self.is_v1 = scene, isinstance(market, MarketV1)
        self.program = V1_PROGRAM if self.is_v1 else V2_PROGRAM
        self.owner = bytes(ours.owner)
        self.others = {bytes(key) for key in scene.others}
        named = {
            "owner": ours.owner,
            "orders": ours.open_orders,
            "base": ours.base,
            "quote": ours.quote,
            "market": market.address,
            "bids": state.bids,
            "asks": state.asks,
        }
        if self.is_v1:
            authority = Pubkey.create_program_address(
                [bytes(market.address), state.vault_signer_nonce.to_bytes(8, "little")], Pubkey(V1_PROGRAM)
            )
            named |= {"queue": state.event_q, "requests": state.req_q, "base_vault": state.coin_vault}
            named |= {"quote_vault": state.pc_vault, "authority": authority}
        else:
            indexer = Pubkey.find_program_address([b"OpenOrdersIndexer", self.owner], Pubkey(V2_PROGRAM))[0]
            authority = Pubkey.find_program_address([b"Market", bytes(market.address)], Pubkey(V2_PROGRAM))[0]
            named |= {"heap": state.event_heap, "base_vault": state.market_base_vault, "indexer": indexer}
            named |= {"quote_vault": state.market_quote_vault, "authority": authority}
        self.key = {name: bytes(key) for name, key in named.items()} | {"token": TOKEN, "system": SYSTEM}
        self.rents = {RENT, TOKEN} | {
            self.key.get(name, TOKEN)
            for name in ("market", "requests", "queue", "bids", "asks", "base_vault", "quote_vault")
        }
        self.mints = {self.key["base"]: bytes(scene.world.base.mint), self.key["quote"]: bytes(scene.world.quote.mint)}

    def allows(self, data: bytes, blockhash: bytes, now_s: int, low: int, high: int) -> bool:
        """Say whether a message may be signed."""
        try:
            raw = read(data)
            return self._is_whole(raw, len(data)) and raw.blockhash == blockhash and self._calls(raw, now_s, low, high)
        except (Broken, ShortError):
            return False

    def _is_whole(self, raw: Raw, size: int) -> bool:
        signed, read_signed, read_only = raw.header
        count = len(raw.keys)
        most = 4096 if raw.version == "v1" else 1232
        used = {index for program, accounts, _ in raw.calls for index in (program, *accounts)}
        return (
            0 < signed <= count
            and read_signed < signed
            and read_only <= count - signed
            and len(set(raw.keys)) == count
            and (used | {0}) == set(range(count))
            and raw.keys[0] == self.owner
            and not raw.tables
            and size + 64 * signed + (raw.version != "v1") <= most
            and (raw.version != "v1" or (count <= 64 and len(raw.calls) <= 64))
        )

    def _calls(self, raw: Raw, now_s: int, low: int, high: int) -> bool:
        signed, read_signed, read_only = raw.header
        has = [
            (i < signed, i < signed - read_signed or signed <= i < len(raw.keys) - read_only)
            for i in range(len(raw.keys))
        ]
        needs: dict[bytes, tuple[bool, bool]] = {self.owner: (True, True)}
        orders: list[tuple[int, int, int, int]] = []  # Price, lots, quote lots, deadline.
        moved, budget = {"tip": 0, "tips": 0, "trades": 0, "rent": 0}, dict[int, int]()
        if not raw.calls:
            return False
        for program, accounts, data in raw.calls:
            keys = [raw.keys[index] for index in accounts]
            row = self._row(raw.keys[program], keys, data, orders, moved, budget)
            if row is None:
                return False
            for key, signs, writes in [*row, (raw.keys[program], False, False)]:
                before = needs.get(key, (False, False))
                needs[key] = (before[0] or signs, before[1] or writes)
        limits = self.scene.limits
        return (
            all(needs[key] == has[index] for index, key in enumerate(raw.keys))
            and self._budget(raw, budget)
            and moved["tip"] <= limits.tip_lamports_max
            and moved["tips"] <= min(1, moved["trades"])
            and moved["rent"] <= limits.rent_lamports_max
            and all(
                max(low, 1) <= price <= high
                and 1 <= lots <= limits.order_lots_max
                and quote <= limits.order_quote_lots_max
                and now_s < until <= now_s + (limits.order_life_s_max or 0)
                for price, lots, quote, until in orders
            )
            and sum(order[2] for order in orders) <= limits.total_quote_lots_max
        )

    def _budget(self, raw: Raw, asked: dict[int, int]) -> bool:
        if raw.version == "v1":
            units, loaded = raw.config.get(2, 0), raw.config.get(3, 0)
            fee, heap = raw.config.get(0, 0), raw.config.get(4)
            if asked or not units or not loaded:
                return False
        else:
            units, loaded, heap = asked.get(2, 0), asked.get(4, 0), asked.get(1)
            fee = (asked.get(3, 0) * units + 999_999) // 1_000_000
            if asked.get(3) and 2 not in asked:
                return False
        return (
            fee <= self.scene.limits.priority_lamports_max
            and units <= 1_400_000
            and loaded <= 64 << 20
            and (heap is None or (32768 <= heap <= 262144 and heap % 1024 == 0))
        )

    def _row(
        self,
        program: bytes,
        keys: list[bytes],
        data: bytes,
        orders: list[tuple[int, int, int, int]],
        moved: dict[str, int],
        budget: dict[int, int],
    ) -> Row | None:
        """Return the accounts that an allowed instruction needs, None where it is not allowed."""
        if program == BUDGET:
            kind = data[0] if data else 0
            if keys or kind in budget or len(data) - 1 != {1: 4, 2: 4, 3: 8, 4: 4}.get(kind):
                return None
            budget[kind] = int.from_bytes(data[1:], "little")
            return []
        if program == self.program:
            moved["trades"] += 1
            return self._v1(keys, data, orders) if self.is_v1 else self._v2(keys, data, orders)
        owner = self.owner
        if program == SYSTEM:
            return self._system(keys, data, moved)
        if (
            program == TOKEN
            and data == b"\x09"
            and len(keys) == 3
            and keys[0] in self.mints
            and keys[1:] == [owner, owner]
        ):
            return [(keys[0], False, True), (owner, True, True)]
        mint = self.mints.get(keys[1]) if len(keys) == 6 else None
        if program == ASSOCIATED and data == b"\x01" and [keys[0], *keys[2:]] == [owner, owner, mint, SYSTEM, TOKEN]:
            return [(keys[1], False, True), (owner, True, True), *((key, False, False) for key in keys[3:])]
        return None

    def _system(self, keys: list[bytes], data: bytes, moved: dict[str, int]) -> Row | None:
        kind, rest = data[:4], data[4:]
        orders, owner = self.key["orders"], self.owner
        if kind == b"\2\0\0\0" and len(rest) == 8 and keys == [owner, bytes(TIP)]:
            moved["tip"] += int.from_bytes(rest, "little")
            moved["tips"] += rest != bytes(8)
            return [(owner, True, True), (bytes(TIP), False, True)]
        end = (3228).to_bytes(8, "little") + V1_PROGRAM
        seeded = owner + len(SEED).to_bytes(8, "little") + SEED.encode()
        if not self.is_v1 or keys != [owner, orders]:
            return None
        if kind == b"\3\0\0\0" and rest[: len(seeded)] == seeded and rest[len(seeded) + 8 :] == end:
            moved["rent"] += int.from_bytes(rest[len(seeded) : len(seeded) + 8], "little")
            return [(owner, True, True), (orders, False, True)]
        if kind == b"\0\0\0\0" and rest[8:] == end:
            moved["rent"] += int.from_bytes(rest[:8], "little")
            return [(owner, True, True), (orders, True, True)]
        return None

    def _v1(self, keys: list[bytes], data: bytes, orders: list[tuple[int, int, int, int]]) -> Row | None:
        if len(data) < 5 or data[0] or int.from_bytes(data[1:5], "little") not in V1_ROWS:
            return None
        tag, body = int.from_bytes(data[1:5], "little"), data[5:]
        side = None
        if tag in (10, 19, 20):
            if tag == 20:
                if len(body) < 8 or not 1 <= int.from_bytes(body[:8], "little") <= 8:
                    return None
                if len(body) != 8 + 54 * int.from_bytes(body[:8], "little"):
                    return None
                body = body[8:]
            elif len(body) != 54:
                return None  # One of 46 has no deadline, and here each must have one.
            sides = set()
            for side, price, lots, money, selftrade, kind, _, _, until in iter_unpack("<IQQQIIQHq", body):
                if side > 1 or selftrade > 2 or kind != 2 or not money:
                    return None
                sides.add(side)
                orders.append((price, lots, price * lots, until))
            if len(sides) != 1:
                return None
        elif tag == 11:
            if len(body) != 20 or int.from_bytes(body[:4], "little") > 1:
                return None
        elif tag == 18:
            if len(body) > 64 or len(body) % 8:
                return None
        elif len(body) != {3: 2, 5: 0, 12: 8, 14: 0, 15: 0}[tag]:
            return None
        return self._match(V1_ROWS[tag], keys, side)

    def _v2(self, keys: list[bytes], data: bytes, orders: list[tuple[int, int, int, int]]) -> Row | None:
        name = next((name for name in V2_ROWS if discriminator(name) == data[:8]), None)
        if name is None:
            return None
        body, side = data[8:], None
        if name == "place_order":
            if len(body) != 44:
                return None
            side, price, lots, quote, _, kind, until, selftrade, _ = unpack("<BqqqQBQBB", body)
            if side > 1 or selftrade > 2 or kind not in (2, 4) or quote <= 0:
                return None
            orders.append((price, lots, price * lots, until))
        elif name in ("place_orders", "cancel_all_and_place_orders"):
            reader = Reader(body)
            if reader.number(1) not in (2, 4):
                return None
            for _ in range(2):
                count = reader.number(4)
                for price, quote, until in iter_unpack("<qqQ", reader.take(24 * min(count, 10_000))):
                    orders.append((price, quote // price if price > 0 else 0, quote, until))
            reader.take(1)
            if reader.at != len(body):
                return None
        elif name == "consume_given_events":
            if len(body) < 4 or len(body) != 4 + 8 * int.from_bytes(body[:4], "little"):
                return None
        elif name == "cancel_all_orders":
            if not (len(body) == 2 and body[0] == 0) and not (len(body) == 3 and body[0] == 1 and body[1] < 2):
                return None
        elif name == "create_open_orders_account":
            if len(body) < 4 or len(body) != 4 + int.from_bytes(body[:4], "little") or not _is_text(body[4:]):
                return None
        elif len(body) != {"cancel_order": 16, "cancel_order_by_client_order_id": 8, "consume_events": 8}.get(name, 0):
            return None
        return self._match(V2_ROWS[name], keys, side)

    def _match(self, row: str, keys: list[bytes], side: int | None) -> Row | None:
        """Return the accounts of a row with their rights, None if the keys do not fit it."""
        needs: Row = []
        for key, word in _aligned(row.split(), keys):
            if word is None or key is None:
                if word is None or not word.endswith("?"):
                    return None
                continue
            if key not in self._any_of(word.strip("*!?"), side):
                return None
            writes = "*" in word and not (word.startswith("REFERRER") and key == self.program)
            needs.append((key, "!" in word, writes))
        return needs

    def _any_of(self, name: str, side: int | None) -> set[bytes]:
        """Return what an account may be."""
        payers = ("quote", "base")
        match name:
            case "OTHERS":
                return self.others | ({self.key["orders"]} if self.is_v1 else set())
            case "CRANKED":
                return self.others | {self.key["orders"]}
            case "END":
                return {self.key["market"], self.key["queue"]}
            case "RENT":
                return self.rents
            case "SYSVAR":
                return self.rents
            case "REFERRER":
                return {self.key["quote"]} | (set() if self.is_v1 else {self.program})
            case "NONE":
                return {self.program}
            case "PAYER":
                return {self.key[payers[side or 0]]}
            case "PAYER_VAULT":
                return {self.key[payers[side or 0] + "_vault"]}
            case _:
                return {self.key[name]}


def _aligned(words: list[str], keys: list[bytes]) -> Iterator[tuple[bytes | None, str | None]]:
    """Yield each key with its word of a row; the word of others stands for as many as are there, in v1 for one at least."""
    at = next((i for i, word in enumerate(words) if word.startswith(("OTHERS", "CRANKED"))), None)
    if at is not None:
        many = len(keys) - (len(words) - 1)
        least = 1 if at == 0 else 0
        words = words[:at] + [words[at]] * max(many, least) + words[at + 1 :]
    for i in range(max(len(words), len(keys))):
        yield (keys[i] if i < len(keys) else None), (words[i] if i < len(words) else None)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
