"""What a watched market's page shows of what its feed said."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Lots, Side
from bmv.adapters.openbook.feed.words import (
    Cause,
    Doubted,
    Down,
    Late,
    Levels,
    Notice,
    Print,
    Traded,
    Undone,
    Up,
    Update,
)
from bmv.adapters.openbook.inspection.records import Asset, Backlog, Finding, Inspection
from bmv.adapters.report.watch.board import Board
from bmv.adapters.report.watch.page import page
from bmv.adapters.report.watch.words_json import word_json
from bmv.ports.errors import Refused

SECOND_NS = 10**9
NOW = 1_800_000_000
LOTS = Lots(10**6, 10, 9, 6)  # Ticks of 0.01, lots of 0.001.
BOUGHT, SOLD = Print(Side.BID, 15_002, 1_500), Print(Side.ASK, 15_000, 20)


def inspection(*findings: Finding) -> Inspection:
    key = Pubkey.default()
    coin = Asset(mint=key, decimals=6, vault=key, held=1, owed=0, freezer=None)
    return Inspection(
        venue="openbook-v2", program=key, address=key, name=None, slot=1, unix_timestamp=NOW, base=coin, quote=coin,
        lots=LOTS, maker_fee_bps=Decimal(0), taker_fee_bps=Decimal(0), bids=None, asks=None, trades=(), trades_note="",
        volume=0, backlog=Backlog(events=3, capacity=600, oldest=NOW - 2), notes=(), findings=findings,
    )  # fmt: skip


def update(slot: int, *prints: Print, bids: Levels = ((15_000, 1_000),), asks: Levels = ((15_002, 12_345),)) -> Update:
    return Update(
        slot=slot, parent=slot - 1, fresh=False, unix_timestamp=NOW, received_ns=NOW * SECOND_NS, bids=bids, asks=asks,
        traded=Traded(prints, 0),
    )  # fmt: skip


def board(*words: object, root: int = 0) -> Board:
    it = Board(inspection(), NOW * SECOND_NS)
    for word in words:
        it.hear(word, root)  # type: ignore[arg-type]  # Words of a feed.
    return it


def shown(it: Board, width: int = 80, height: int = 24) -> str:
    lines = page(it, "SOL/USDC", 200_000_000, NOW * SECOND_NS + SECOND_NS // 2, width, height)
    return "\n".join(line.plain for line in lines)


UP = Up("http://a", "alpenglow", 10)


def test_a_page_shows_slot_times_book_trades_and_crank() -> None:
    text = shown(board(UP, update(10, BOUGHT, SOLD), root=10))

    for words in (
        "up, http://a, alpenglow", "slot      10, 200 ms a slot, heard 0.5 s ago", "2027-01-15 08:00:00 UTC",
        "3 of 600 events wait, the oldest for 2 s; read 0 s ago", "spread 0.02 (1.33 bps)",
        "bid  1.000 150.00   150.02 12.345 ask", "buys  1.500 at 150.02  08:00:00  slot 10",
        "sells 0.020 at 150.00",
    ):  # fmt: skip
        assert words in text
    assert text.index("sells 0.020") < text.index("buys  1.500")  # The newest first.
    assert "may vanish" not in text


def test_what_is_not_final_may_vanish() -> None:
    assert "slot 10, may vanish" in shown(board(UP, update(10, BOUGHT), root=9))


def test_a_fork_takes_its_trades_back_and_is_told() -> None:
    it = board(UP, update(10, BOUGHT), update(11, SOLD), Undone(10, "a fork"))

    text = shown(it)
    assert "buys" in text
    assert "sells" not in text
    assert "08:00:00 what came after slot 10 is taken back: a fork" in text
    assert "1 fork," in text


def test_a_feed_that_is_down_takes_back_what_is_not_final_and_keeps_the_book_as_old() -> None:
    it = board(UP, update(10, BOUGHT), update(11, SOLD))
    it.hear(Down(Cause.SILENT, "http://a: is silent"), 10)

    text = shown(it)
    assert "DOWN, silent: http://a: is silent" in text
    assert "buys" in text
    assert "sells" not in text
    assert "this is of slot 11, and may be gone" in text


def test_a_feed_that_is_up_again_shows_no_old_book() -> None:
    it = board(UP, update(10), Down(Cause.SILENT, "silent"), UP, update(12))

    assert "may be gone" not in shown(it)
    assert "up, http://a" in shown(it)
    assert "DOWN" not in shown(it)
    assert "2 connections" in shown(it)


def test_trades_whose_logs_came_late_are_shown() -> None:
    assert "buys  1.500" in shown(board(UP, update(10), Late(10, (BOUGHT,))))


def test_what_an_operator_should_know_is_on_the_page() -> None:
    assert "08:00:00 look here" in shown(board(update(1), Notice(Cause.STALE, "look here")))
    assert "slots 5 to 7 are in doubt: lost" in shown(board(Doubted(4, 7, "lost")))
    assert "slot 5 is in doubt: lost" in shown(board(Doubted(4, 5, "lost")))
    wrong = Board(inspection(Finding(Refused, "quote vault: is frozen")), 0)
    assert "wrong     quote vault: is frozen" in shown(wrong)


@pytest.mark.parametrize(("bids", "asks"), [((), ()), (((15_000, 1),), ()), ((), ((15_000, 1),))])
def test_a_book_with_an_empty_side_is_shown_as_that(bids: Levels, asks: Levels) -> None:
    text = shown(board(UP, update(10, bids=bids, asks=asks)))

    assert "a side is empty" in text
    assert ("150.00" in text) is bool(bids or asks)


def test_what_others_wrote_commands_no_terminal() -> None:
    it = board(UP, update(10), Down(Cause.CONNECTION, "http://a: refuses: \x1b[2J\x07\nmore"))

    text = shown(it)
    assert "http://a: refuses: ?[2J??more" in text
    assert "\x1b" not in text
    assert len(text.splitlines()) == 24


def test_before_the_first_word_all_is_unknown() -> None:
    text = shown(board())

    assert "connecting" in text
    assert "slot      unknown" in text
    assert "book      unknown" in text


def test_ten_levels_a_side_fit_on_80_by_24() -> None:
    bids = tuple((15_000 - n, 10**n) for n in range(12))
    asks = tuple((15_002 + n, 10**n) for n in range(12))

    text = shown(board(UP, update(10, *[BOUGHT] * 9, bids=bids, asks=asks)))

    assert text.count(" ask") == 10
    assert text.count("buys") >= 3


def test_on_a_narrow_screen_sizes_go_before_a_number_is_cut() -> None:
    text = shown(board(UP, update(10)), width=24)

    assert "150.00   150.02" in text
    assert "12.345" not in text


@given(
    st.integers(1, 200), st.integers(1, 80), st.lists(st.tuples(st.integers(1, 2**40), st.integers(1, 2**60)), max_size=12)
)  # fmt: skip
def test_no_page_is_larger_than_its_screen(width: int, height: int, levels: list[tuple[int, int]]) -> None:
    it = board(UP, update(10, *[BOUGHT] * 9, bids=tuple(levels)), Notice(Cause.STALE, "a long note " * 30))

    lines = page(it, "SOL/USDC", None, 0, width, height)

    assert len(lines) == height
    assert max(line.cell_len for line in lines) <= width


def test_an_update_in_json_is_in_units_and_exact() -> None:
    word = word_json(update(10, BOUGHT), LOTS)

    assert (word["word"], word["slot"], word["bids"], word["asks"]) == (
        "update",
        10,
        [["150", "1"]],
        [["150.02", "12.345"]],
    )
    assert word["trades"] == [{"taker": "buys", "price": "150.02", "size": "1.5"}]


@pytest.mark.parametrize(
    ("word", "json"),
    [
        (UP, {"word": "up", "endpoint": "http://a", "consensus": "alpenglow", "slot": 10}),
        (Down(Cause.WENT_BACK, "x"), {"word": "down", "cause": "went back", "why": "x"}),
        (Undone(3, "a fork"), {"word": "undone", "after": 3, "why": "a fork"}),
        (Doubted(3, 4, "lost"), {"word": "doubted", "after": 3, "until": 4, "why": "lost"}),
        (Notice(Cause.STALE, "x"), {"word": "notice", "cause": "stale", "text": "x"}),
        (Late(3, (SOLD,)), {"word": "late", "slot": 3, "trades": [{"taker": "sells", "price": "150", "size": "0.02"}]}),
    ],
)
def test_every_word_of_a_feed_has_its_json(word: object, json: object) -> None:
    assert word_json(word, LOTS) == json  # type: ignore[arg-type]  # Words of a feed.
