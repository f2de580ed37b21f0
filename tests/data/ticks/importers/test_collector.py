"""Messages of websockets: what is no message of Binance's ticks is refused by its line; depth is a whole book or a gap."""

import json
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_files import FIXTURES, T

from bmv.data.ticks.check.inspection import inspect
from bmv.data.ticks.importers import FORMS, Options, chosen
from bmv.data.ticks.importers.collector import BATCH_ROWS
from bmv.data.ticks.importers.resync import CLEAR, Change, Numbered, Snapshot, Update
from bmv.data.ticks.lake.intake import import_files
from bmv.data.ticks.lake.lake import Lake
from bmv.data.ticks.noted import noted_in
from bmv.ports.errors import DataError, UsageError
from bmv.ports.market import Market

MS = 10**6
Written = Callable[[str, str | bytes], Path]
TRADE = {"e": "trade", "T": T // MS, "s": "BTCUSDT", "t": 1, "p": "100.01", "q": "0.5", "X": "MARKET", "m": False}
DEPTH = {"e": "depthUpdate", "T": T // MS, "s": "BTCUSDT", "U": 1, "u": 2, "pu": 0, "b": [["99.99", "1"]], "a": []}
QUOTE = {"u": 1, "s": "BTCUSDT", "b": "99.99", "B": "1", "a": "100.01", "A": "2"}


def lines(*told: Any, stream: str = "") -> str:  # Any: what becomes JSON.
    messages = [{"stream": stream, "data": one} if stream else one for one in told]
    return "".join(f"{T + at * MS} {json.dumps(one)}\n" for at, one in enumerate(messages))


def read(path: Path, options: Options | None = None) -> pl.DataFrame:
    options = options or Options()
    return pl.concat(chosen(FORMS, path, None, options).read(path, options))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (lines(TRADE, TRADE | {"p": "cheap"}), "line 2: 'p' has 'cheap'; it should be a decimal number"),
        (lines(TRADE | {"q": "9" * 100_000 + "x"}), f"line 1: 'q' has '{'9' * 59}…; it should be a decimal number"),
        (lines(TRADE | {"q": "1_0"}), "line 1: 'q' has '1_0'; it should be a decimal number"),
        (lines(TRADE | {"q": None}), "line 1: 'q' has None; it should be a decimal number"),
        (lines(TRADE | {"q": "1e999"}), "line 1: 'q' has '1e999'; it should be a decimal number"),
        (lines(TRADE | {"m": "yes"}), "line 1: 'm' is 'yes'; it should be true or false"),
        (lines(TRADE | {"T": 93000}), "line 1: 'T' is 93000; it should be a time since 1970"),
        (lines(TRADE | {"T": "noon"}), "line 1: 'T' is 'noon'; it should be a whole number"),
        (lines({name: TRADE[name] for name in TRADE if name != "p"}), "line 1: a message trade without 'p'"),
        (lines(DEPTH | {"b": [["99.99"]]}), "line 1: 'b' has ['99.99']; each level should be a price and a size"),
        (lines(DEPTH | {"a": "none"}), "line 1: 'a' is no list of levels"),
        (lines(DEPTH | {"u": -2}), "line 1: 'u' is -2; it should be a whole number"),
        (lines(TRADE, TRADE | {"s": "ETHUSDT"}), "line 2: holds BTCUSDT and ETHUSDT; a tape is of one market"),
        (lines(TRADE, TRADE | {"e": "aggTrade"}), "line 2: holds trades and aggTrades, which tell the same prints"),
        (lines(TRADE, TRADE | {"e": "kline"}), "line 2: a message kline; read are those of Binance: trade, aggTrade,"),
        (lines({"topic": "publicTrade.BTCUSDT", "type": "snapshot"}), "line 1: a message without a name; read are"),
        (lines(DEPTH, stream="btcusdt@depth5@100ms"), "line 1: a part of a book (btcusdt@depth5@100ms)"),
        (lines({"lastUpdateId": 1, "bids": [], "asks": []}, stream="solusdt@depth20"), "line 1: a part of a book"),
        (lines(TRADE) + "17568576 {}\n", "line 2: begins with '17568576'; it should be the time at which the message"),
        (lines(TRADE) + f"{T} {{half", "line 2: after the time stands no JSON that can be read"),
        (lines(TRADE) + f"{T} " + "[" * 100_000 + "\n", "line 2: after the time stands no JSON that can be read"),
        (lines(TRADE) + f"{T} 5\n", "line 2: after the time stands no message"),
    ],
)
def test_what_is_no_message_of_ticks_is_refused_by_its_line(told: str, words: str, written: Written) -> None:
    path = written("btcusdt_20250903", told)

    with pytest.raises(DataError) as error:
        read(path, Options())

    assert f"{path}, {words}" in str(error.value)


