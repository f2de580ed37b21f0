"""What a feed says, a line of JSON each: prices and sizes are texts of exact decimals, times seconds of the chain."""

from collections.abc import Iterable

from bmv.adapters.openbook.book import Lots
from bmv.adapters.openbook.feed.words import Doubted, Down, Late, Levels, Notice, Print, Undone, Up, Update, Word
from bmv.adapters.openbook.inspection.fit import exact
from bmv.adapters.report.market_text import WORDS
from bmv.adapters.solana.errors import Json

LEVELS = 10


def word_json(word: Word, lots: Lots) -> Json:
    """Return what a feed says; `word` names its kind."""
    kind = {"word": type(word).__name__.lower()}
    if isinstance(word, Update):
        return kind | _update(word, lots)
    if isinstance(word, Late):
        return kind | {"slot": word.slot, "trades": _trades(word.prints, lots)}
    if isinstance(word, Down):
        return kind | {"cause": str(word.cause), "why": word.why}
    if isinstance(word, Notice):
        return kind | {"cause": str(word.cause), "text": word.text}
    assert isinstance(word, Undone | Doubted | Up), f"{word!r} is no word of a feed"
    return kind | word._asdict()


def _update(update: Update, lots: Lots) -> Json:
    return {
        "slot": update.slot,
        "parent": update.parent,
        "fresh": update.fresh,
        "unix_timestamp": update.unix_timestamp,
        "received_ns": update.received_ns,
        "bids": _levels(update.bids, lots),
        "asks": _levels(update.asks, lots),
        "trades": _trades(update.traded.prints, lots),
        "volume_native": update.traded.quote,
    }


def _levels(levels: Levels, lots: Lots) -> Json:
    return [[exact(lots.price(price)), exact(lots.size(size))] for price, size in levels[:LEVELS]]


def _trades(prints: Iterable[Print], lots: Lots) -> Json:
    return [
        {"taker": WORDS[one.taker], "price": exact(lots.price(one.price)), "size": exact(lots.size(one.size))}
        for one in prints
    ]
