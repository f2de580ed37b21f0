"""A user's own strategy: the same compiled, called, and through the ports; and nothing it does wrong goes unsaid."""

import linecache
import re
import tomllib
from functools import partial
from hashlib import sha256
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import orjson
import pytest

from bmv.adapters.cli.main import main
from bmv.adapters.config import Config, load
from bmv.adapters.strategy import plugin
from bmv.backtest import Backtest, Result
from bmv.core.engine import Strategy
from bmv.core.kernel import kernel
from bmv.core.params import LEVELS_MAX, Params
from bmv.core.state import State
from bmv.data.ticks.synth.synth import synth
from bmv.ports.errors import ConfigError, DataError

EXAMPLES = Path(__file__).parents[3] / "docs" / "strategies"
ENGINES = ["fused", "reference"]


@kernel
def touch(params: Params, state: State, memory: Any, wanted: Any) -> int:
    """Join the best bid and the best ask with one base unit each."""
    if state.bid == 0 or state.ask == 0:
        return 0
    for row in range(2):
        wanted[row, 0] = 1 - 2 * row
        wanted[row, 1] = 0
        wanted[row, 2] = state.bid if row == 0 else state.ask
        wanted[row, 3] = 1000
        wanted[row, 4] = 0
    return 2


def plain_touch(params: Params, state: State, memory: Any, wanted: Any) -> int:
    """Want what `touch` wants, called as plain Python."""
    return touch(params, state, memory, wanted)


def of_two(params: Params, state: State) -> int:
    """Be no strategy."""
    return 0


@kernel
def uncompilable(params: Params, state: State, memory: Any, wanted: Any) -> int:
    """Want what no compiler knows."""
    import statistics

    return int(statistics.fmean([1.0]))


HEAD = """\
from bmv.core.kernel import kernel


{mark}
def mine(params, state, memory, wanted):
    if state.bid == 0 or state.ask == 0:
        return 0
"""


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a made-up tape, short: the reference run of it takes a tenth of a second."""
    return synth(tmp_path_factory.mktemp("lake"), seed=3, rows=2_000)[0]


@pytest.fixture(scope="module")
def longer_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a made-up tape that is long enough for some fills."""
    return synth(tmp_path_factory.mktemp("lake"), seed=3, rows=8_000)[0]


def written(folder: Path, body: str, compiled: bool) -> str:
    """Write a strategy with the lines of `body` into `folder`; return the configuration's name for it."""
    text = HEAD.format(mark="@kernel" if compiled else "") + indent(dedent(body), "    ")
    (folder / "mine.py").write_text(text, "utf-8")
    return f"{folder / 'mine.py'}:mine"


def run(tape: Path, strategy: str, engine: str, **settings: object) -> Result:
    """Run `strategy` under the settings of the microprice example, some of which may be others."""
    told = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
    config = load(EXAMPLES / "microprice.toml", [f"strategy={strategy}", *told], {})
    return Backtest(config, tape, engine="fused" if engine == "fused" else "reference").run()


def refused(made: Result) -> dict[str, int]:
    """Return how many intents risk refused, by code."""
    by_code: dict[str, int] = made.summary["statistics"]["refusals"]["by_code"]
    return by_code


