"""Where values come from, and what an operator is told about a bad one."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from bmv.adapters.config import Config, build, load, load_with_origins
from bmv.ports.errors import ConfigError, UsageError

Write = Callable[[str], Path]

# Each row spoils the good file with one `--set`, and gives what the message must say.
BAD = [
    ("market.tick_siz=1", "market.tick_siz: unknown key (--set); did you mean market.tick_size?"),
    ("grid.bid.levls=1", "did you mean grid.bid.levels?"),
    ("halt_pct=3", "did you mean risk.breaker.halt_pct?"),
    ("griid.bid.levels=3", "griid: unknown key"),
    ("grid.bid.typo=3", "known here: levels, first_bps, step_bps, step_ratio, total_size, size_ratio"),
    ("grid.bid.total=3", "did you mean grid.bid.total_size?"),
    ("risk.breakr=3", "did you mean risk.breaker?"),
    ("pivot.colour=3", "known here: window_s, history_s, reference_weight, max_deviation_bps"),
    ("version=2", "version = 2 (--set): expected 1"),
    ("market.tick_size=0", "market.tick_size = 0 (--set): expected a number (quote per base), above 0"),
    ("market.tick_size=-0.01", "expected a number (quote per base), above 0"),
    ("market.tick_size=nan", "market.tick_size"),
    ("market.tick_size='1e-999999999'", "finer than 18 decimals"),
    ("market.tick_size='1e999999999'", "beyond 1000000000000000000"),
    ("market.tick_size=1e-15", "expected at least 0.000000000001"),
    ("market.lot_size=true", "market.lot_size = true"),
    ("market.symbol=''", "market.symbol"),
    ("market.venue=serum", "expected one of sim, openbook-v1, openbook-v2"),
    ("market.address=0OIl", "expected a string, in the form 32 to 44 letters of base58"),
    ("market.maker_fee_bps=0.00001", "expected steps of 0.0001 bps"),
    ("market.taker_fee_bps=4000", "from -1000 to 1000"),
    ("grid.bid.levels=65", "grid.bid.levels = 65 (--set): expected a whole number (orders), from 0 to 64"),
    ("grid.bid.levels=2.5", "grid.bid.levels"),
    ("grid.bid.levels=true", "grid.bid.levels = true"),
    ("grid.bid.levels='3'", 'grid.bid.levels = "3"'),
    ("grid.bid.first_bps=inf", "grid.bid.first_bps"),
    ("grid.bid.step_bps=4000", "level 2 lies 12010 bps from the centre, expected under 10000"),
    ("grid.bid.total_size=0.003", "grid.bid: level 0 is 0.000428571 base, under market.min_size = 0.001"),
    ("market.min_size=2", "grid.bid: level 0 is 1 base, under market.min_size = 2"),
    ("risk.max_open_orders=3", "4 levels in all, but at most 3 orders may be open"),
    ("risk.max_open_orders=200", "expected at most 128 (orders), which sim holds"),
    ("inventory.start_base=0.0005", "expected a whole number of lots of 0.001 base"),
    ("inventory.target=0.0005", "inventory.target = 0.0005: expected a whole number of lots"),
    ("inventory.start_base=-1", "inventory.start_base = -1 (--set): expected a number (base), from 0"),
    ("inventory.max_position=0.0001", "expected at least one lot of 0.001 base"),
    ("inventory.max_position=1e17", "expected at most 2^40 lots"),
    ("inventory.start_quote=1e18", "inventory.start_quote = 1000000000000000000: expected at most 2^61 quanta"),
    ("pivot.window_s=100000", "expected at most pivot.history_s = 86400 (s)"),
    ("pivot.history_s=1e300", "expected a number (s), from 0.001 to 2592000"),
    ("risk.breaker.halt_pct=101", "expected a number (%), above 0, to 100"),
    ("risk.breaker={warn_pct=5, halt_pct=4}", "risk.breaker.halt_pct = 4: expected at least warn_pct = 5 (%)"),
    ("risk.breaker.on_halt=panic", "expected one of cancel, flatten"),
    ("risk.stale_after_s=0", "above 0"),
    ("simulation.queue=middle", "expected one of front, back, power, log"),
    ("simulation.queue_power=9", "from 1 to 8"),
    ("simulation.seed=0", "from 1 to 2147483646"),
    ("simulation.fill_on_quotes=1", "expected true or false"),
    ("simulation.entry_latency_ms=-1", "simulation.entry_latency_ms.ms = -1"),
    ("simulation.entry_latency_ms=fast", "simulation.entry_latency_ms"),
    ('simulation.entry_latency_ms={model="normal"}', "expected one of constant, random, recorded, landing"),
    ('simulation.entry_latency_ms={model="random", median_ms=5}', "simulation.entry_latency_ms.p99_ms: missing"),
    ('simulation.entry_latency_ms={model="random", median_ms=5, p99_ms=4}', "expected at least median_ms = 5 (ms)"),
    ("storage.journal=mysql:x", "in the form sqlite:… or postgresql:…"),
    ("strategy=mine.txt", "in the form path.py:name"),
    ("live.jito.tip_lamports=1", "from 1000 to 1000000000"),
    ("live.jito.endpoint=https://x", "[[live.routes]]"),
    ("live.priority_fee_cap=5", "live.max_priority_fee_lamports took its place, in lamports for a whole transaction"),
    ("live.order_life_s=4", "live.order_life_s = 4 (--set): expected a whole number (s), from 5 to 65535"),
    ("live.order_life_s=65536", "from 5 to 65535"),
    ("live.open_orders=short", "in the form 32 to 44 letters of base58"),
    ("risk.max_fees_sol_per_day=0", "expected a number (SOL), above 0"),
    ("live.metrics_port=0", "live.metrics_port = 0 (--set): expected a whole number, from 1 to 65535"),
    ("live.traces_url=localhost:4318", "in the form http(s)://HOST:PORT/v1/traces"),
    ("live=3", "live = 3 (--set): expected a table [live]"),
]


@pytest.mark.parametrize(("override", "told"), BAD)
def test_a_bad_value_is_named_with_its_key_and_what_would_be_right(good: Path, override: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(good, [override], {})

    assert refused.value.exit_code == 3
    assert told in str(refused.value)
    assert all(line.startswith(f"{good}: ") for line in str(refused.value).splitlines())


def test_a_delegate_is_for_version_2_only(good: Path) -> None:
    delegate = "live.delegate=8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6"

    assert load(good, [delegate, "market.venue=openbook-v2"], {}).live.delegate
    with pytest.raises(ConfigError, match=r"live.delegate: openbook-v1 knows no delegates"):
        load(good, [delegate, "market.venue=openbook-v1"], {})


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("owner=8BnEgHoWFysVcuFFX7QztDmzuH8r5ZFvyP3sYwn1XTh6", "live.owner: openbook-v1 knows no delegates"),
        ("deposit_base=1", "live.deposit_base: openbook-v1 takes no deposits"),
        ("deposit_quote=0.5", "live.deposit_quote: openbook-v1 takes no deposits"),
    ],
)
def test_an_owner_and_his_deposits_are_for_version_2_only(good: Path, key: str, words: str) -> None:
    assert load(good, [f"live.{key}", "market.venue=openbook-v2"], {})
    with pytest.raises(ConfigError, match=words):
        load(good, [f"live.{key}", "market.venue=openbook-v1"], {})


def test_a_position_whose_worth_int64_cannot_hold_is_refused(good: Path) -> None:
    with pytest.raises(ConfigError, match="int64 can't hold it: take coarser steps"):
        load(good, ["market.quote_step=1e-12", "inventory.max_position=1000000"], {})


def test_all_problems_are_told_at_once(good: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(good, ["grid.bid.levels=-1", "pivot.window=3", "simulation.seed=0"], {"BMV__DATA__MAX_BAD_SHARE": "2"})

    assert len(str(refused.value).splitlines()) == 4
    assert "data.max_bad_share = 2.0 (environment BMV__DATA__MAX_BAD_SHARE)" in str(refused.value)


def test_what_keys_get_wrong_together_is_told_beside_what_one_gets_wrong_alone(good: Path) -> None:
    wrong = ["grid.bid.typo=1", "data.max_bad_share=2", "simulation.entry_latency_ms=-1", "market.maker_fee_bps=none"]
    together = ["pivot.window_s=100000", "risk.max_open_orders=2"]

    with pytest.raises(ConfigError) as refused:
        load(good, [*wrong, *together], {})

    told = [line.removeprefix(f"{good}: ").split(" ")[0] for line in str(refused.value).splitlines()]
    assert sorted(told[:4]) == sorted([
        "grid.bid.typo:", "data.max_bad_share", "simulation.entry_latency_ms.ms", "market.maker_fee_bps",
    ])  # fmt: skip
    assert told[4:] == ["grid:", "pivot.window_s"]


@pytest.mark.parametrize(
    "sets",
    [
        ["grid.bid.levels=-1", "risk.max_open_orders=2"],  # Two levels stand on the other side, and how many here?
        ["pivot.history_s=-1", "pivot.window_s=100000"],
        ["market.venue=serum", "risk.max_open_orders=100"],
        ["market.tick_size=-1", "inventory.start_base=0.0005"],
    ],
)
def test_a_key_is_not_blamed_for_what_depends_on_a_wrong_one(good: Path, sets: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load(good, sets, {})

    assert len(str(refused.value).splitlines()) == 1


def test_an_empty_file_is_told_every_key_it_lacks(write: Write) -> None:
    with pytest.raises(ConfigError) as refused:
        load(write(""), (), {})

    for key in ("version", "market.symbol", "market.maker_fee_bps", "market.taker_fee_bps", "grid.ask.total_size"):
        assert f"{key}: missing" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version = ", "not TOML: Invalid value (at end of document)"),
        (b"version = 1\nversion = 1\n", "at line 2"),
        (b"symbol = '\xff'", "expected UTF-8 text, found another byte at 10"),
        (b"version = " + b"9" * 5000, "not TOML"),
        (b"version = " + b"[" * 100_000, "not TOML"),
        (b"version = 1\x00", "not TOML"),
    ],
)
def test_a_file_that_is_not_toml_is_refused_without_a_traceback(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "my.toml"
    file.write_bytes(content)

    with pytest.raises(ConfigError) as refused:
        load(file, (), {})

    assert told in str(refused.value)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "none.toml", (), {})
    with pytest.raises(ConfigError, match="found a directory"):
        load(tmp_path, (), {})


def test_set_beats_environment_beats_file_beats_default(good: Path) -> None:
    env = {"BMV__GRID__BID__LEVELS": "2", "BMV__PIVOT__WINDOW_S": "60", "BMV_DEBUG": "1", "HOME": "/"}

    loaded = load_with_origins(good, ["grid.bid.levels=1"], env)

    assert loaded.config.grid.bid.levels == 1
    assert loaded.config.pivot.window_s == 60
    assert loaded.config.grid.bid.first_bps == 10
    keys = ("grid.bid.levels", "pivot.window_s", "grid.bid.first_bps", "pivot.history_s")
    assert [loaded.origins[key] for key in keys] == ["set", "env", "file", "default"]


def test_a_latency_can_be_given_as_a_number_and_changed_key_by_key(write: Write, good: Path) -> None:
    file = write(good.read_text() + "[simulation]\nentry_latency_ms = 5\n")
    overrides = [f"simulation.entry_latency_ms.{each}" for each in ("model=random", "median_ms=2", "p99_ms=9")]

    assert load(file, (), {}).simulation.entry_latency_ms.model == "constant"
    assert load(file, overrides, {}).simulation.entry_latency_ms.model == "random"


def test_text_that_is_no_toml_value_is_a_string(good: Path) -> None:
    assert load(good, ["market.symbol=JUP/USDC"], {}).market.symbol == "JUP/USDC"


@pytest.mark.parametrize("override", ["grid.bid.levels", "=3", ""])
def test_a_set_without_key_and_value_is_wrong_use(good: Path, override: str) -> None:
    with pytest.raises(UsageError):
        load(good, [override], {})


def test_amounts_mean_what_they_print(good: Path) -> None:
    config = load(good, ["market.tick_size=0.1", "market.lot_size='1e-3'"], {})

    assert (config.market.tick_size, config.market.lot_size) == (Decimal("0.1"), Decimal("0.001"))
    assert config.model_copy() == load(good, ["market.tick_size='0.10'"], {})


@pytest.fixture
def elsewhere(good: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder other than that of the good file; the test stands in it."""
    folder = good.parent / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def given_by(who: str, good: Path, key: str, value: str) -> Config:
    """Load the good file with `key` at the top of it, or given by `--set` or by the environment."""
    if who == "file":
        good.write_text(f'{key} = "{value}"\n' + good.read_text())
    sets = [f"{key}={value}"] if who == "set" else []
    return load(good, sets, {f"BMV__{key.upper()}": value} if who == "env" else {})


