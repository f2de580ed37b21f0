"""Columns that say what a row is, or of which market: the names and words that they are known by.

No importer passes over such a column. It is understood, or the file is refused with what it may be.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

# What a column says -> names that it goes by.
ROLES: Mapping[str, Sequence[str]] = {
    "market": (
        "symbol", "symbols", "instrument", "instrument_id", "instrument_name", "inst_id", "coin", "market", "market_id",
        "pair", "currency_pair", "trading_pair", "ticker", "asset", "product", "product_id", "contract", "security",
        "exchange", "exchange_id", "venue", "publisher_id", "isin",
    ),
    "level": ("level", "lvl", "depth", "depth_level", "book_level", "level_no", "price_level", "rank", "position"),
    "what": (
        "kind", "type", "event", "event_type", "update_type", "action", "msg_type", "message_type", "record_type",
        "row_type", "entry_type", "md_entry_type", "md_update_action", "update_action", "operation", "op", "channel",
        "topic", "stream", "feed", "table", "data_type", "order_type", "ord_type", "status", "order_status", "e",
    ),
    "order": (
        "order_id", "oid", "order_no", "order_number", "order_ref", "order_reference", "order_reference_number",
        "cl_ord_id", "client_order_id", "entry_id", "md_entry_id",
    ),
    "update": (
        "update_id", "first_update_id", "last_update_id", "final_update_id", "prev_update_id", "previous_update_id",
        "prev_final_update_id", "u", "pu", "change_id", "prev_change_id", "checksum",
    ),
    "snapshot": ("is_snapshot", "snapshot", "is_snap", "snap"),
    "bar": ("open", "high", "low", "close", "open_price", "high_price", "low_price", "close_price", "ohlc"),
    "print": (
        "trade_id", "tid", "trd_match_id", "match_id", "match_number", "exec_id", "execution_id", "deal_id", "fill_id",
        "agg_trade_id", "first_trade_id", "last_trade_id", "trade_no", "trade_seq", "buyer_order_id", "seller_order_id",
        "buy_order_id", "sell_order_id", "bid_order_id", "ask_order_id", "maker_order_id", "taker_order_id",
    ),
    # Says nothing of what a row is: whatever stands there, the row is the same without it.
    "beside": (
        "id", "row", "index", "n", "seq", "seq_no", "sequence", "sequence_number", "seqnum", "nonce", "slot", "block",
        "block_height", "hash", "tx_hash", "txid", "signature", "local_timestamp", "local_ts", "local_time", "received",
        "received_at", "received_ns", "received_time", "recv_time", "recv_ts", "ts_recv", "receive_time",
        "receive_timestamp", "quote_qty", "quote_quantity", "quote_volume", "quote_size", "quote_amount", "base_qty",
        "notional", "gross_value", "home_notional", "foreign_notional", "turnover", "is_best_match", "best_match",
        "tick_direction", "mid", "mid_price", "spread", "count", "orders", "num_orders", "n_orders", "order_count",
        "bid_count", "ask_count", "bid_orders", "ask_orders", "latency", "fee", "rpi", "is_rpi", "date", "day",
        "trade_date", "created_at_height",
    ),
}  # fmt: skip

# Words of a column that says what a row is -> what it then is. `change` may be of a level, by as much or to as much, or
# of a single order; `order` is of a single order.
WORDS: Mapping[str, Sequence[str]] = {
    "trade": ("trade", "trades", "fill", "match", "last_match", "print", "agg_trade", "execution", "t"),
    "quote": ("quote", "quotes", "bbo", "book_ticker", "top_of_book", "best_bid_ask", "best_bid_offer", "q"),
    "depth": ("depth", "l2", "price_level", "depth_update", "l2_update", "book_change"),
    "snap": ("snap", "snapshot", "partial"),
    "set": ("set", "update", "insert", "replace"),
    "gone": ("delete", "remove", "deleted", "removed"),
    "change": ("add", "new", "change", "modify", "delta", "diff", "a", "m", "u"),
    "order": (
        "cancel", "canceled", "cancelled", "execute", "executed", "open", "done", "received", "amend", "filled",
        "partially_filled", "limit", "market", "c", "d", "f", "r",
    ),
}  # fmt: skip
# Of the columns beside: those that number rows, those of transactions, those that say yes or no, and a few words.
NUMBERINGS = ("id", "row", "index", "n", "seq", "seq_no", "sequence", "sequence_number", "seqnum", "nonce")
HASHES = ("hash", "tx_hash", "txid", "signature")
FLAGS = ("is_best_match", "best_match", "rpi", "is_rpi")
TICK_DIRECTIONS = ("plustick", "zeroplustick", "minustick", "zerominustick")
BOOLEANS = ("true", "false", "t", "f", "yes", "no", "0", "1")
HASH_LENGTH_MIN = 16
# Words of a side: of who bought or sold in a print, of a bid or an ask in a book, and of either, with numbers.
BUYERS, SELLERS = ("buy", "b", "buyer", "bought"), ("sell", "s", "seller", "sold")
BIDS, ASKS = ("bid", "bids", "b"), ("ask", "asks", "a", "offer", "offers")
PRINT_SIDES, BOOK_SIDES = (*BUYERS, *SELLERS), (*BIDS, *ASKS)
BOUGHT, SOLD = (*dict.fromkeys((*BUYERS, *BIDS)), "1"), (*SELLERS, *ASKS, "-1")
FEW = 256  # Different values of a column that are looked at; more are no words.
LOOKED_AT = 10_000  # Cells at the beginning of a column.
SHOWN = 4  # Of them are told.


def plain(name: str) -> str:
    """Return a name as it is known by, however its words are set apart.

    >>> plain("bid_size"), plain("BidSize"), plain("Bid Size")
    ('bidsize', 'bidsize', 'bidsize')
    """
    return re.sub(r"[\W_]", "", name.lower())


_ROLE_OF = {plain(name): role for role, names in ROLES.items() for name in names}
_MEANING_OF = {plain(word): meaning for meaning, words in WORDS.items() for word in words}


def role_of(name: str) -> str | None:
    """Return what a column says by its name; None where the name is not known.

    >>> role_of("Instrument ID"), role_of("updateType"), role_of("foo")
    ('market', 'what', None)
    """
    return _ROLE_OF.get(plain(name))


def meaning_of(word: str) -> str | None:
    """Return what a row is by the word that it bears, a key of `WORDS`; None for a word that is not known."""
    return _MEANING_OF.get(plain(word))


@dataclass(slots=True)
class Values:
    """What stands in a column: its different values, up to `FEW` of them, and whether all of them are numbers."""

    name: str
    rows: int = 0
    numbers: bool = True
    words: set[str] = field(default_factory=set)

    @property
    def many(self) -> bool:
        """Whether there are more than are kept."""
        return len(self.words) > FEW

    def add(self, column: pl.Series) -> None:
        """Look at some cells, which are text."""
        self.rows += len(column)
        if self.many:
            return
        # Most columns that have many values show them at once.
        for cells in (column,) if self.words else (column.head(LOOKED_AT), column.slice(LOOKED_AT)):
            if not self.many:
                text = cells.fill_null("").unique().str.strip_chars()
                self.numbers &= text.filter(text != "").cast(pl.Float64, strict=False).null_count() == 0
                self.words.update(text.head(FEW + 1).to_list())

    def varies(self) -> bool:
        """Say whether rows differ in it."""
        return len(self.words) > 1

    def tells_rows_apart(self) -> bool:
        """Say whether a column of an unknown name may say what a row is.

        Words may, where rows differ in them, and a few whole numbers that come again and again, as levels and numbers
        of markets do. Times and other numbers may not.
        """
        if not self.varies():
            return any(meaning_of(word) or word.lower() in BOOK_SIDES for word in self.words if len(word) > 1)
        if not self.numbers:
            return not all(re.match(r"^\d{4}-\d\d-\d\d|^$", word) for word in self.words)
        whole = all(float(word).is_integer() for word in self.words if word)
        return whole and not self.many and 2 * len(self.words) <= self.rows

    def speaks(self) -> bool:
        """Say whether a column that should say nothing (`ROLES["beside"]`) holds what its name does not lead to expect.

        A number of the row comes once, or a few times; what comes again and again is a level, a market, or a sort of
        rows. Of a transaction there is a hash. The others hold numbers, times, or yes and no.
        """
        if not self.varies():
            return False
        name, words = plain(self.name), {word.lower() for word in self.words} - {""}
        repeated = not self.many and 2 * len(self.words) <= self.rows
        if name in map(plain, NUMBERINGS):
            return repeated
        if name in map(plain, HASHES):
            return repeated and min(map(len, words)) < HASH_LENGTH_MIN
        if name in map(plain, FLAGS):
            return not words <= set(BOOLEANS)
        if name == plain("tick_direction") and words <= set(TICK_DIRECTIONS):
            return False
        return not (self.numbers or all(re.match(r"[-+.]?\d", word) for word in words))

    def __str__(self) -> str:
        found = sorted(self.words)
        shown = ", ".join(repr(word) for word in found[:SHOWN])
        return f"{shown}, …" if len(found) > SHOWN else shown


def is_of(words: Iterable[str], known: Sequence[str]) -> bool:
    """Say whether there are words, and all of them are among those known, whatever their case; empty ones aside.

    >>> is_of({"Bid", "ASK", ""}, BOOK_SIDES), is_of({"buy", "ask"}, BOOK_SIDES), is_of({""}, BOOK_SIDES)
    (True, False, False)
    """
    there = {word.lower() for word in words} - {""}
    return bool(there) and there <= set(known)
