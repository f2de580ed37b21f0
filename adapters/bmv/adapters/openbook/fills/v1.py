"""Our fills on a market of version 1: from the ring of events, and from the crank's logs where the ring forgot.

The ring keeps every event by its number, cranked or not, maker's and taker's, until 2,978 others came after it. So a
look at it shows all of our fills since the look before, unless more was pushed than it holds. Those that were
overwritten were cranked before, and the crank logged them: without a number, but in order and word for word. What the
logs since the last look say is three things one after another: fills that were told already and waited for the crank
then, fills that nobody saw, and fills that the ring still shows. So the middle is what is left of the logs when the
others are taken away, each once.

The checksum is money. What our account and our wallets hold, with what waits for the crank, changes by our fills and by
nothing else: deposits and settlements only move it from one to the other.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.openbook.errors import CutOff
from bmv.adapters.openbook.fills import whole
from bmv.adapters.openbook.fills.fill import Flow, Logged, OwnFill, Read, flow_of
from bmv.adapters.openbook.fills.told import Settled, Told
from bmv.adapters.openbook.logs import own_data
from bmv.adapters.openbook.v1.accounts import OpenOrders
from bmv.adapters.openbook.v1.events import Event, EventQueue, Fill, Out
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID
from bmv.adapters.openbook.v1.logs import FillEventLog, decode
from bmv.ports.errors import DataError


class Held(NamedTuple):
    """What we have on a market and in our wallets, locked or free, in native units."""

    base: int
    quote: int


class MissingMoney(NamedTuple):
    """What we have more (or, below 0, less) than the fills that were counted explain, in native units.

    It is a net sum: of a buy and a sell that are both missing only the difference is left. Quote is after fees, with
    the referrer's share.
    """

    base: int
    quote: int


class MarkV1(NamedTuple):
    """How far was read.

    Args:
        slot: At whose end.
        events: Number of the next event.
        waiting: Fills of ours that were read and that no crank has booked: a log will tell of them again.
        due: What we must have once they are booked.
    """

    slot: int
    events: int
    waiting: tuple[Fill, ...]
    due: Held

    def to_json(self) -> list[object]:
        """Return it as lists of whole numbers."""
        return [self.slot, self.events, [_row(fill) for fill in self.waiting], list(self.due)]

    @classmethod
    def from_json(cls, rows: object, open_orders: Pubkey) -> "MarkV1":
        """Return the mark that `to_json` wrote; DataError where it is none."""
        slot, events, waiting, due = whole.row(rows, 4)
        fills = tuple(_fill(whole.numbers(row, 9), open_orders) for row in whole.rows(waiting))
        base, quote = whole.numbers(due, 2)
        return cls(whole.number(slot), whole.number(events), fills, Held(base, quote))


def held(account: OpenOrders, base_wallet: int, quote_wallet: int) -> Held:
    """Return what we have.

    Args:
        account: Ours at the venue.
        base_wallet, quote_wallet: What the wallets hold that we place from and settle to, native units, same bank.
    """
    quote = account.native_pc_total + account.referrer_rebates_accrued
    return Held(base_wallet + account.native_coin_total, quote_wallet + quote)


class OwnFillsV1:
    """Reads the fills of one account.

    Args:
        open_orders: Our account at the venue.
        lots: The market's units.
        since: How far was read; see `begin`.
        program: Whose logs are believed.
    """

    def __init__(self, open_orders: Pubkey, lots: Lots, since: MarkV1, program: Pubkey = PROGRAM_ID) -> None:
        self._own, self._lots, self._program = open_orders, lots, program
        self._told = Told(since)

    @classmethod
    def begin(cls, open_orders: Pubkey, lots: Lots, slot: int, queue: EventQueue, have: Held) -> MarkV1:
        """Return a mark from which fills are counted that come after `slot`; queue and holdings are of its end."""
        reader = cls(open_orders, lots, MarkV1(slot, queue.seq_num, (), have))
        waiting = reader._waiting(queue)
        return MarkV1(slot, queue.seq_num, waiting, _plus(have, reader._unbooked(waiting)))

    @property
    def mark(self) -> MarkV1:
        """How far was read; what it stands on may yet vanish."""
        return self._told.mark

    def read(self, slot: int, queue: EventQueue, logs: Iterable[Logged] = ()) -> Read:
        """Return our fills since the last look, each once.

        Args:
            slot: At whose end the queue was read.
            queue: The ring.
            logs: Of every transaction since the last look that names our account, in order. They are looked at only
                where events were overwritten.
        """
        mark = self.mark
        events, overwritten = queue.since(mark.events)
        first = queue.seq_num - len(events)
        fills = self._overwritten(slot, queue, events, logs) if overwritten else []
        fills += self._shown(slot, first, events)
        due = _plus(mark.due, flow_of(fills, self._lots))
        self._told.add(MarkV1(slot, queue.seq_num, self._waiting(queue), due), fills)
        return Read(tuple(fills), overwritten)

    def check(self, have: Held) -> MissingMoney | None:
        """Return what is missing; None: nothing. `have` is of the bank that was read last."""
        now = _plus(have, self._unbooked(self.mark.waiting))
        missing = MissingMoney(now.base - self.mark.due.base, now.quote - self.mark.due.quote)
        return missing if any(missing) else None

    def undo(self, after: int) -> tuple[OwnFill, ...]:
        """Take back what is of slots after `after`, and return it; see `Told.undo`."""
        return self._told.undo(after)

    def settle(self, final: int) -> Settled[MarkV1]:
        """Return fills of slots that are final, each once, and the mark to keep with them."""
        return self._told.settle(final)

    # What the ring shows.

    def _shown(self, slot: int, first: int, events: Sequence[Event]) -> list[OwnFill]:
        return [
            self._own_fill(slot, first + at, event, _ends(event, events[at + 1 : at + 2]))
            for at, event in enumerate(events)
            if self._is_own(event)
        ]

    def _is_own(self, event: Event) -> bool:
        return isinstance(event, Fill) and event.owner == self._own

    def _own_fill(self, slot: int, number: int, fill: Event, out: bool) -> OwnFill:
        assert isinstance(fill, Fill)
        fee = fill.native_fee_or_rebate
        return OwnFill(
            slot=slot,
            seq=number,
            nth=0,
            order_id=fill.order_id,
            client_id=fill.client_order_id,
            side=fill.side,
            price=fill.price_lots(self._lots.base_lot, self._lots.quote_lot),
            size=fill.native_coin // self._lots.base_lot,
            fee=-fee if fill.maker else fee,
            share=_share(fill),
            maker=fill.maker,
            out=out,
        )

    # What it forgot.

    def _overwritten(
        self, slot: int, queue: EventQueue, events: Sequence[Event], logs: Iterable[Logged]
    ) -> list[OwnFill]:
        """Return the fills that only logs tell of; they get the numbers of the first events that were overwritten."""
        cranked = events[: len(events) - queue.count]
        shown = [event for event in cranked if self._is_own(event)]
        told = self._logged(slot, logs)
        left = _without(told, self.mark.waiting)
        left = _without(left[::-1], shown)[::-1]  # What the ring shows was logged last.
        return [self._own_fill(at, self.mark.events + n, fill, False) for n, (at, fill) in enumerate(left)]

    def _logged(self, slot: int, logs: Iterable[Logged]) -> list[tuple[int, Fill]]:
        window = {one.logs.signature: one for one in logs if self.mark.slot < one.slot <= slot and not one.logs.failed}
        return [(one.slot, fill) for one in window.values() for fill in self._fills(one)]

    def _fills(self, logged: Logged) -> list[Fill]:
        """Return our fills that a transaction logged; where its logs are cut off, those before that."""
        found = []
        with suppress(CutOff):  # The check will say how much that was.
            for data in own_data(logged.logs.lines, self._program):
                log = decode(data)
                if isinstance(log, FillEventLog) and log.open_orders == self._own:
                    found.append(log.fill)
        return found

    # Money.

    def _waiting(self, queue: EventQueue) -> tuple[Fill, ...]:
        return tuple(event for event in queue.pending() if isinstance(event, Fill) and event.owner == self._own)

    def _unbooked(self, waiting: Iterable[Fill]) -> Flow:
        """Return what the crank will book: a maker's fill whole, of a taker's the referrer's share."""
        fills = [self._own_fill(0, 0, fill, False) for fill in waiting]
        taken = Flow(0, 0, sum(fill.share for fill in fills if not fill.maker))
        return taken + flow_of((fill for fill in fills if fill.maker), self._lots)


