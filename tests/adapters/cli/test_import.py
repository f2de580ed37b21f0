"""What `bmv data import` says before it imports: which forms there are, and which steps would fit."""

from pathlib import Path

import pytest

from bmv.adapters.cli.main import main
from bmv.data.importers import FORMS

FIXTURES = Path(__file__).parents[2] / "data" / "importers" / "fixtures"
CSV = "time,bid,ask,bid_size,ask_size\n1756857600,99.98,100.02,0.5,0.75\n1756857601,99.96,100.02,0.5,0.25\n"


def test_the_help_says_of_each_form_what_the_form_says_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "import", "--help"])

    listed = capsys.readouterr().out.split("Forms (", 1)[1].split("Examples:")[0].splitlines()[1:]
    assert [tuple(line.split(maxsplit=1)) for line in listed if line.strip()] == [
        (form.name, form.about) for form in FORMS
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ticks.csv", "; --tick-size 0.02 --lot-size 0.25 would fit "),
        (FIXTURES / "BTCUSDT-trades-2025-09-03.zip", "; --tick-size 0.01 --lot-size 0.25 would fit "),
        (FIXTURES / "hftbacktest.npz", "; --tick-size 0.01 --lot-size 0.25 would fit "),
        (FIXTURES / "forex/oanda/tick/eurusd/20140501_quote.zip", "and as it records no sizes, any --lot-size does"),
    ],
)
def test_without_steps_those_that_would_fit_a_file_of_any_form_are_named(
    name: str | Path, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ticks.csv").write_text(CSV)
    lake = tmp_path / "lake"

    code = main(["data", "import", str(tmp_path / name), "--venue", "v", "--symbol", "X", "--lake", str(lake)])

    assert code == 2
    assert hint in capsys.readouterr().err
    assert not lake.exists()


def test_the_hint_reads_the_file_as_the_import_would(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text("when,p,q\n1756857600,1.5,2\n1756857601,1,4\n")
    columns = [word for pair in ("ts=when", "price=p", "size=q") for word in ("--column", pair)]

    main(["data", "import", str(path), "--venue", "v", "--symbol", "X", "--lake", str(tmp_path / "lake"), *columns])

    assert "; --tick-size 0.5 --lot-size 2 would fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "told"),
    [("words.csv", "words.csv: in none of the forms known"), ("none.csv", "none.csv: no such file")],
)
def test_a_file_that_cannot_be_read_is_refused_before_anybody_is_asked_for_its_steps(
    name: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.csv").write_text("to,be,or\nnot,to,be\n")

    code = main(["data", "import", str(tmp_path / name), "--venue", "v", "--lake", str(tmp_path / "lake")])

    assert code == 4
    assert told in capsys.readouterr().err
