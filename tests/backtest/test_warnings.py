"""What a run must be doubted for: said, in words that are true, and the gravest first."""

from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console
from synthetic import BREAKER, CONFIG, SECOND, START_NS, nothing

from bmv.adapters.config import load
from bmv.adapters.parquet.tape import ParquetTape
from bmv.adapters.report.report import write
from bmv.adapters.report.sheet import in_words, sections
from bmv.adapters.report.show import summary_table
from bmv.backtest import Backtest, Result
from bmv.backtest.api import EngineName
from bmv.data.runs.statistics.stats import breaker_warnings, statistics
from bmv.data.ticks.quality import GAP_NS, PRICES_KNOWN, PRICES_STRIDE
from bmv.data.ticks.schema import write_day
from bmv.data.ticks.synth.synth import SOL_USDC, synth
from bmv.ports.market_data import Columns
from bmv.ports.messages import Kind

DEMO = Path(__file__).parents[2] / "docs" / "examples" / "demo.toml"
MADE_UP = "the tape is made up (synthetic, seed 3): what is earned on it means nothing"
NO_QUOTES = "the tape has no quotes: fills come from prints alone, figures at the touch are unknown"


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a made-up tape."""
    return synth(tmp_path_factory.mktemp("lake"), seed=3, rows=8_000)[0]


@pytest.fixture(scope="module")
def prints(made_up: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of that tape's trades alone, which does not say where it is from."""
    rows = next(iter(ParquetTape([made_up], SOL_USDC).batches()))
    trades = Columns(*(column[rows.kind == Kind.TRADE] for column in rows))
    return write_day(tmp_path_factory.mktemp("prints") / "2025-09-03.parquet", trades, SOL_USDC)


def run(tape: Path, *settings: str) -> Result:
    return Backtest(load(DEMO, settings, {}), tape).run()


def on_screen(summary: dict[str, object]) -> str:
    console = Console(width=200, record=True, file=StringIO())
    console.print(summary_table(summary))
    return console.export_text()


def tripped(*changes: tuple[int, int]) -> list[str]:
    """Return what is said of a breaker that changed at so many seconds of a minute to such a tier."""
    rows = {"ts_ns": [START_NS + s * SECOND for s, _ in changes], "tier": [tier for _, tier in changes]}
    table = pl.DataFrame(rows | {"cause": ["fall"] * len(changes), "equity": [1.0] * len(changes)}, schema=BREAKER)
    return breaker_warnings(nothing(breaker=table, first_ns=START_NS, last_ns=START_NS + 60 * SECOND))


def read(tape: ParquetTape) -> list[str]:
    assert sum(len(batch.kind) for batch in tape.batches())
    return tape.quality.warnings


def quotes(ts_ns: Iterator[int] | range | list[int], bid: int = 100, step: int = 1, meet: int = 1) -> Columns:
    """Return a quote at each time; its bid goes up by `step` ticks a row, its ask stands `meet` steps above."""
    times = np.array(list(ts_ns), np.int64)
    bids, ones, none = bid + step * np.arange(len(times)), np.ones_like(times), np.zeros_like(times)
    return Columns(times, 2 * ones, none, none, none, bids, ones, bids + meet * step, ones)


def taped(folder: Path, rows: Columns, batch_rows: int = 524_288) -> ParquetTape:
    """Return a tape of rows whose times count from zero."""
    path = write_day(folder / "day.parquet", rows, SOL_USDC)
    return ParquetTape([path], SOL_USDC, batch_rows=batch_rows, earliest_ns=0)


def test_a_run_on_a_made_up_tape_says_so_first_in_summary_terminal_and_report(made_up: Path, tmp_path: Path) -> None:
    result = run(made_up)

    page = write(result.save(tmp_path / "run")).read_text("utf-8")

    assert result.summary["warnings"][0] == MADE_UP
    assert next(line for line in on_screen(result.summary).splitlines() if line.startswith("! ")) == f"! {MADE_UP}"
    assert f"<h2>Warnings</h2><ul><li>{MADE_UP}" in page