@pytest.mark.parametrize("who", ["file", "set", "env"])
def test_a_path_that_lies_only_beside_the_file_is_found_there_whoever_gave_it(
    who: str, good: Path, elsewhere: Path
) -> None:
    (good.parent / "mine.py").write_text("")

    assert given_by(who, good, "strategy", "mine.py:f").strategy == f"{good.parent.resolve() / 'mine.py'}:f"


@pytest.mark.parametrize("who", ["file", "set", "env"])
def test_a_path_that_lies_only_where_the_command_runs_is_found_there_whoever_gave_it(
    who: str, good: Path, elsewhere: Path
) -> None:
    (elsewhere / "mine.py").write_text("")

    assert given_by(who, good, "strategy", "mine.py:f").strategy == "mine.py:f"


@pytest.mark.parametrize(("who", "here"), [("file", False), ("set", True), ("env", True)])
def test_of_two_files_of_a_name_the_file_means_its_neighbour_and_a_command_what_its_shell_would(
    who: str, here: bool, good: Path, elsewhere: Path
) -> None:
    (good.parent / "mine.py").write_text("")
    (elsewhere / "mine.py").write_text("")

    found = given_by(who, good, "strategy", "mine.py:f").strategy

    assert found == ("mine.py:f" if here else f"{good.parent.resolve() / 'mine.py'}:f")