def test_of_a_file_of_several_symbols_one_is_taken(written: Written) -> None:
    path = written("all.jsonl", lines(TRADE, TRADE | {"s": "ETHUSDT", "p": "5"}, TRADE))

    found = read(path, Options(only={"symbol": ["ETHUSDT"]}))

    assert found["price"].to_list() == [5.0]
    with pytest.raises(DataError, match="has no row for --only symbol=SOLUSDT"):
        read(path, Options(only={"symbol": ["SOLUSDT"]}))
    with pytest.raises(UsageError, match="--only level: of messages it goes by symbol and e"):
        read(path, Options(only={"level": ["0"]}))


def test_contracts_are_not_taken_for_coins_where_a_file_has_both(written: Written) -> None:
    path = written("all.jsonl", lines(TRADE, TRADE | {"s": "BTCUSD_PERP"}))

    with pytest.raises(DataError, match="line 2: BTCUSD_PERP in a file of BTCUSDT: contracts and coins in one"):
        read(path, Options(only={"symbol": ["BTCUSD_PERP"]}))


def test_a_snapshot_of_no_symbol_in_a_file_of_several_is_refused(written: Written) -> None:
    path = written("all.jsonl", lines({"lastUpdateId": 1, "bids": [], "asks": []}, TRADE, TRADE | {"s": "ETHUSDT"}))

    with pytest.raises(DataError, match="line 1: a snapshot that does not say of which symbol, in a file of several"):
        read(path, Options(only={"symbol": ["BTCUSDT"]}))


def test_of_trades_and_aggregated_trades_those_asked_for_are_taken(written: Written) -> None:
    path = written("both.jsonl", lines(TRADE, TRADE | {"e": "aggTrade", "a": 7, "q": "9"}, QUOTE))

    found = read(path, Options(only={"e": ["aggTrade", "bookTicker"]}))

    assert found["size"].to_list() == [9.0, None]
    assert found["id"].to_list() == ["7", None]


def test_what_answers_a_request_and_what_says_nothing_of_the_book_is_passed_over(written: Written) -> None:
    asides = [{"result": None, "id": 1}, {"code": -1003, "msg": "Too many"}, {"e": "markPriceUpdate", "s": "BTCUSDT"}]

    assert len(read(written("quiet.jsonl", lines(*asides, TRADE)))) == 1


def test_times_of_arrival_in_microseconds_are_known_by_their_size(written: Written) -> None:
    path = written("old.jsonl", f"{T // 1_000 + 7} {json.dumps(TRADE)}\n")

    assert read(path)["received_ns"].to_list() == [T + 7_000]


def test_depth_that_is_missing_is_a_gap_of_its_day_and_named_by_an_import_and_a_check(lake: Lake) -> None:
    path = FIXTURES / "btcusdt_20250903.gz"

    done = import_files([path], lake, "binance", Market("BTCUSDT.P", Decimal("0.01"), Decimal("0.25")))
    (day,) = lake.days()
    found = inspect(path, None, None, None, Options(), 0.01)

    (gap,) = noted_in(day.path, lake.manifest(day).sources)
    assert (gap.market, gap.source) == ("binance/BTCUSDT.P", "btcusdt_20250903.gz")
    assert (gap.from_ns - T, gap.to_ns - T, gap.rows) == (4 * MS, 5 * MS, None)
    assert gap.why == "changes of depth 121 to 130 are missing"
    assert [each._replace(market=gap.market) for each in done.files[0].gaps] == [gap]
    assert any("changes of depth 121 to 130 are missing; nobody knows" in line for line in found.words())


def test_a_recording_comes_in_batches_of_bounded_size(written: Written) -> None:
    levels = [[f"{100 - at / 100:.2f}", "1.5"] for at in range(400)]
    path = written("long.jsonl", lines(*(DEPTH | {"b": levels, "u": at + 1, "pu": at} for at in range(600))))
    form = chosen(FORMS, path, None, Options())

    sizes = [len(part) for part in form.read(path, Options())]

    assert sum(sizes) == 240_000
    assert max(sizes) < BATCH_ROWS + 400


# Depth by numbers.