def test_a_tape_that_is_recorded_is_not_called_made_up(prints: Path) -> None:
    assert not any("made up" in warning for warning in run(prints).summary["warnings"])


def test_without_quotes_nothing_is_known_of_the_touch_and_the_run_says_so(prints: Path, made_up: Path) -> None:
    without, with_quotes = run(prints).summary, run(made_up).summary
    touch = ("bid_at_touch", "ask_at_touch", "both_at_touch")
    quoting = next(section for section in sections(without) if section.title == "Quoting")

    assert without["warnings"][0] == NO_QUOTES
    assert NO_QUOTES not in with_quotes["warnings"]
    assert without["statistics"]["uptime"]["two_sided"] > 0
    assert [without["statistics"]["uptime"][name] for name in touch] == [None] * 3
    assert None not in [with_quotes["statistics"]["uptime"][name] for name in touch]
    assert [in_words(row) for row in quoting.rows if "touch" in row.label] == ["–"] * 3


def test_depth_rows_show_a_touch_too() -> None:
    of_depth = nothing(counts=nothing().counts | {"depths": 5})

    assert statistics(of_depth, CONFIG)["uptime"]["bid_at_touch"] == 0
    assert statistics(nothing(), CONFIG)["uptime"]["bid_at_touch"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([], []),
        ([(15, 1), (30, 0)], []),
        ([(15, 3)], ["halted trading at 2025-09-03T00:00:15Z and it stayed so: 75.0 % of the time"]),
        ([(15, 3), (30, 0)], ["halted trading at 2025-09-03T00:00:15Z until 2025-09-03T00:00:30Z: 25.0 % of the time"]),
        (
            [(6, 2), (30, 3)],
            [
                "halted trading at 2025-09-03T00:00:30Z and it stayed so: 50.0 % of the time",
                "let positions only be reduced at 2025-09-03T00:00:06Z until 2025-09-03T00:00:30Z: 40.0 % of the time",
            ],
        ),
        (
            [(0, 3), (6, 0), (30, 3), (36, 0)],
            ["halted trading 2 times, first at 2025-09-03T00:00:00Z: 20.0 % of the time"],
        ),
    ],
    ids=["never", "warned", "stayed", "rearmed", "reduced", "twice"],
)
def test_a_breaker_that_tripped_is_told_with_its_time_and_its_share(
    changes: list[tuple[int, int]], said: list[str]
) -> None:
    assert tripped(*changes) == [f"the breaker {each}" for each in said]


def test_the_breaker_stands_after_what_is_wrong_with_the_whole_tape_and_before_its_rows(made_up: Path) -> None:
    result = run(made_up, "risk.breaker.max_loss=0.0001")

    warnings = result.summary["warnings"]

    assert warnings[0] == MADE_UP
    assert warnings[1].startswith("the breaker halted trading at 2025-09-03T00:")
    assert "and it stayed so" in warnings[1]


def test_warnings_stand_by_weight_with_meeting_books_and_holes_last(tmp_path: Path) -> None:
    rows = quotes([second * SECOND for second in (1, 2, 100)])
    rows.ask[1] = rows.bid[1]
    rows.bid_size[0] = 0
    rows.bid[0] = 0
    table = pl.DataFrame(rows._asdict()).with_columns(
        kind=pl.Series([2, 2, 9]), **dict.fromkeys(("side", "price", "size"))
    )
    path = write_day(tmp_path / "day.parquet", quotes([1]), SOL_USDC)
    words = pl.read_parquet_metadata(path) | {"bmv.source": "synthetic, seed 9"}
    last = table[1:2].with_columns(ts_ns=pl.lit(200 * SECOND))
    pl.concat([table, last]).select(pl.all().cast(pl.Int64)).write_parquet(
        path, metadata={key: word for key, word in words.items() if key.startswith("bmv.")}
    )

    warnings = read(ParquetTape([path], SOL_USDC, max_bad_share=0.5, earliest_ns=0))

    begins = (
        "the tape is made up",
        "the tape has no trades",
        "1 bad rows",
        "2 locked rows",
        "holes in",
        "no rows from",
    )
    assert len(warnings) == len(begins)
    for warning, begin in zip(warnings, begins, strict=True):
        assert warning.startswith(begin)