def test_a_path_inside_a_table_that_is_set_is_looked_for_too(good: Path, elsewhere: Path) -> None:
    (good.parent / "delays.csv").write_text("")
    (good.parent / "lake").mkdir()
    delays = 'simulation.entry_latency_ms={model="recorded", file="delays.csv"}'

    config = load(good, [delays, "storage.ticks=lake"], {})

    assert config.simulation.entry_latency_ms.model == "recorded"
    assert config.simulation.entry_latency_ms.file == str(good.parent.resolve() / "delays.csv")
    assert config.storage.ticks == str(good.parent.resolve() / "lake")


def test_a_name_too_long_for_any_file_is_looked_for_and_left_as_it_is(good: Path) -> None:
    spelling = f"{'x' * 300}.py:f"

    assert load(good, [f"strategy={spelling}"], {}).strategy == spelling


@pytest.mark.parametrize("who", ["file", "set"])
def test_an_empty_path_is_refused_and_not_taken_for_a_folder(who: str, good: Path) -> None:
    if who == "file":
        good.write_text(good.read_text() + '[storage]\nticks = ""\n')

    with pytest.raises(ConfigError, match=r"storage\.ticks"):
        load(good, ["storage.ticks="] if who == "set" else [], {})


def test_a_strategy_that_is_nowhere_keeps_its_spelling(good: Path, elsewhere: Path) -> None:
    assert load(good, ["strategy=mine.py:f"], {}).strategy == "mine.py:f"


