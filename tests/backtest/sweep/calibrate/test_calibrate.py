"""Whether a verdict can be trusted: markets of which the answer is known, and how the answers are counted."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from numpy.typing import NDArray
from searches import bmv

from bmv.backtest.sweep import commands as cli
from bmv.backtest.sweep.calibrate import markets
from bmv.backtest.sweep.calibrate.calibrate import (
    CHECKS,
    MEANS,
    PARAMS,
    RESULT,
    STARTS,
    Case,
    Start,
    calibrate,
    cases,
    configured,
    counted,
)
from bmv.backtest.sweep.calibrate.markets import (
    ECHO_ROWS,
    FEE_BPS,
    HALF_SPREAD,
    NATURES,
    TRENDS,
    Nature,
    Trend,
    made_up,
)
from bmv.backtest.sweep.calibrate.tally import verdict_of
from bmv.data.runs.product import product_hash
from bmv.data.ticks.synth.synth import quantiles
from bmv.ports.errors import DataError
from bmv.ports.market_data import Columns
from bmv.ports.messages import Kind

ROWS = 100_000
SEEDS = range(1, 7)
FEW = ("grid.bid.first_bps,grid.ask.first_bps=4:12:4", "pivot.window_s=30,120")


def quotes(columns: Columns) -> NDArray[np.int64]:
    """Return the mid after each quote, ticks."""
    return ((columns.bid + columns.ask) // 2)[columns.kind == Kind.QUOTE]


def mids(columns: Columns) -> NDArray[np.int64]:
    """Return the mid after each row, ticks."""
    at = np.maximum.accumulate(np.where(columns.kind == Kind.QUOTE, np.arange(len(columns.kind)), 0))
    return ((columns.bid + columns.ask) // 2)[at]


def surprise(known: Any, after: Any) -> float:
    """Return how many standard errors the correlation of what was known with what came after is away from 0.

    What came after varies in wild stretches more than in calm ones, so its own size weighs (White 1980).
    """
    x, y = np.asarray(known, float), np.asarray(after, float)
    x = x - x.mean()
    return float((x * y).sum() / np.sqrt((x * x * y * y).sum()))


@pytest.mark.parametrize("nature", NATURES)
def test_a_seed_is_the_same_market_byte_by_byte(nature: Nature, tmp_path: Path) -> None:
    once = markets.write(tmp_path / "once", nature, 7, 5_000)
    again = markets.write(tmp_path / "again", nature, 7, 5_000)

    assert once.read_bytes() == again.read_bytes()


def test_a_seed_is_the_same_market_on_every_machine() -> None:
    found = {
        nature: hashlib.sha256(np.stack(made_up(nature, 7, 5_000, 0)).tobytes()).hexdigest()[:16] for nature in NATURES
    }

    assert found == {"fair": "33a4d26c735d4ce1", "edge": "2b9c71c29ca11b80"}


def test_every_seed_and_either_nature_is_a_market_of_its_own() -> None:
    tapes = [np.stack(made_up(nature, seed, 2_000, 0)).tobytes() for nature in NATURES for seed in range(20)]

    assert len(set(tapes)) == len(tapes)


def test_a_market_fits_into_its_day() -> None:
    last = [int(made_up("fair", seed, markets.ROWS_MAX, 0).ts_ns[-1]) for seed in (1, 2)]

    assert max(last) < 86_400 * 10**9
    with pytest.raises(AssertionError, match="do not fit into a day"):
        made_up("fair", 1, markets.ROWS_MAX + 1, 0)


def test_a_move_of_the_walk_is_as_likely_up_as_down() -> None:
    for deviation in markets.VIGOUR:
        steps = quantiles(lambda share, deviation=deviation: markets._normal(deviation, share))

        assert (steps == -steps[::-1]).all()
        assert steps.any()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_was_seen_of_a_fair_market_tells_where_the_mid_goes(seed: int) -> None:
    columns = made_up("fair", seed, ROWS, 0)
    mid, moves = quotes(columns), np.diff(quotes(columns))
    quote = columns.kind == Kind.QUOTE
    shown = (columns.bid_size - columns.ask_size)[quote]
    bought = np.add.reduceat(columns.side, np.flatnonzero(quote))  # By takers, between a quote and the next.
    late = np.convolve(mid, np.ones(100) / 100)[99 : len(mid)]
    known = {
        "the last move": (moves[:-1], moves[1:]),
        "the last hundred moves": ((mid[100:] - mid[:-100])[:-1], moves[100:]),
        "the distance from a mean of late": ((mid[99:] - late)[:-1], moves[99:]),
        "the sizes shown": (shown[:-1], moves),
        "who has traded": (bought[:-1], moves),
        "who traded before": (bought[:-2], moves[1:]),
    }

    assert {name: round(surprise(*each), 1) for name, each in known.items() if abs(surprise(*each)) > 3.5} == {}


@pytest.mark.parametrize("nature", NATURES)
def test_prints_come_at_a_touch_that_is_always_two_ticks_wide(nature: Nature) -> None:
    columns = made_up(nature, 3, ROWS, 0)
    trades = columns.kind == Kind.TRADE

    assert ((columns.ask - columns.bid)[~trades] == 2 * HALF_SPREAD).all()
    assert (columns.price[trades] == (mids(columns) + columns.side * HALF_SPREAD)[trades]).all()
    assert abs(int(columns.side[trades].sum())) < 4 * np.sqrt(trades.sum())
    assert 0.38 < trades.mean() < 0.42


@pytest.mark.parametrize("seed", SEEDS)
def test_the_fee_is_more_than_a_maker_can_be_given_at_the_touch(seed: int) -> None:
    lowest = int(mids(made_up("fair", seed, markets.ROWS_MAX, 0)).min())

    assert float(FEE_BPS) > HALF_SPREAD / lowest * 1e4
    assert configured().market.maker_fee_bps == FEE_BPS


@pytest.mark.parametrize("seed", SEEDS)
def test_a_market_with_an_edge_takes_back_a_part_of_each_move(seed: int) -> None:
    mid = {nature: mids(made_up(nature, seed, ROWS, 0))[::ECHO_ROWS] for nature in NATURES}
    told = {nature: surprise(np.diff(each)[:-1], np.diff(each)[1:]) for nature, each in mid.items()}

    assert told["edge"] < -5 < -3.5 < told["fair"] < 3.5


def test_at_most_one_fair_market_in_twenty_and_at_least_four_of_five_with_an_edge() -> None:
    def of(fair: int, edge: int) -> dict[str, Any]:
        nothing = {"trend": "up6", "start": "half", "net": 1.0, "holdout_net": -1.0, "net_mean": -1.0,
                   "quoting_mean": -2.0, "market_mean": 1.0, "net_vs_hold_mean": None}  # fmt: skip
        worth = [("fair", n < fair) for n in range(40)] + [("edge", n < edge) for n in range(20)]
        return counted([nothing | {"nature": nature, "worth": told} for nature, told in worth])

    assert [of(2, 16)["ok"], of(3, 16)["ok"], of(2, 15)["ok"], of(0, 20)["ok"]] == [True, False, False, True]
    assert of(2, 16)["kinds"][0] == {
        "nature": "fair", "trend": "up6", "start": "half", "markets": 40, "worth": 2, "bound": 2, "ok": True,
        "net_above_0": 40, "holdout_above_0_too": 0, "net_mean": {"mean": -1.0, "error": 0.0},
        "quoting_mean": {"mean": -2.0, "error": 0.0}, "market_mean": {"mean": 1.0, "error": 0.0},
        "net_vs_hold_mean": {"mean": None, "error": None},
    }  # fmt: skip


def test_each_kind_is_counted_by_itself() -> None:
    nothing = dict.fromkeys(["net", "holdout_net", "net_mean", "quoting_mean", "market_mean", "net_vs_hold_mean"])
    found = [
        nothing | {"nature": "fair", "trend": trend, "start": "half", "worth": trend == "up10" and n < 3}
        for trend in ("none", "up10")
        for n in range(40)
    ]

    told = counted(found)

    assert [(part["trend"], part["worth"], part["ok"]) for part in told["kinds"]] == [
        ("none", 0, True), ("up10", 3, False),
    ]  # fmt: skip
    assert not told["ok"]


@pytest.mark.parametrize(("trend", "ends"), [("none", 0), ("up6", 1_200), ("down10", -2_000)])
def test_a_straight_trend_adds_its_line_to_all_prices_and_nothing_else(trend: Trend, ends: int) -> None:
    plain, drifting = made_up("fair", 3, ROWS, 0), made_up("fair", 3, ROWS, 0, trend)

    added = mids(drifting) - mids(plain)
    assert added[0] == 0
    assert abs(int(added[-1]) - ends) < 2
    assert np.abs(added - np.linspace(0, ends, ROWS)).max() < 3
    assert (drifting.price - drifting.side * HALF_SPREAD == mids(drifting))[drifting.kind == Kind.TRADE].all()
    assert (drifting.ask - drifting.bid == plain.ask - plain.bid).all()
    assert (drifting.ts_ns == plain.ts_ns).all()


def test_a_trend_that_turns_is_as_steep_as_a_straight_one_and_goes_either_way() -> None:
    added = np.stack([markets.drift("turns10", seed, 4_000) for seed in range(40)])

    steps = np.diff(added[:, ::1_000], axis=1)
    assert set(np.unique(steps)) == {-500, 500}
    assert 30 < (steps > 0).sum() < 90
    assert np.abs(np.diff(added, axis=1)).max() <= 1
    assert np.abs(added).max() <= 2_000


def test_a_trend_leaves_a_fair_market_fair_for_the_fee_stays_above_half_the_spread() -> None:
    lowest = min(int(mids(made_up("fair", seed, markets.ROWS_MAX, 0, "down10")).min()) for seed in (1, 2, 3))

    assert float(FEE_BPS) > HALF_SPREAD / lowest * 1e4


@pytest.mark.parametrize(("start", "base"), [("nothing", 0), ("half", 4), ("full", 8)])
def test_nothing_half_or_all_of_the_largest_position_is_held_at_first(start: Start, base: int) -> None:
    inventory = configured(start).inventory

    assert (inventory.start_base, inventory.target, inventory.max_position) == (base, 4, 4)
    assert inventory.start_base * 200 + inventory.start_quote == 1_800


def test_a_market_that_a_record_has_is_not_swept_again(tmp_path: Path) -> None:
    record, told = tmp_path / "kinds.jsonl", list[Any]()
    asked = cases(1, 0, 1, ["up6"], ["nothing"])

    once = calibrate(tmp_path / "a", asked, 1, told.append, rows=20_000, params=FEW, record=record)
    again = calibrate(tmp_path / "b", asked, 1, told.append, rows=20_000, params=FEW, record=record)

    assert len(told) == 1
    assert once["markets"][0].items() <= again["markets"][0].items()
    assert (tmp_path / "a" / "fair-1-up6-nothing").is_dir()
    with record.open("ab") as file:
        file.write(b'{"nature":"fa')  # Killed while it wrote.
    calibrate(tmp_path / "b", asked, 1, told.append, rows=20_000, params=FEW, record=record)
    assert len(told) == 1
    for asked_now in ({"rows": 30_000, "params": FEW}, {"rows": 20_000, "params": FEW[:1]}):
        with pytest.raises(
            DataError, match=r"line 1: expected (rows 30000|params \['[^']*'\]), as asked for now, found"
        ):
            calibrate(tmp_path / "c", asked, 1, told.append, record=record, **asked_now)
    record.write_bytes(record.read_bytes().replace(b'"code":"', b'"code":"0'))
    with pytest.raises(DataError, match="line 1: was swept by another version of bmv"):
        calibrate(tmp_path / "c", asked, 1, told.append, rows=20_000, params=FEW, record=record)
    record.write_text("{\n{")
    with pytest.raises(DataError, match="line 1: expected a market as a line of JSON"):
        calibrate(tmp_path / "c", asked, 1, told.append, rows=20_000, params=FEW, record=record)
    assert record.read_text() == "{\n{", "what is refused is left as it was"


def test_a_market_is_judged_by_itself_whichever_come_before_it(tmp_path: Path) -> None:
    before = os.environ.get("BMV_TRIALS")

    both = calibrate(tmp_path / "both", cases(2, 0, 1), 2, lambda _: None, keep=False, rows=20_000, params=FEW)
    alone = calibrate(tmp_path / "alone", [Case("fair", 2)], 1, lambda _: None, rows=20_000, params=FEW)

    assert both["markets"][1] == alone["markets"][0]
    assert both["markets"][0] != {**both["markets"][1], "seed": 1}
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == [RESULT, "trials.sqlite"]
    assert (tmp_path / "alone" / "fair-2" / "sweep" / "summary.json").is_file()
    assert os.environ.get("BMV_TRIALS") == before


def test_the_verdict_is_no_on_fair_markets_and_yes_on_those_with_an_edge(tmp_path: Path) -> None:
    told = list[dict[str, Any]]()
    rising = [Case("fair", 5, "up10"), Case("fair", 10, "up10"), Case("fair", 7, "up6"), Case("edge", 2, "up10")]

    result = calibrate(tmp_path, [*cases(1, 1, 1), *rising], 2, told.append)

    assert result["ok"], [verdict_of(each) for each in told]
    assert [(each["nature"], each["seed"], each["worth"]) for each in told] == [
        ("fair", 1, False), ("edge", 1, True), ("fair", 5, False), ("fair", 10, False), ("fair", 7, False),
        ("edge", 2, True),
    ]  # fmt: skip
    assert all(each["net"] > 35 > each["quoting"] for each in told[2:5]), "the market gave that to whoever held"
    assert all(each["net"] == pytest.approx(each["quoting"] + each["market"], abs=1e-6) for each in told)
    assert all(each["fills_mean"] > 300 for each in told), "a market on which nothing trades tries nothing"
    assert all(set(each["failed"]) <= set(CHECKS) for each in told)
    trials = pl.read_parquet(tmp_path / "edge-1" / "sweep" / "trials.parquet")
    assert trials["state"].unique().to_list() == ["complete"]
    assert orjson.loads((tmp_path / RESULT).read_bytes()) == result


def test_the_command_tells_each_market_with_its_seed_and_leaves_the_register_alone(tmp_path: Path) -> None:
    trials = tmp_path / "own.sqlite"

    made = bmv("sweep", "calibrate", "--fair", 1, "--edge", 0, "--seed", 5, "--json", cwd=tmp_path, trials=trials)

    assert made.returncode == 0, made.stderr
    market, last = map(orjson.loads, made.stdout.splitlines())
    assert (market["nature"], market["seed"], market["worth"]) == ("fair", 5, False)
    assert (last["ok"], [(part["nature"], part["markets"]) for part in last["kinds"]]) == (True, [("fair", 1)])
    assert not trials.exists()
    assert list(tmp_path.iterdir()) == []


def test_the_command_fails_where_the_verdict_is_wrong_too_often(tmp_path: Path) -> None:
    names = ["net", "quoting", "market", "dsr", "pbo", "fills", "holdout_net", "holdout_quoting"]
    names += [f"{name}_mean" for name in MEANS]
    wrong = Case("fair", 5, "up10")._asdict() | dict.fromkeys(names, 1.0) | {"worth": True, "failed": []}
    terms = {"code": product_hash(), "rows": markets.ROWS_MAX, "params": PARAMS}
    (tmp_path / "kinds.jsonl").write_bytes(orjson.dumps(wrong | terms) + b"\n")

    made = bmv(
        "sweep", "calibrate", "--fair", 1, "--edge", 0, "--seed", 5, "--trend", "up10", "--record", "kinds.jsonl",
        cwd=tmp_path, trials=tmp_path / "own.sqlite",
    )  # fmt: skip

    assert made.returncode == 1, made.stderr
    assert "✗ fair, up 10 %: found worth trading 1 times of 1; at most 0 wanted" in made.stdout


def test_the_command_knows_the_kinds_that_there_are() -> None:
    assert cli.DRIFTS == TRENDS
    assert tuple(STARTS) == cli.HOLDINGS


def test_a_folder_that_holds_something_is_not_calibrated_into(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "something").touch()

    made = bmv("sweep", "calibrate", "--out", "here", cwd=tmp_path, trials=tmp_path / "own.sqlite")

    assert made.returncode == 2
    assert "is not empty" in made.stderr


def test_a_folder_is_no_record(tmp_path: Path) -> None:
    made = bmv("sweep", "calibrate", "--record", ".", cwd=tmp_path, trials=tmp_path / "own.sqlite")

    assert (made.returncode, made.stderr.count("\n")) == (2, 1)
    assert "expected a file, found a folder" in made.stderr