def spoken(tape: Path, strategy: str, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """Run `strategy` by the command; return its exit code and what it said on standard error."""
    words = ["backtest", str(EXAMPLES / "microprice.toml"), "--data", str(tape), "--set", f"strategy={strategy}"]
    code = main([*words, "--no-report", "--json", "--out", str(tape.parent / "run"), *options])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("name", ["microprice", "plain"])
def test_an_example_says_the_same_words_in_both_engines(name: str, longer_tape: Path) -> None:
    fused = Backtest(EXAMPLES / f"{name}.toml", longer_tape, engine="fused")
    reference = Backtest(EXAMPLES / f"{name}.toml", longer_tape, engine="reference")

    made = [fused.run(), reference.run()]

    assert made[0].digest == made[1].digest
    assert made[0].fills.equals(made[1].fills)
    assert len(made[0].fills) > 20


def test_a_strategy_means_the_same_with_the_mark_and_without(longer_tape: Path, tmp_path: Path) -> None:
    unmarked = re.sub(r"^@kernel\n", "", (EXAMPLES / "microprice.py").read_text("utf-8"), flags=re.MULTILINE)
    (tmp_path / "unmarked.py").write_text(unmarked, "utf-8")

    compiled = run(longer_tape, f"{EXAMPLES / 'microprice.py'}:microprice", "fused")
    called = run(longer_tape, f"{tmp_path / 'unmarked.py'}:microprice", "fused")

    assert "@kernel\n" not in unmarked
    assert compiled.digest == called.digest
    assert len(compiled.fills) > 20


def test_a_strategy_begins_anew_with_each_run(tape: Path) -> None:
    backtest = Backtest(EXAMPLES / "plain.toml", tape)

    assert backtest.run().digest == backtest.run().digest


def test_what_it_remembers_is_there_at_its_next_call(tape: Path, tmp_path: Path) -> None:
    body = """
        memory[0] += 1.0
        wanted[0, 0], wanted[0, 1], wanted[0, 2] = 1, 0, 19_000 - int(memory[0])
        wanted[0, 3], wanted[0, 4] = 1000, 0
        return 1
    """

    made = run(tape, written(tmp_path, body, compiled=True), "fused", requote__tolerance_bps=0)

    assert made.summary["requotes"] == len(made.orders) > 100


def test_minus_one_leaves_everything_as_it_is(tape: Path, tmp_path: Path) -> None:
    body = """
        if memory[0] != 0.0:
            return -1
        memory[0] = 1.0
        wanted[0, 0], wanted[0, 1], wanted[0, 2], wanted[0, 3], wanted[0, 4] = 1, 0, state.bid - 3000, 1000, 0
        return 1
    """

    made = run(tape, written(tmp_path, body, compiled=True), "fused")

    assert made.orders["done"].to_list() == ["end"]
    assert made.summary["requotes"] > 100


def test_no_rows_cancel_what_rests(tape: Path, tmp_path: Path) -> None:
    body = """
        memory[0] += 1.0
        if memory[0] > 1.0:
            return 0
        wanted[0, 0], wanted[0, 1], wanted[0, 2], wanted[0, 3], wanted[0, 4] = 1, 0, state.bid - 3000, 1000, 0
        return 1
    """

    made = run(tape, written(tmp_path, body, compiled=True), "fused")

    assert made.orders["done"].to_list() == ["cancelled"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_greedy_strategy_is_cut_to_the_limit_on_the_position(engine: str, tape: Path, tmp_path: Path) -> None:
    body = """
        wanted[0, 0], wanted[0, 1], wanted[0, 2], wanted[0, 3], wanted[0, 4] = 1, 0, state.bid, 1_000_000, 0
        wanted[1, 0], wanted[1, 1], wanted[1, 2], wanted[1, 3], wanted[1, 4] = -1, 0, state.ask, 1_000_000, 0
        return 2
    """

    made = run(tape, written(tmp_path, body, compiled=False), engine)

    assert max(made.orders["size"].to_list()) == 60  # From one limit to the other.
    assert min(made.fills["position"].to_list()) == 20
    assert max(made.fills["position"].to_list()) == 80


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return 1 // (state.bid - state.bid)", "ZeroDivisionError"),
        ("raise ValueError('no quote today')", "ValueError: no quote today"),
        ("wanted[500, 0] = 1\nreturn 1", "IndexError"),
    ],
)
def test_what_a_strategy_raises_is_one_line_that_blames_the_strategy(
    body: str, told: str, compiled: bool, engine: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = spoken(tape, written(tmp_path, body, compiled), capsys, "--engine", engine)

    place = "(in machine code; --engine reference shows where)" if compiled and engine == "fused" else "(mine.py, line "
    assert code == 1
    assert said.startswith(f"error: the strategy failed: {told}")
    assert place in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("import sys\nsys.exit()", "SystemExit (mine.py, line "),
        ("raise SystemExit(0)", "SystemExit: 0 (mine.py, line "),
        ("import asyncio\nraise asyncio.CancelledError('stop')", "CancelledError: stop (mine.py, line "),
        ("raise type('Odd', (BaseException,), {})('mine')", "Odd: mine (mine.py, line "),
    ],
)
def test_a_strategy_that_ends_the_program_has_failed(
    body: str, told: str, engine: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = spoken(tape, written(tmp_path, body, compiled=False), capsys, "--engine", engine)

    assert code == 1
    assert said.startswith(f"error: the strategy failed: {told}")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "text", ["raise SystemExit\n", "import sys\nsys.exit(0)\n", "def __getattr__(name):\n    exit()\n"]
)
def test_a_file_that_ends_the_program_as_it_is_imported_has_failed(
    text: str, engine: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(text, "utf-8")

    code, said = spoken(tape, f"{tmp_path / 'mine.py'}:mine", capsys, "--engine", engine)

    assert code == 1
    assert "stopped as it was imported: SystemExit" in said


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("where", ["call", "import"])
def test_an_interrupt_stays_an_interrupt(where: str, engine: str, tape: Path, tmp_path: Path) -> None:
    strategy = written(tmp_path, "raise KeyboardInterrupt", compiled=False)
    if where == "import":
        (tmp_path / "mine.py").write_text("raise KeyboardInterrupt\n", "utf-8")

    with pytest.raises(KeyboardInterrupt):
        run(tape, strategy, engine)


@pytest.mark.parametrize("error", ["RuntimeError('odd')", "AssertionError('odd')"])
def test_whatever_machine_code_raises_is_blamed_on_the_strategy(
    error: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = spoken(tape, written(tmp_path, f"raise {error}", compiled=True), capsys)

    assert code == 1
    assert said.startswith(f"error: the strategy failed: {error.partition('(')[0]}: odd (in machine code")


def test_an_index_is_checked_in_a_marked_helper_too(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from bmv.core.kernel import kernel\n"
        "@kernel\ndef helper(wanted, row):\n    wanted[row, 0] = 1\n"
        "@kernel\ndef mine(params, state, memory, wanted):\n    helper(wanted, 500)\n    return 1\n"
    )

    code, said = spoken(tape, f"{file}:mine", capsys)

    assert (code, "IndexError" in said) == (1, True)


def test_a_marked_strategy_that_does_not_compile_says_so(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "import statistics\nreturn int(statistics.fmean([1.0]))"

    code, said = spoken(tape, written(tmp_path, body, compiled=True), capsys)

    assert code == 3
    assert "mine.py:mine' is marked @kernel and does not compile" in said
    assert "Remove the mark to run it as plain Python." in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        (None, "mine", "there is no file"),
        ("def other(params, state, memory, wanted):\n    return 0\n", "mine", "has no function mine; it has other"),
        ("mine = 3\n", "mine", "has no function mine"),
        ("import nothing_of_that_name\n", "mine", "can't be imported: ModuleNotFoundError"),
        ("def mine(params, state):\n    return 0\n", "mine", "mine(params, state, memory, wanted): too many"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_strategy_that_is_not_there_is_a_bad_configuration(
    engine: str, text: str | None, name: str, told: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "mine.py").write_text(text, "utf-8")

    code, said = spoken(tape, f"{tmp_path / 'mine.py'}:{name}", capsys, "--engine", engine)

    assert code == 3
    assert told in said
    assert len(said.splitlines()) == 1


GOOD = ("1", "0", "state.bid - 3000", "1000", "0")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((0, value) for value in ("0", "2", "-7", "-(2**63)")),
        *((1, value) for value in ("-2", "128", "2**61")),
        *((2, value) for value in ("0", "-5", "2**40", "2**62")),
        *((3, value) for value in ("-1", "2**40", "-(2**62)")),
        *((4, value) for value in ("-1", "3", "2**60")),
    ],
)
def test_a_row_that_is_no_order_is_dropped_and_counted(
    column: int, value: str, engine: str, tape: Path, tmp_path: Path
) -> None:
    row = ", ".join([*GOOD[:column], value, *GOOD[column + 1 :]])
    body = f"""
        wanted[0, 0], wanted[0, 1], wanted[0, 2], wanted[0, 3], wanted[0, 4] = {row}
        wanted[1, 0], wanted[1, 1], wanted[1, 2], wanted[1, 3], wanted[1, 4] = -1, 0, state.ask + 3000, 1000, 0
        return 2
    """

    made = run(tape, written(tmp_path, body, compiled=False), engine)

    assert refused(made)["malformed"] == made.summary["requotes"] > 100
    assert set(made.orders["side"]) == {-1}


def test_an_amount_that_int64_cannot_hold_is_no_order(tape: Path, tmp_path: Path) -> None:
    body = """
        wanted[0, 0], wanted[0, 1], wanted[0, 2], wanted[0, 3], wanted[0, 4] = -1, 0, 2**39, 2**39, 0
        return 1
    """

    made = run(tape, written(tmp_path, body, compiled=True), "fused")

    assert refused(made)["malformed"] == made.summary["requotes"] > 100
    assert not len(made.orders)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("rows", ["-2", "129"])
def test_a_number_that_is_no_number_of_rows_is_refused_and_named(
    rows: str, compiled: bool, engine: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = spoken(tape, written(tmp_path, f"return {rows}", compiled), capsys, "--engine", engine)

    assert code == 1
    assert said.startswith(f"error: mine.py:mine returned {rows}; expected the number of rows it wants")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("compiled", [True, False])
def test_rows_beyond_the_table_reach_nothing(
    compiled: bool, engine: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = f"""
        for row in range({2 * LEVELS_MAX}):
            wanted[row, 0], wanted[row, 1], wanted[row, 2] = 1, row, state.bid - row
            wanted[row, 3], wanted[row, 4] = 1, 0
        return 200
    """

    code, said = spoken(tape, written(tmp_path, body, compiled), capsys, "--engine", engine)

    assert code == 1
    assert "returned 200; expected the number of rows it wants" in said
    assert not (tape.parent / "run" / "orders.parquet").exists()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("body", "told"), [("pass", "None"), ("return 'two'", "'two'"), ("return 1.5", "1.5")])
def test_an_answer_that_is_no_whole_number_is_refused_and_named(
    body: str, told: str, engine: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = spoken(tape, written(tmp_path, body, compiled=False), capsys, "--engine", engine)

    assert code == 1
    assert said.startswith(f"error: mine.py:mine returned {told}; expected the number of rows it wants")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("body", "told"), [("pass", "a whole number or None"), ("return 1.5", "a")])
def test_a_marked_function_that_returns_no_whole_number_is_refused_as_it_is_compiled(
    body: str, told: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = spoken(tape, written(tmp_path, body, compiled=True), capsys)

    assert code == 3
    assert f"is marked @kernel and returns {told}" in said
    assert "expected the number of rows it wants" in said


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return nothing_of_that_name", "NameError: name 'nothing_of_that_name' is not defined"),
        ("return len(memory.nope)", "Unknown attribute 'nope'"),
        ("return 'a' + 3", "No implementation of function add"),
    ],
)
def test_what_does_not_compile_is_told_by_its_cause(
    body: str, told: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = spoken(tape, written(tmp_path, body, compiled=True), capsys)

    assert code == 3
    assert told in said
    assert told.startswith("NameError") or "(mine.py, line 8)" in said
    assert len(said.splitlines()) == 1


def test_under_debug_all_that_numba_says_is_told(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_DEBUG", "1")

    code, said = spoken(tape, written(tmp_path, "return len(memory.nope)", compiled=True), capsys)

    assert code == 3
    assert "During: Pass nopython_type_inference" in said


@pytest.mark.parametrize("engine", ENGINES)
def test_under_debug_the_traceback_begins_in_the_users_file(
    engine: str, tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMV_DEBUG", "1")
    strategy = written(tmp_path, "raise ValueError('no quote today')", compiled=False)

    code, said = spoken(tape, strategy, capsys, "--engine", engine)

    assert code == 1
    assert said.splitlines()[0] == "Traceback (most recent call last):"
    assert "mine.py" in said.splitlines()[1]
    assert "plugin.py" not in said


def test_a_csv_is_sent_to_the_commands_that_read_it(tmp_path: Path) -> None:
    (tmp_path / "ticks.csv").write_text("ts,price\n1,2\n")

    with pytest.raises(DataError, match=r"bmv data import.*bmv data convert"):
        Backtest(EXAMPLES / "microprice.toml", tmp_path / "ticks.csv").run()


def test_the_manifest_tells_one_text_of_a_strategy_from_another(tape: Path, tmp_path: Path) -> None:
    one = run(tape, written(tmp_path, "return 0", compiled=False), "fused").manifest()
    other = run(tape, written(tmp_path, "return -1", compiled=False), "fused").manifest()

    assert one["config"] == other["config"]
    assert one["strategy"] != other["strategy"]


def under(config: Config, queue: str) -> Config:
    """Return `config` under another queue model."""
    return config.model_copy(update={"simulation": config.simulation.model_copy(update={"queue": queue})})


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_decides_what_the_same_function_named_by_its_file_decides(engine: str, longer_tape: Path) -> None:
    spelling = f"{EXAMPLES / 'microprice.py'}:microprice"
    settings = load(EXAMPLES / "microprice.toml", ["strategy=nowhere.py:mine"], {})
    function = plugin.load(spelling)

    given = Backtest(
        settings, longer_tape, engine="fused" if engine == "fused" else "reference", strategy=function
    ).run()

    assert given.digest == run(longer_tape, spelling, "fused").digest
    assert len(given.fills) > 20


@pytest.mark.parametrize("strategy", [touch, plain_touch, partial(plain_touch)])
def test_a_function_means_the_same_compiled_and_called_and_through_the_ports(
    strategy: Strategy, longer_tape: Path
) -> None:
    first = Backtest(EXAMPLES / "microprice.toml", longer_tape, strategy=touch).run()

    made = [
        Backtest(EXAMPLES / "microprice.toml", longer_tape, engine="fused", strategy=strategy).run(),
        Backtest(EXAMPLES / "microprice.toml", longer_tape, engine="reference", strategy=strategy).run(),
    ]

    assert [each.digest for each in made] == [first.digest, first.digest]
    assert len(first.fills) > 20


def test_a_path_given_in_python_is_that_of_the_configuration(tape: Path) -> None:
    spelling = f"{EXAMPLES / 'plain.py'}:volatility"
    config = load(EXAMPLES / "microprice.toml", (), {})

    made = [Backtest(each, tape, strategy=spelling).run() for each in (config, EXAMPLES / "microprice.toml")]

    assert [each.config.strategy for each in made] == [spelling, spelling]
    assert [each.digest for each in made] == [run(tape, spelling, "fused").digest] * 2


def test_the_bracket_is_run_with_the_function_that_was_given(longer_tape: Path) -> None:
    config = load(EXAMPLES.parent / "examples" / "demo.toml", (), {})
    made = Backtest(config, longer_tape, strategy=touch).run()

    for queue in ("front", "back"):
        ours = Backtest(under(config, queue), longer_tape, strategy=touch).run()
        grid = Backtest(under(config, queue), longer_tape).run()
        assert made.bracket[queue]["digest"] == ours.digest != grid.digest


def bare(folder: Path) -> Path:
    """Write a configuration that has neither a grid nor a strategy into `folder`; return its file."""
    text = (EXAMPLES / "microprice.toml").read_text("utf-8")
    left = text[: text.index("[grid.bid]")] + text[text.index("[inventory]") :]
    file = folder / "bare.toml"
    file.write_text(re.sub(r"^strategy = .*$", "", left, flags=re.MULTILINE), "utf-8")
    return file


def test_a_function_needs_no_grid_in_the_file(tape: Path, tmp_path: Path) -> None:
    file = bare(tmp_path)

    with pytest.raises(ConfigError, match="grid"):
        Backtest(file, tape)
    assert Backtest(file, tape, strategy=touch).run().summary["orders"] > 20


def test_the_grid_is_not_blamed_where_a_function_wanted_nothing(tape: Path, tmp_path: Path) -> None:
    made = Backtest(bare(tmp_path), tape, strategy=typed(0, kept=True)).run()

    said = made.summary["statistics"]["why_nothing"]
    assert said[0] == "No order was placed."
    assert re.fullmatch(r"The strategy wanted nothing in [\d,]+ decisions.", said[1])
    assert len(said) == 2


def test_the_run_folder_says_which_function_ran_and_names_no_strategy_that_did_not(tape: Path, tmp_path: Path) -> None:
    folder = Backtest(EXAMPLES / "plain.toml", tape, strategy=touch).run().save(tmp_path / "run", report=False)

    text = (folder / "config.resolved.toml").read_text("utf-8")
    digest = sha256(Path(__file__).read_bytes()).hexdigest()
    assert orjson.loads((folder / "manifest.json").read_bytes())["strategy"] == {
        "name": "touch",
        "module": __name__,
        "file": __file__,
        "sha256": digest,
    }
    assert text.startswith(f"# A Python function decided: touch of {__name__} ({digest[:8]}).\n")
    assert "strategy" not in tomllib.loads(text)


def test_the_report_says_which_function_ran(tape: Path, tmp_path: Path) -> None:
    folder = Backtest(EXAMPLES / "plain.toml", tape, strategy=touch).run().save(tmp_path / "run")

    assert f"A Python function decided: touch of {__name__}" in (folder / "report.html").read_text("utf-8")


def test_the_run_folder_of_a_named_strategy_names_it_with_the_hash_of_its_file(tape: Path) -> None:
    spelling = f"{EXAMPLES / 'plain.py'}:volatility"
    digest = sha256((EXAMPLES / "plain.py").read_bytes()).hexdigest()

    told = run(tape, spelling, "fused").manifest()["strategy"]

    assert told == {"name": "volatility", "module": None, "file": str(EXAMPLES / "plain.py"), "sha256": digest}


def test_a_run_of_the_grid_names_no_strategy(tape: Path) -> None:
    assert Backtest(EXAMPLES.parent / "examples" / "demo.toml", tape).run().manifest()["strategy"] is None


TYPED = "def quote(params, state, memory, wanted):\n    return {answer}\n"


def typed(answer: int, kept: bool) -> Strategy:
    """Return a function that stands in no file; its text is `kept`, as a notebook keeps that of its cells, or is not."""
    text, place, names = TYPED.format(answer=answer), f"<cell {answer} {kept}>", {"__name__": "notebook"}
    exec(compile(text, place, "exec"), names)
    if kept:
        linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    return names["quote"]  # type: ignore[return-value]


def test_a_function_typed_into_a_notebook_is_known_by_its_own_text(tape: Path) -> None:
    one, other = (
        Backtest(EXAMPLES / "plain.toml", tape, strategy=typed(answer, kept=True)).run().manifest()["strategy"]
        for answer in (0, -1)
    )

    assert (one["name"], one["module"], one["file"]) == ("quote", "notebook", None)
    assert one["sha256"] == sha256(TYPED.format(answer=0).encode()).hexdigest() != other["sha256"]


def test_a_function_whose_text_nobody_kept_has_no_hash_and_the_run_folder_says_so(tape: Path, tmp_path: Path) -> None:
    made = Backtest(EXAMPLES / "plain.toml", tape, strategy=typed(0, kept=False)).run()

    text = (made.save(tmp_path / "run", report=False) / "config.resolved.toml").read_text("utf-8")
    assert made.manifest()["strategy"]["sha256"] is None
    assert text.startswith("# A Python function decided: quote of notebook, whose text is not known.\n")


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (3, "strategy = 3: expected a function of (params, state, memory, wanted), or its 'path.py:name'"),
        (of_two, "of_two(params, state, memory, wanted): too many positional arguments"),
        ("mine.txt", "in the form path.py:name"),
    ],
)
@pytest.mark.parametrize("form", ["file", "object"])
def test_what_is_no_strategy_is_refused_when_the_run_is_made(form: str, strategy: Any, told: str, tape: Path) -> None:
    file = EXAMPLES / "microprice.toml"

    with pytest.raises(ConfigError) as refused:
        Backtest(file if form == "file" else load(file, (), {}), tape, strategy=strategy)

    assert told in str(refused.value)


def test_a_strategys_file_is_opened_by_the_run_and_not_before(tape: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise RuntimeError('imported')\n", "utf-8")
    made = Backtest(EXAMPLES / "plain.toml", tape, strategy=f"{tmp_path / 'mine.py'}:mine")

    with pytest.raises(ConfigError, match="can't be imported: RuntimeError: imported"):
        made.run()


def test_a_marked_function_that_does_not_compile_is_named(tape: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{re.escape(__name__)}:uncompilable' is marked @kernel and does not comp"):
        Backtest(EXAMPLES / "microprice.toml", tape, strategy=uncompilable).run()
