"""Our desk by a final bank, with every fill up to it, or nothing: half of the truth is no ground to decide on."""

import json
from collections.abc import Sequence
from typing import Protocol

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Lots
from bmv.adapters.openbook.fills.fill import Logged, OwnFill
from bmv.adapters.openbook.fills.history import read_history
from bmv.adapters.openbook.fills.v1 import MarkV1, OwnFillsV1, held
from bmv.adapters.openbook.fills.v2 import MarkV2, OwnFillsV2
from bmv.adapters.openbook.planning.seat import Seat
from bmv.adapters.openbook.seat.desk import AnyMarket, DeskSnapshot
from bmv.adapters.openbook.v1.accounts import Market as MarketAccountV1
from bmv.adapters.openbook.v1.accounts import OpenOrders
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount
from bmv.adapters.solana.rpc import Rpc
from bmv.ports.errors import DataError


class Fills(Protocol):
    """Our fills, each once."""

    async def read(self, rpc: Rpc, desk: DeskSnapshot) -> Sequence[OwnFill] | None:
        """Return those up to a final bank that were not returned before; None: some are not known yet."""
        ...

    @property
    def slot(self) -> int:
        """How far was read."""
        ...

    def mark(self) -> str:
        """Return how far was read, as `open_fills` takes it."""
        ...


class FillsV1:
    """Of version 1: the ring of events has them all; logs are asked for only where it was overwritten."""

    def __init__(self, seat: Seat, reader: OwnFillsV1) -> None:
        self._seat, self._reader = seat, reader
        self._known: dict[str, Logged] = {}

    @property
    def slot(self) -> int:
        """How far was read."""
        return self._reader.mark.slot

    def mark(self) -> str:
        """Return how far was read."""
        return json.dumps(self._reader.mark.to_json(), separators=(",", ":"))

    async def read(self, rpc: Rpc, desk: DeskSnapshot) -> Sequence[OwnFill] | None:
        """Return new fills; a sum that does not fit is asked for again, by the logs."""
        assert isinstance(desk.queue, EventQueue)
        before, account = self.slot, _account_v1(desk)
        have = held(account, desk.base_wallet or 0, desk.quote_wallet or 0)
        if self._reader.read(desk.slot, desk.queue).missed:
            self._reader.undo(before)
            logs = await read_history(rpc, self._seat.open_orders, before, known=self._known)
            self._reader.read(desk.slot, desk.queue, logs)
            if self._reader.check(have) is not None:
                self._reader.undo(before)
                return None
        return self._reader.settle(desk.slot).fills


class FillsV2:
    """Of version 2: heap and logs; logs are asked for only where the account counts more than the heap shows.

    First those of what names our account: that is all where we make. Logs that are missing only lower the sums, so none
    is where they fit. What we took may be cranked and logged without our name; only for that those of the whole market
    are asked for, one by one, which on a busy market may take longer than it takes to fill a book.
    """

    def __init__(self, seat: Seat, reader: OwnFillsV2) -> None:
        self._reader = reader
        self._known: dict[Pubkey, dict[str, Logged]] = {seat.open_orders: {}, seat.market: {}}

    @property
    def slot(self) -> int:
        """How far was read."""
        return self._reader.mark.slot

    def mark(self) -> str:
        """Return how far was read."""
        return json.dumps(self._reader.mark.to_json(), separators=(",", ":"))

    async def read(self, rpc: Rpc, desk: DeskSnapshot) -> Sequence[OwnFill] | None:
        """Return new fills; what the account counts and the heap does not show is asked for by logs."""
        assert isinstance(desk.queue, EventHeap)
        before, account = self.slot, _account_v2(desk)
        self._reader.read(desk.slot, desk.queue, account, ())
        for address, known in self._known.items():
            if self._reader.check(account) is None:
                break
            self._reader.undo(before)
            logs = await read_history(rpc, address, before, known=known)
            self._reader.read(desk.slot, desk.queue, account, logs)
        if self._reader.check(account) is not None:
            self._reader.undo(before)
            for known in self._known.values():
                known.clear()
            return None
        return self._reader.settle(desk.slot).fills


def open_fills(seat: Seat, market: AnyMarket, desk: DeskSnapshot, mark: str | None = None) -> Fills:
    """Return a reader of fills that goes on from a mark, or from a final bank where there is none.

    Args:
        seat: Our accounts.
        market: The market's account.
        desk: A final bank; it is looked at only without a mark.
        mark: As an earlier reader gave it; `DataError` where it is none.
    """
    rows = None if mark is None else _rows(mark)
    if isinstance(market, MarketAccountV1):
        lots = Lots(market.coin_lot_size, market.pc_lot_size, 0, 0)
        if rows is None:
            assert isinstance(desk.queue, EventQueue)
            have = held(_account_v1(desk), desk.base_wallet or 0, desk.quote_wallet or 0)
            since = OwnFillsV1.begin(seat.open_orders, lots, desk.slot, desk.queue, have)
        else:
            since = MarkV1.from_json(rows, seat.open_orders)
        return FillsV1(seat, OwnFillsV1(seat.open_orders, lots, since, seat.program))
    if rows is None:
        assert isinstance(desk.queue, EventHeap)
        account = _account_v2(desk)
        begun = OwnFillsV2.begin(seat.market, market, seat.open_orders, desk.slot, desk.queue, account)
    else:
        begun = MarkV2.from_json(rows)
    return FillsV2(seat, OwnFillsV2(seat.market, market, seat.open_orders, begun, seat.program))


def _rows(mark: str) -> object:
    try:
        return json.loads(mark)
    except ValueError:
        raise DataError(f"a mark of fills: expected JSON, found {mark!r:.80}") from None


def _account_v1(desk: DeskSnapshot) -> OpenOrders:
    if not isinstance(desk.account, OpenOrders):
        raise DataError("our account on the market is not there any more")
    return desk.account


def _account_v2(desk: DeskSnapshot) -> OpenOrdersAccount:
    if not isinstance(desk.account, OpenOrdersAccount):
        raise DataError("our account on the market is not there any more")
    return desk.account
