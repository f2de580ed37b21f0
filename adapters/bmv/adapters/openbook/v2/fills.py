"""One fill as the heap and the log tell of it alike, so that the same fill is known from either."""

from typing import NamedTuple

from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side
from bmv.adapters.openbook.v2.heap import FillEvent
from bmv.adapters.openbook.v2.logs import FillLog


class Fill(NamedTuple):
    """What heap and log say alike of one fill.

    Two fills may be equal in all this: on v1.7 the number is the heap's count of events, which a fill that was settled
    at once does not raise. So fills are counted, never kept in a set.
    """

    seq_num: int
    taker_side: Side
    price: int
    quantity: int
    maker: Pubkey
    maker_slot: int
    maker_client_order_id: int
    maker_out: bool
    taker: Pubkey
    taker_client_order_id: int
    timestamp: int

    @property
    def quote_lots(self) -> int:
        """What was traded, in lots of quote."""
        return self.price * self.quantity


def fill_of_event(event: FillEvent) -> Fill:
    """Return the fill that an event of the heap tells of."""
    return _fill(event.market_seq_num, event)


def fill_of_log(log: FillLog) -> Fill:
    """Return the fill that a log tells of."""
    return _fill(log.seq_num, log)


def _fill(seq_num: int, source: FillEvent | FillLog) -> Fill:
    return Fill(
        seq_num=seq_num,
        taker_side=source.taker_side,
        price=source.price,
        quantity=source.quantity,
        maker=source.maker,
        maker_slot=source.maker_slot,
        maker_client_order_id=source.maker_client_order_id,
        maker_out=source.maker_out,
        taker=source.taker,
        taker_client_order_id=source.taker_client_order_id,
        timestamp=source.timestamp,
    )