@pytest.mark.parametrize("kind", [str, Path])
def test_a_url_is_no_path_of_a_configuration_and_not_repeated(kind: type[str] | type[Path]) -> None:
    with pytest.raises(UsageError, match="found a URL") as error:
        load(kind("postgresql://me:hunter2@db/bmv"))

    assert "hunter2" not in str(error.value)


def test_a_strategy_of_ones_own_needs_no_grid(good: Path) -> None:
    text = good.read_text()
    good.write_text('strategy = "x.py:f"\n' + text[: text.index("[grid.bid]")] + text[text.index("[inventory]") :])

    assert load(good, (), {}).grid.bid.levels == 0


@pytest.mark.parametrize(
    "word",
    [
        "postgresql://me:hunter2@db/bmv",
        "postgresql:me:hunter2@db/bmv",
        "postgresql://me:a hunter2@db/bmv",
        "host=db password=hunter2",
    ],
)
@pytest.mark.parametrize("key", ["storage.journal", "strategy", "market.symbol", "grid.bid.levels"])
def test_a_password_is_refused_and_not_repeated(good: Path, key: str, word: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(good, [f"{key}={word}"], {})

    assert f"{key} = " in str(refused.value)
    assert "***" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"live": {"endpoints": ["https://ok.example", {"at": "postgresql:me:hunter2@db/bmv"}]}},
        {"storage": ["host=db password=hunter2"]},
        {"host=db password=hunter2": 1},
    ],
)
def test_a_password_within_a_wrong_table_is_not_repeated(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as refused:
        build(version=1, **wrong)

    assert "hunter2" not in str(refused.value)


def test_a_configuration_made_in_python_is_refused_with_the_same_words() -> None:
    with pytest.raises(ConfigError, match=r"market\.symbol: missing"):
        build(version=1, market={})
    with pytest.raises(ConfigError, match="did you mean pivot"):
        build(version=1, pivt={})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"low": 1, "high": 5, "stp": 1}, "pivot.window_s.stp: unknown key; known here: low, high, step"),
        ({"values": 3}, "pivot.window_s.values = 3: expected a list"),
        ({"low": 1}, "pivot.window_s.high: missing"),
        (4, "pivot.window_s = 4: expected a list of values, {low, high"),
    ],
)
def test_what_is_wrong_with_an_axis_is_said_once_and_of_its_own_form(good: Path, given: object, says: str) -> None:
    from bmv.adapters.config.dump import inline

    good.write_text(f'{good.read_text()}\n[sweep.parameters]\n"pivot.window_s" = {inline(given)}\n')

    with pytest.raises(ConfigError) as told:
        load(good, (), {})
    assert says in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_a_key_with_single_underscores_in_the_environment_is_refused_with_its_right_spelling(good: Path) -> None:
    with pytest.raises(
        ConfigError, match="BMV_GRID_BID_LEVELS: is read by nothing; did you mean BMV__GRID__BID__LEVELS"
    ):
        load(good, (), {"BMV_GRID_BID_LEVELS": "8"})


def test_a_variable_that_nothing_reads_is_warned_of_and_those_of_the_program_are_not(
    good: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load(
        good, (), {"BMV_TRIAL": "x", "BMV_CACHE_DIR": "/elsewhere/c", "BMV_DEBUG": "1", "BMV_POSTGRES": "", "PATH": ""}
    )

    assert [record.getMessage() for record in caplog.records] == [
        "environment BMV_TRIAL: is read by nothing; did you mean BMV_TRIALS?"
    ]
