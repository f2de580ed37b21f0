"""The report: one file that opens without a network and hides nothing."""

import re
import shutil
from pathlib import Path

import orjson
import pytest
from synthetic import CONFIG, nothing, write_run

from bmv.adapters.report.markup import element
from bmv.adapters.report.report import write
from bmv.data.runs.statistics.stats import statistics
from bmv.ports.errors import DataError


@pytest.fixture(scope="module")
def page(run_dir: Path) -> str:
    return write(run_dir).read_text("utf-8")


def without_program(page: str) -> str:
    """Return the page without its scripts."""
    return re.sub(r"<script.*?</script>", "", page, flags=re.S)


def test_the_page_loads_nothing_from_anywhere(page: str) -> None:
    shell = without_program(page)

    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", shell)
    assert "@import" not in shell
    assert "url(" not in shell
    assert "plotly.js v" in page


def test_the_page_offers_no_button_that_sends_the_trades_to_others(page: str) -> None:
    assert "showSendToCloud: false" in page


def test_every_figure_has_its_place_on_the_page(page: str) -> None:
    told = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, flags=re.S)
    assert told
    figures = orjson.loads(told[1])

    assert len(figures) == 6
    assert all(f'id="chart-{name}"' in page for name in figures)


def test_a_page_without_ratios_says_why(tmp_path: Path) -> None:
    outcome = nothing()
    run_dir = write_run(tmp_path / "run", outcome, statistics(outcome, CONFIG))

    shell = without_program(write(run_dir).read_text("utf-8"))

    assert "no Sharpe, Sortino or Calmar ratio: nothing was traded" in shell


def test_the_page_stays_small(page: str) -> None:
    assert len(page.encode()) < 8_000_000


@pytest.mark.parametrize(
    "said",
    [
        "+73.3311", "net above holding", "0123456789abcdef", "Bracket of belief", "take nothing from the tape", "funding",
        "entry_latency_ms, which was 60 ms", "12.2 % of the fills", "bad rows dropped", "start_quote", "ab" * 32,
        "rearm", "Refused by risk",
    ],
)  # fmt: skip
def test_the_page_tells_what_a_trader_looks_for(page: str, said: str) -> None:
    assert said in without_program(page)


def test_the_page_brackets_place_and_volume_and_does_not_say_that_the_profit_lies_between(page: str) -> None:
    shell = without_program(page)

    assert "Run front and back as well: our place lies between them, and as a rule our volume does" in shell
    assert shell.count("the profit need not") == 2  # Beside the bracket, and among what the simulation leaves out.
    assert "truth lies between" not in shell


def test_a_text_from_outside_cannot_become_markup(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    outcome = nothing()
    run_dir = write_run(
        tmp_path / "run", outcome, statistics(outcome, CONFIG), symbol=evil, warnings=[evil], digest=evil, venue=evil
    )

    text = write(run_dir).read_text("utf-8")

    assert evil not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_run_that_did_nothing_says_why_first(tmp_path: Path) -> None:
    outcome = nothing(refusals={"position": 9})
    run_dir = write_run(tmp_path / "run", outcome, statistics(outcome, CONFIG))

    text = without_program(write(run_dir).read_text("utf-8"))

    assert "Risk refused 9 intents: position (9)." in text
    assert text.index("Why nothing happened") < text.index("net profit")


def test_a_summary_of_less_than_everything_still_makes_a_page(tmp_path: Path) -> None:
    outcome = nothing()
    run_dir = write_run(tmp_path / "run", outcome, {"drawdown": {"max": None}}, quality=None)
    (run_dir / "manifest.json").unlink()

    assert "net profit" in write(run_dir).read_text("utf-8")


def test_tables_that_contradict_the_summary_are_told(run_dir: Path, tmp_path: Path) -> None:
    outcome = nothing()
    torn = write_run(tmp_path / "run", outcome, statistics(outcome, CONFIG), fills=3)

    assert "fills.parquet has 0 rows, but the summary counts 3" in write(torn).read_text("utf-8")
    assert "do not trust" not in write(run_dir).read_text("utf-8")


def test_a_missing_table_is_told_by_name(run_dir: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run_dir, tmp_path / "copy")
    (copy / "fills.parquet").unlink()

    with pytest.raises(DataError, match=r"fills\.parquet"):
        write(copy)


def test_text_is_escaped_where_it_enters_an_element_and_html_passes() -> None:
    made = element("p", "a < b & ", element("b", "c > d"), title='"')

    assert made == '<p title="&quot;">a &lt; b &amp; <b>c &gt; d</b></p>'
    assert element("p", f"{made}") == element("p", str(made)) != element("p", made)  # What is put together is text.