def _ends(fill: Event, after: Sequence[Event]) -> bool:
    """Whether the event behind a fill says that the order of it is gone."""
    return any(
        isinstance(event, Out)
        and (event.owner, event.order_id) == (fill.owner, fill.order_id)
        and not event.native_qty_still_locked
        for event in after
    )


def _share(fill: Fill) -> int:
    """Return the referrer's part of a taker's fee. Source: openbook-dex/program 3873f285, `dex/src/fees.rs`."""
    return 0 if fill.maker else fill.native_fee_or_rebate // 2


def _without(told: Sequence[tuple[int, Fill]], known: Iterable[Event]) -> list[tuple[int, Fill]]:
    """Return what was told without what is known, the first of each, as often as it is known."""
    left: Counter[Event] = Counter(known)
    rest = []
    for slot, fill in told:
        if left[fill] > 0:
            left[fill] -= 1
        else:
            rest.append((slot, fill))
    return rest


def _plus(have: Held, flow: Flow) -> Held:
    return Held(have.base + flow.base, have.quote + flow.quote + flow.share)


def _row(fill: Fill) -> list[int]:
    return [
        int(fill.side),
        int(fill.maker),
        fill.native_qty_paid,
        fill.native_qty_received,
        fill.native_fee_or_rebate,
        fill.order_id,
        fill.owner_slot,
        fill.fee_tier,
        fill.client_order_id,
    ]


def _fill(row: Sequence[int], owner: Pubkey) -> Fill:
    side, maker, paid, received, fee, order_id, slot, tier, client_id = row
    if side not in (0, 1) or maker not in (0, 1):
        raise DataError(f"a mark of fills: a fill of side {side} and maker {maker}")
    return Fill(
        side=Side(side),
        maker=bool(maker),
        native_qty_paid=paid,
        native_qty_received=received,
        native_fee_or_rebate=fee,
        order_id=order_id,
        owner=owner,
        owner_slot=slot,
        fee_tier=tier,
        client_order_id=client_id,
    )
