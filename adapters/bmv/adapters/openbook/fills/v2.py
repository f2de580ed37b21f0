"""Our fills on a market of version 2: from the heap and from logs, each once.

A fill that waits for a crank lies on the heap, and is logged when it is cranked. One whose maker's account the taker
passed along is logged at once and never touches the heap. So what is new since the look before is what lies on the heap
and did not lie there then, and what was logged, without the logs of what lay there and is gone. For that the logs must
be those of every transaction on the market since then: where we take, somebody may crank the maker's fill without
naming our account, and before it was ever seen on the heap.

The checksum is the account's own count: `maker_volume` rises by the quote of every fill that is settled with us as the
maker, `taker_volume` by that of what we take, when we take it. Logs may be lost or cut short; these two are not.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.errors import CutOff
from bmv.adapters.openbook.fills import whole
from bmv.adapters.openbook.fills.fill import Logged, OwnFill, Read
from bmv.adapters.openbook.fills.told import Settled, Told
from bmv.adapters.openbook.v2.fills import Fill, fill_of_event, fill_of_log
from bmv.adapters.openbook.v2.heap import EventHeap, FillEvent
from bmv.adapters.openbook.v2.logs import FillLog, read_lines
from bmv.adapters.openbook.v2.market import FEES_SCALE_FACTOR, PROGRAM_ID, Market
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.ports.errors import DataError


class MissingVolume(NamedTuple):
    """Native quote of fills that the account counts and that were not told: where we made, and where we took."""

    made: int
    taken: int


class Place(NamedTuple):
    """An order of ours in a slot of our account."""

    slot: int
    order_id: int
    client_id: int


class MarkV2(NamedTuple):
    """How far was read.

    Args:
        slot: At whose end.
        waiting: Fills of ours that lay on the heap then: a log will tell of them again.
        places: Our orders then: what the heap and logs name by its slot.
        seq: Highest number of a fill of ours, and
        named: how many with it were told, as maker and as taker.
        made, taken: What the account must count as maker and as taker once all is settled, native quote.
    """

    slot: int
    waiting: tuple[Fill, ...]
    places: tuple[Place, ...]
    seq: int
    named: tuple[int, int]
    made: int
    taken: int

    def to_json(self) -> list[object]:
        """Return it as lists of whole numbers, and of addresses as they are written."""
        waiting = [_row(fill) for fill in self.waiting]
        places = [list(place) for place in self.places]
        return [self.slot, waiting, places, self.seq, list(self.named), self.made, self.taken]

    @classmethod
    def from_json(cls, rows: object) -> "MarkV2":
        """Return the mark that `to_json` wrote; DataError where it is none."""
        slot, waiting, places, seq, named, made, taken = whole.row(rows, 7)
        as_maker, as_taker = whole.numbers(named, 2)
        return cls(
            whole.number(slot),
            tuple(_read_row(row) for row in whole.rows(waiting)),
            tuple(Place(*whole.numbers(row, 3)) for row in whole.rows(places)),
            whole.number(seq),
            (as_maker, as_taker),
            whole.number(made),
            whole.number(taken),
        )


class OwnFillsV2:
    """Reads the fills of one account.

    Args:
        market: Address of the market.
        state: Its account: lots and fees, which never change.
        open_orders: Our account at the venue.
        since: How far was read; see `begin`.
        program: Whose logs are believed.
    """

    def __init__(
        self, market: Pubkey, state: Market, open_orders: Pubkey, since: MarkV2, program: Pubkey = PROGRAM_ID
    ) -> None:
        self._market, self._state, self._own, self._program = market, state, open_orders, program
        self._told = Told(since)

    @classmethod
    def begin(
        cls, market: Pubkey, state: Market, open_orders: Pubkey, slot: int, heap: EventHeap, account: OpenOrdersAccount
    ) -> MarkV2:
        """Return a mark from which fills are counted that come after `slot`; heap and account are of its end."""
        reader = cls(market, state, open_orders, MarkV2(slot, (), (), 0, (0, 0), 0, 0))
        waiting = reader._waiting(heap)
        made = account.position.maker_volume + reader._made(waiting)
        return MarkV2(slot, waiting, _places(account), 0, (0, 0), made, account.position.taker_volume)

    @property
    def mark(self) -> MarkV2:
        """How far was read; what it stands on may yet vanish."""
        return self._told.mark

    def read(self, slot: int, heap: EventHeap, account: OpenOrdersAccount, logs: Iterable[Logged]) -> Read:
        """Return our fills since the last look, each once.

        Args:
            slot: At whose end heap and account were read.
            heap: The market's.
            account: Ours.
            logs: Of every transaction since the last look that names the market, in order; of others it does no harm.
        """
        mark = self.mark
        waiting = self._waiting(heap)
        logged, cut = self._logged(slot, logs)
        new = self._new(slot, mark.waiting, waiting, logged)
        fills = self._own_fills(new, {*mark.places, *_places(account)})
        seq, named = _last(mark, fills)
        lot = self._state.quote_lot_size
        made, taken = (
            sum(fill.price * fill.size * lot for fill in fills if fill.maker is role) for role in (True, False)
        )
        after = MarkV2(slot, waiting, _places(account), seq, named, mark.made + made, mark.taken + taken)
        self._told.add(after, fills)
        return Read(tuple(fills), cut)

    def check(self, account: OpenOrdersAccount) -> MissingVolume | None:
        """Return what is missing; None: nothing. The account is of the bank that was read last."""
        mark, position = self.mark, account.position
        made = position.maker_volume + self._made(mark.waiting) - mark.made
        missing = MissingVolume(made, position.taker_volume - mark.taken)
        return missing if any(missing) else None

    def undo(self, after: int) -> tuple[OwnFill, ...]:
        """Take back what is of slots after `after`, and return it; see `Told.undo`."""
        return self._told.undo(after)

    def settle(self, final: int) -> Settled[MarkV2]:
        """Return fills of slots that are final, each once, and the mark to keep with them."""
        return self._told.settle(final)

    # Sources.

    def _is_own(self, fill: Fill) -> bool:
        return self._own in (fill.maker, fill.taker)

    def _waiting(self, heap: EventHeap) -> tuple[Fill, ...]:
        fills = (fill_of_event(event) for _, event in heap.events() if isinstance(event, FillEvent))
        return tuple(filter(self._is_own, fills))

    def _made(self, waiting: Iterable[Fill]) -> int:
        quote_lots = sum(fill.quote_lots for fill in waiting if fill.maker == self._own)
        return quote_lots * self._state.quote_lot_size

    def _logged(self, slot: int, logs: Iterable[Logged]) -> tuple[list[tuple[int, Fill]], int]:
        """Return slots and fills of ours that were logged, and how many transactions' logs are not whole."""
        window = {one.logs.signature: one for one in logs if self.mark.slot < one.slot <= slot and not one.logs.failed}
        found: list[tuple[int, Fill]] = []
        whole_ones = 0
        for one in window.values():
            with suppress(CutOff):
                found.extend((one.slot, fill) for fill in self._fills(one))
                whole_ones += 1
        return found, len(window) - whole_ones

    def _fills(self, logged: Logged) -> Iterator[Fill]:
        for log in read_lines(logged.logs.lines, self._program):
            if isinstance(log, FillLog) and log.market == self._market and self._is_own(fill := fill_of_log(log)):
                yield fill

    def _new(
        self, slot: int, before: Sequence[Fill], waiting: Sequence[Fill], logged: Sequence[tuple[int, Fill]]
    ) -> list[tuple[int, Fill]]:
        """Return slots and fills that were not told before, as they were matched."""
        cranked = Counter(before) - Counter(waiting)
        come = Counter(waiting) - Counter(before)
        new = [(at, fill, 0) for at, fill in logged if not _take(cranked, fill)]
        new += [(slot, fill, 1) for fill in come.elements()]
        # One that goes on the heap takes the number that those before it were settled under.
        new.sort(key=lambda one: (one[1].seq_num, one[2]))
        return [(at, fill) for at, fill, _ in new]

    # What they come to.

    def _own_fills(self, new: Sequence[tuple[int, Fill]], places: set[Place]) -> list[OwnFill]:
        """Return each fill as ours: as the maker, as the taker, or as both where we met ourselves."""
        mark, quote_lot = self.mark, self._state.quote_lot_size
        named = Counter({(mark.seq, True): mark.named[0], (mark.seq, False): mark.named[1]})
        charged: Counter[tuple[int, int]] = Counter()  # Native quote, by order: a taker's fee is rounded once for it.
        fills = []
        for slot, fill in new:
            quote = fill.quote_lots * quote_lot
            meets_own = fill.maker == fill.taker
            if fill.maker == self._own:
                fee = 0 if meets_own else self._maker_fee(quote)
                fills.append(_as_maker(slot, fill, named, fee, _order_id(fill, places)))
            if fill.taker == self._own:
                order = (fill.taker_client_order_id, fill.timestamp)
                fee = 0 if meets_own else self._taker_fee(charged[order] + quote) - self._taker_fee(charged[order])
                charged[order] += 0 if meets_own else quote
                share = 0 if meets_own else fee - self._rebate(quote)
                fills.append(_as_taker(slot, fill, named, fee, share))
        return fills

    def _taker_fee(self, quote: int) -> int:
        return -(-quote * self._state.taker_fee // FEES_SCALE_FACTOR)

    def _rebate(self, quote: int) -> int:
        return quote * max(-self._state.maker_fee, 0) // FEES_SCALE_FACTOR

    def _maker_fee(self, quote: int) -> int:
        return quote * max(self._state.maker_fee, 0) // FEES_SCALE_FACTOR - self._rebate(quote)


def _as_maker(slot: int, fill: Fill, named: Counter[tuple[int, bool]], fee: int, order_id: int) -> OwnFill:
    return OwnFill(
        slot=slot,
        seq=fill.seq_num,
        nth=_count(named, (fill.seq_num, True)),
        order_id=order_id,
        client_id=fill.maker_client_order_id,
        side=Side(1 - fill.taker_side),
        price=fill.price,
        size=fill.quantity,
        fee=fee,
        share=max(fee, 0),
        maker=True,
        out=fill.maker_out,
    )


def _as_taker(slot: int, fill: Fill, named: Counter[tuple[int, bool]], fee: int, share: int) -> OwnFill:
    return OwnFill(
        slot=slot,
        seq=fill.seq_num,
        nth=_count(named, (fill.seq_num, False)),
        order_id=0,
        client_id=fill.taker_client_order_id,
        side=fill.taker_side,
        price=fill.price,
        size=fill.quantity,
        fee=fee,
        share=share,
        maker=False,
        out=False,
    )


def _count(named: Counter[tuple[int, bool]], key: tuple[int, bool]) -> int:
    """Return how many have that number already, and count one more."""
    named[key] += 1
    return named[key] - 1


def _take(known: Counter[Fill], fill: Fill) -> bool:
    """Whether a fill is among those that are known; each is taken once."""
    if known[fill] <= 0:
        return False
    known[fill] -= 1
    return True


def _places(account: OpenOrdersAccount) -> tuple[Place, ...]:
    return tuple(Place(slot, order.id, order.client_id) for slot, order in account.orders().items())


def _order_id(fill: Fill, places: Iterable[Place]) -> int:
    """Return the id of the maker's order, if exactly one fits that was there before or is there now; else 0."""
    ids = {
        place.order_id
        for place in places
        if (place.slot, place.client_id, place.order_id >> 64)
        == (fill.maker_slot, fill.maker_client_order_id, fill.price)
    }
    return ids.pop() if len(ids) == 1 else 0


def _last(mark: MarkV2, fills: Sequence[OwnFill]) -> tuple[int, tuple[int, int]]:
    """Return the highest number, and how many have it as maker and as taker."""
    seq = max((fill.seq for fill in fills), default=mark.seq)
    if seq < mark.seq or not fills:
        return mark.seq, mark.named
    before = mark.named if seq == mark.seq else (0, 0)
    counts = [sum(fill.seq == seq and fill.maker is role for fill in fills) for role in (True, False)]
    return seq, (before[0] + counts[0], before[1] + counts[1])


def _row(fill: Fill) -> list[object]:
    return [str(value) if isinstance(value, Pubkey) else int(value) for value in fill]


def _read_row(row: object) -> Fill:
    seq, side, price, quantity, maker, slot, client_id, out, taker, taker_client_id, timestamp = whole.row(row, 11)
    if side not in (0, 1) or out not in (0, 1):
        raise DataError(f"a mark of fills: a fill of side {side!r:.20} and out {out!r:.20}")
    return Fill(
        seq_num=whole.number(seq),
        taker_side=Side(whole.number(side)),
        price=whole.number(price),
        quantity=whole.number(quantity),
        maker=_key(maker),
        maker_slot=whole.number(slot),
        maker_client_order_id=whole.number(client_id),
        maker_out=bool(out),
        taker=_key(taker),
        taker_client_order_id=whole.number(taker_client_id),
        timestamp=whole.number(timestamp),
    )


def _key(text: object) -> Pubkey:
    try:
        return Pubkey.from_string(text)  # type: ignore[arg-type]  # What is no text raises too.
    except (ValueError, TypeError):
        raise DataError(f"a mark of fills: expected an address, found {text!r:.80}") from None
