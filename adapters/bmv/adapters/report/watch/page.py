"""The page of a market that is watched, line by line, for a screen of any size; sizes go before a price is cut.

Nothing is said by colour alone: sides have names, and a feed that is down says so.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import zip_longest

from rich.text import Text

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.openbook.feed.words import Levels, Update
from bmv.adapters.report.market_text import UNKNOWN, WORDS, even, second_text, spread_text, waiting_text
from bmv.adapters.report.tables import laid, printable
from bmv.adapters.report.watch.board import Board
from bmv.data.runs.wording import span

LEVELS, TRADES_LEAST = 10, 3
TALL = 24  # Lines; on a lower screen a fact has one line, whatever is cut off it.
BID, ASK = "green", "red"
STYLES = {Side.BID: BID, Side.ASK: ASK}  # What a taker does.
NAME, WARNING, QUIET = "bold", "bold red", "dim"
MIDDLE = "   "
HANGING = " " * 10  # Below the text of a fact.
SECOND_NS = 10**9
SKEW_S = 2  # The chain's clock has whole seconds, and is that of the block before.


def page(board: Board, name: str, slot_ns: int | None, now_ns: int, width: int, height: int) -> list[Text]:
    """Return the lines of the page, as many as fit.

    Args:
        board: What there is to show.
        name: Of the market.
        slot_ns: How long a slot takes; None: that is not known.
        now_ns: Our clock.
        width, height: Of the screen, in characters.
    """
    lines = 2 if height >= TALL else 1
    head = [line for fact in _facts(board, name, slot_ns, now_ns) for line in _fact(*fact, width)[:lines]]
    foot = [*_note(board, width)[:lines], _counts(board)]
    room = max(height - len(head) - len(foot) - 2, 0)  # Both tables have a line above them.
    levels = min(LEVELS, max(room - TRADES_LEAST, 0))
    tables = [*_book(board, levels, width), *_trades(board, room - levels, width)] if levels else []
    blank = [Text()] * (height - len(head) - len(tables) - len(foot))
    return [_cut(line, width) for line in (*head, *tables, *blank, *foot)][:height]


def _cut(line: Text, width: int) -> Text:
    """Return a line as it fits; only words are cut, numbers of tables fit already."""
    line.no_wrap = True
    line.truncate(width, overflow="ellipsis")
    return line


def _fact(name: str, text: str, style: str, width: int) -> list[Text]:
    """Return a fact behind its name, on two lines at most."""
    lines = laid(f"{name:<{len(HANGING)}}{printable(text)}", width, HANGING).splitlines()
    shown = [*lines[:1], *([" ".join((lines[1], *map(str.strip, lines[2:])))] if lines[1:] else [])]
    return [Text.assemble((line[: len(HANGING)], NAME), (line[len(HANGING) :], style)) for line in shown]


def _facts(board: Board, name: str, slot_ns: int | None, now_ns: int) -> Iterator[tuple[str, str, str]]:
    """Yield name, text and style of each."""
    inspection, update = board.inspection, board.update
    yield "market", f"{name} on {inspection.venue}, {inspection.address}", ""
    yield ("feed", *_feed(board))
    if update is None:
        yield "slot", UNKNOWN, ""
        yield "time", UNKNOWN, ""
    else:
        pace = "" if slot_ns is None else f", {slot_ns / 1e6:.0f} ms a slot"
        heard = max(now_ns - update.received_ns, 0) / SECOND_NS
        yield "slot", f"{update.slot:,}{pace}, heard {heard:.1f} s ago", ""
        yield "time", f"{second_text(update.unix_timestamp)} by the chain's clock{_skew(update)}", ""
    age = max(now_ns - board.read_ns, 0) / SECOND_NS
    waiting = waiting_text(inspection.backlog, inspection.unix_timestamp)
    yield "crank", f"{waiting}; read {age:.0f} s ago", ""
    if inspection.findings:
        yield "wrong", f"{inspection.findings[0].text}; bmv market says more", WARNING


def _feed(board: Board) -> tuple[str, str]:
    """Return how the feed does, and the style of that."""
    if board.down is not None:
        return f"DOWN, {board.down.cause}: {board.down.why}", WARNING
    if board.up is None:
        return "connecting", ""
    return f"up, {board.up.endpoint}, {board.up.consensus}", ""


def _skew(update: Update) -> str:
    """Return how far the chain's clock was from ours when this came."""
    ahead = update.received_ns // SECOND_NS - update.unix_timestamp
    if abs(ahead) <= SKEW_S:
        return ""
    return f", {span(abs(ahead))} {'behind' if ahead > 0 else 'ahead of'} ours"