def update(first: int, last: int, price: float, ts_ns: int | None = None) -> Update:
    return Update(last, last if ts_ns is None else ts_ns, None, first - 1, last, [(1, price, float(last))])


def book(changes: list[Change]) -> dict[tuple[int, float], float]:
    """Return the levels that stand after changes, told in the order of their times."""
    shown: dict[tuple[int, float], float] = {}
    for _, _, _, side, price, size in sorted(changes, key=lambda change: change[1]):
        if side == 0:
            shown.clear()
        else:
            shown[side, price] = size
    return {level: size for level, size in shown.items() if size}


def test_an_update_that_is_in_what_came_before_is_left_out() -> None:
    numbered = Numbered(lambda *_: None)

    told = [change for one in (update(1, 5, 9), update(3, 5, 8), update(6, 7, 7)) for change in numbered.update(one)]

    assert book(told) == {(1, 9): 5.0, (1, 7): 7.0}


def test_a_snapshot_older_than_a_hole_does_not_make_the_book_whole() -> None:
    gaps = list[tuple[int, int, str]]()
    numbered = Numbered(lambda *gap: gaps.append(gap))

    told = [change for one in (update(1, 5, 9), update(9, 10, 8)) for change in numbered.update(one)]
    told += numbered.snapshot(Snapshot(3, 6, 11, 6, [(1, 6.0, 6.0)]))
    told += numbered.end()

    assert book(told) == {}
    assert gaps == [(5, 10, "changes of depth 6 to 8 are missing")]


def test_of_what_is_held_back_no_more_than_so_many_levels_are_kept() -> None:
    numbered = Numbered(lambda *_: None)
    levels = [(1, float(price), 1.0) for price in range(999)]
    told = [change for one in (update(1, 1, 9), update(3, 3, 8)) for change in numbered.update(one)]

    for number in range(4, 300):
        told += numbered.update(Update(number, number, None, number - 1, number, levels))
    late = list(numbered.snapshot(Snapshot(300, 10, 300, 10, [(1, 7.0, 7.0)])))
    fresh = list(numbered.snapshot(Snapshot(301, 250, 301, 250, [(1, 7.0, 7.0)])))

    assert late == []
    assert len(fresh) == 2 + 999 * (299 - 250)
    assert book(told) == {}


@pytest.mark.parametrize("timed", [True, False], ids=["futures", "spot"])
@pytest.mark.parametrize("seed", range(40))
def test_the_book_told_is_the_venues_whenever_it_is_told_whole(seed: int, timed: bool) -> None:
    """A venue whose messages are lost now and then, and whose snapshots come late: what is told is what it had."""
    dice, number = random.Random(seed), 0
    books = {0: dict[tuple[int, float], float]()}  # The venue's book by its time.
    gaps, told, late = list[tuple[int, int, str]](), list[Change](), list[tuple[int, Snapshot]]()
    numbered, now, levels = Numbered(lambda *gap: gaps.append(gap)), 0, dict[tuple[int, float], float]()
    for step in range(200):
        now += dice.randrange(3)
        made = [(dice.choice((1, -1)), float(dice.randrange(1, 9)), float(dice.randrange(4))) for _ in range(3)]
        for side, price, size in made:
            levels[side, price] = size
        first, number = number + 1, number + dice.randrange(1, 4)
        one = Update(step, now, None, first - 1, number, made)
        books[now] = {level: size for level, size in levels.items() if size}
        if dice.random() < 0.1 or not step:
            whole = [(side, price, size) for (side, price), size in levels.items() if size]
            late.append((step + dice.randrange(6), Snapshot(step, now if timed else None, now, number, whole)))
        if dice.random() < 0.93 or step == 199:  # What is lost last nobody can tell.
            told += numbered.update(one)
        for due, snapshot in list(late):
            if due <= step:
                told += numbered.snapshot(snapshot)
                late.remove((due, snapshot))
    told += numbered.end()

    order = sorted(told, key=lambda change: change[1])
    begun = next((ts_ns for _, ts_ns, _, *level in order if tuple(level) == CLEAR), 0)
    missing = [(from_ns, to_ns) for from_ns, to_ns, _ in gaps]
    looked = 0
    for at, right in books.items():
        if at >= begun and not any(from_ns <= at <= to_ns for from_ns, to_ns in missing) and order[-1][1] >= at:
            before = [change for change in order if change[1] <= at]
            assert book(before) == right, (seed, at)
            looked += 1
    assert looked > 10