@pytest.mark.parametrize(("meet", "said"), [(0, "200 locked rows told"), (-1, "200 crossed rows told")])
def test_of_crossed_and_locked_only_what_there_was_is_told(tmp_path: Path, meet: int, said: str) -> None:
    warnings = read(taped(tmp_path, quotes(range(200), meet=meet)))

    assert [warning for warning in warnings if "told as they are" in warning] == [f"{said} as they are"]


@pytest.mark.parametrize(
    ("holes", "listed", "rest"), [(3, 3, []), (12, 3, ["and 9 more: quality.gaps in the summary"])]
)
def test_no_more_than_three_holes_are_told_one_by_one(tmp_path: Path, holes: int, listed: int, rest: list[str]) -> None:
    tape = taped(tmp_path, quotes(range(0, (holes + 1) * 2 * GAP_NS, 2 * GAP_NS)))

    warnings = read(tape)

    assert sum(warning.startswith("no rows from") for warning in warnings) == listed
    assert [warning.split(" has ")[0] for warning in warnings if warning.startswith("and ")] == rest
    assert len(tape.quality.as_dict()["gaps"]) == min(holes, 10)


@pytest.mark.parametrize("batch_rows", [1000, 524_288])
@pytest.mark.parametrize("step", [1, 2, 5, 10])
def test_a_tick_finer_than_every_price_is_asked_about(tmp_path: Path, step: int, batch_rows: int) -> None:
    rows = quotes(range(PRICES_STRIDE * (PRICES_KNOWN + 1)), bid=100 * step, step=step)

    warnings = read(taped(tmp_path, rows, batch_rows))

    coarse = Decimal("0.01") * step
    asked = f"lies on multiples of {coarse.normalize():f}, tick_size is 0.01: is it right?"
    assert [asked in warning for warning in warnings if "tick_size" in warning] == ([True] if step > 1 else [])


def test_few_prices_say_nothing_about_the_tick(tmp_path: Path) -> None:
    rows = quotes(range(PRICES_STRIDE * 100), bid=1000, step=0)
    rows.ask[:] = 1010

    assert not any("tick_size" in warning for warning in read(taped(tmp_path, rows)))


@pytest.mark.parametrize("queue", ["front", "power", "back"])
def test_the_bracket_has_the_volume_of_each_queue_and_marks_the_run_s_own(
    made_up: Path, tmp_path: Path, queue: str
) -> None:
    result = run(made_up, f"simulation.queue={queue}")

    page = write(result.save(tmp_path / "run")).read_text("utf-8")

    bracket = result.bracket
    assert list(bracket) == list(dict.fromkeys(("front", queue, "back")))
    assert [name for name, row in bracket.items() if row["own"]] == [queue]
    assert bracket[queue]["volume"] == result.fills["size"].sum() > 0
    assert bracket[queue]["digest"] == result.digest
    assert f"{queue} *" in on_screen(result.summary | {"bracket": bracket})
    assert f"<td>{queue.title()} (this run)</td>" in page
    assert "Volume filled" in page


@pytest.mark.parametrize(("first", "said"), [((0, 0, 0), False), ((1, 20_000, 5), True)])
def test_depth_that_does_not_begin_by_clearing_the_book_is_said_to_begin_amid_it(
    first: tuple[int, int, int], said: bool, tmp_path: Path
) -> None:
    rows = [
        (START_NS, Kind.TRADE, 1, 20_001, 5),
        (START_NS + 1, Kind.DEPTH, *first),
        (START_NS + 2, Kind.DEPTH, 1, 19_999, 5),
    ]
    table = np.array([(*row, 0, 0, 0, 0) for row in rows], np.int64).T.copy()
    path = write_day(tmp_path / "2023-11-14.parquet", Columns(*table), SOL_USDC)
    tape = ParquetTape([path], SOL_USDC)

    list(tape.batches())

    assert any("in the middle of a book" in warning for warning in tape.quality.warnings) is said