def _note(board: Board, width: int) -> list[Text]:
    if not board.note:
        return [Text()]
    when = "" if board.note_second is None else f"{_clock(board.note_second)} "
    return _fact("note", f"{when}{board.note}", "", width)


def _counts(board: Board) -> Text:
    counts = [(board.ups, "connection"), (board.forks, "fork"), (board.doubts, "doubt")]
    told = ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)
    return Text(f"{told} since the start; Ctrl-C or q ends it", QUIET)


def _book(board: Board, rows: int, width: int) -> Iterator[Text]:
    """Yield the book side by side, best first; on a narrow screen prices only."""
    lots, update = board.inspection.lots, board.update
    if lots is None or update is None:
        yield _title("book", UNKNOWN)
        yield from [Text()] * rows
        return
    bid, ask = (side[0][0] if side else None for side in (update.bids, update.asks))
    old = "" if board.up else f"; this is of slot {update.slot:,}, and may be gone"
    yield _title("book", f"{spread_text(bid, ask, lots) or 'a side is empty'}{old}", "" if board.up else WARNING)
    bids, asks = _cells(update.bids[:rows], lots), _cells(update.asks[:rows], lots)
    size, price = (max([len(cell[at]) for cell in (*bids, *asks)], default=1) for at in (0, 1))
    if 2 * (len("bid  ") + size + price) + len(MIDDLE) > width:
        size = 0
    pairs = [_pair(*each, size, price) for each in zip_longest(bids, asks, fillvalue=("", ""))]
    yield from _indented(pairs, width)
    yield from [Text()] * (rows - len(pairs))


def _title(name: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{name:<{len(HANGING)}}", NAME), (text, style))


def _pair(bid: tuple[str, str], ask: tuple[str, str], size: int, price: int) -> Text:
    """Return two levels side by side; `size` and `price` are widths, and no sizes are shown where theirs is 0."""
    left = f"bid {bid[0]:>{size}} " if size and bid[1] else " " * (size and size + len("bid  "))
    right = f" {ask[0]:>{size}} ask" if size and ask[1] else ""
    return Text.assemble(left, (f"{bid[1]:>{price}}", BID), MIDDLE, (f"{ask[1]:<{price}}", ASK), right)


def _indented(lines: Sequence[Text], width: int) -> list[Text]:
    """Return lines below the texts of the facts, where there is room for that."""
    room = width - max((line.cell_len for line in lines), default=0)
    return [Text(HANGING) + line for line in lines] if room >= len(HANGING) else [*lines]


def _cells(levels: Levels, lots: Lots) -> list[tuple[str, str]]:
    """Return size and price of each level."""
    return [(even(lots.size(size), lots.lot), even(lots.price(price), lots.tick)) for price, size in levels]


def _trades(board: Board, rows: int, width: int) -> Iterator[Text]:
    lots, trades = board.inspection.lots, list(board.trades)[:rows]
    if lots is None or not trades:
        yield _title("trades", "none since the start")
        return
    yield _title("trades", f"the last {len(trades)}" if trades[1:] else "the last one")
    cells = _cells(tuple((one.print.price, one.print.size) for one in trades), lots)
    size, price = (max(len(cell[at]) for cell in cells) for at in (0, 1))
    texts = [
        f"{WORDS[trade.print.taker]:<6}{cell[0]:>{size}} at {cell[1]:>{price}}  {_clock(trade.unix_timestamp)}"
        for trade, cell in zip(trades, cells, strict=True)
    ]
    slots = [f"  slot {trade.slot:,}{'' if trade.slot <= board.root else ', may vanish'}" for trade in trades]
    if max(map(len, slots)) + max(map(len, texts)) > width:
        slots = [""] * len(slots)
    styles = [STYLES[trade.print.taker] for trade in trades]
    lines = [
        Text.assemble((text[:6], style), text[6:], slot) for text, style, slot in zip(texts, styles, slots, strict=True)
    ]
    yield from _indented(lines, width)


def _clock(second: int) -> str:
    try:
        return f"{datetime.fromtimestamp(second, UTC):%H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # The chain may say any number.
        return f"second {second}"