def test_a_breaker_that_was_rearmed_at_once_is_not_told_as_no_part_of_the_time() -> None:
    rows = {"ts_ns": [START_NS + 15 * SECOND, START_NS + 15 * SECOND + SECOND // 2], "tier": [2, 3]}
    table = pl.DataFrame(rows | {"cause": ["fall"] * 2, "equity": [1.0] * 2}, schema=BREAKER)

    _, reduced = breaker_warnings(nothing(breaker=table, first_ns=START_NS, last_ns=START_NS + 60 * SECOND))

    assert reduced == ("the breaker let positions only be reduced at 2025-09-03T00:00:15Z for less than a second")


def test_a_clock_that_is_set_in_the_middle_of_a_tape_is_the_first_thing_a_run_says(
    made_up: Path, tmp_path: Path
) -> None:
    rows = next(iter(ParquetTape([made_up], SOL_USDC).batches()))
    from_ns = int(np.quantile(rows.ts_ns, 0.7))
    times = rows.ts_ns + np.where((rows.kind == Kind.TRADE) & (rows.ts_ns >= from_ns), 100 * SECOND, 0)
    order = np.argsort(times, kind="stable")
    late = Columns(times[order], *(column[order] for column in rows[1:]))
    path = write_day(tmp_path / "2025-09-03.parquet", late, SOL_USDC)

    fused = Backtest(load(DEMO, [], {}), path).run()
    reference = Backtest(load(DEMO, [], {}), path, engine="reference").run()

    fit = fused.summary["statistics"]["fit"]
    assert fit["wrong_side_share"] < 0.25
    assert fit["outside_share"] < 0.75
    assert fit == reference.summary["statistics"]["fit"]
    assert fused.outcome.stretches.equals(reference.outcome.stretches)
    assert sum(fused.outcome.stretches["prints"]) == fit["prints"] > 64 * 32  # More than one stretch is of joined ones.
    said = fused.summary["warnings"][0]
    assert said.startswith("from 2025-09-03 ")
    assert "was one of the clocks of trades and quotes set then (daylight saving)" in said


@pytest.mark.parametrize("engine", ["fused", "reference"])
@pytest.mark.parametrize("lost", [True, False])
def test_a_feed_that_came_back_without_a_snapshot_is_told_by_prints_beyond_levels_that_stand(
    engine: EngineName, lost: bool, tmp_path: Path
) -> None:
    """The market goes down by a tick a print after a minute; the rows of its bids are lost, or are not."""
    start, rows = START_NS, [(START_NS, Kind.DEPTH, 0, 0, 0)]
    rows += [(start, Kind.DEPTH, 1, 20_000 - n, 5) for n in range(60)]
    rows += [(start, Kind.DEPTH, -1, 20_001 + n, 5) for n in range(9)]
    rows += [(start + n * SECOND, Kind.TRADE, -1, 20_000, 1) for n in range(1, 60)]
    for n in range(1, 50):
        now = start + (60 + n) * SECOND
        rows.append((now, Kind.TRADE, -1, 20_000 - n, 1))
        if not lost:
            rows.append((now, Kind.DEPTH, 1, 20_001 - n, 0))
    table = np.array([(*row, 0, 0, 0, 0) for row in rows], np.int64).T.copy()
    path = write_day(tmp_path / "2023-11-14.parquet", Columns(*table), SOL_USDC)

    warnings = Backtest(load(DEMO, [], {}), path, engine=engine).run().summary["warnings"]

    said = [
        warning for warning in warnings if "was the feed broken off, and begun again without a snapshot?" in warning
    ]
    assert len(said) == lost
    assert warnings[:lost] == said
