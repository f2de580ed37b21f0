"""The verdict: every check alone can take it away, and what cannot be known is no reason to trade."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest

from bmv.backtest.sweep.judge.overfitting import cscv
from bmv.backtest.sweep.judge.sharpe import deflated, each_sharpe, luck_variance
from bmv.backtest.sweep.judge.verdict import Reason, judge, verdict
from bmv.backtest.sweep.trials.accounts import Accounts
from bmv.ports.errors import DataError

PERIODS, SIDE = 120, 5
QUANTUM = 1e-6
PARAMETERS = [{"key": "grid.bid.first_bps", "low": 2.0, "high": 10.0}, {"key": "grid.bid.levels", "low": 1, "high": 5}]
SETTINGS = {"blocks": 8}
EVIDENCE, NET, DEFLATED, OVERFITTING, HOLDOUT, WALK, PLATEAU = range(7)


def returns(seed: int, edge: float, fall_off: float) -> np.ndarray:
    """Return the returns of 25 sets over both the search and the holdout (t, 25); the middle one has the most edge."""
    noise = np.random.default_rng(seed).normal(0, 1, (PERIODS + 40, SIDE * SIDE))
    away = np.array([(bid - 2) ** 2 + (levels - 2) ** 2 for bid in range(SIDE) for levels in range(SIDE)])
    return np.round((noise + edge - fall_off * away) * 1e6).astype(np.int64)


def frame_of(matrix: np.ndarray, **columns: Sequence[Any]) -> pl.DataFrame:
    n = matrix.shape[1]
    usual: dict[str, Any] = {
        "trial": range(n),
        "state": ["complete"] * n,
        "grid.bid.first_bps": [2.0 + 2 * (at // SIDE) for at in range(n)],
        "grid.bid.levels": [1 + at % SIDE for at in range(n)],
        "net": matrix.sum(axis=0) * QUANTUM,
        "feasible": [True] * n,
        "fills": [500] * n,
        "returns": matrix.T.tolist(),
        "held": [[0] * len(matrix)] * n,
        "mids": [[1] * (len(matrix) + 1)] * n,
    }
    return pl.DataFrame(usual | columns)


def holdout_of(matrix: np.ndarray, trial: int) -> dict[str, Any]:
    after = matrix[PERIODS:, trial]
    return account(after.tolist(), 90)


def account(returns: list[int], fills: int) -> dict[str, Any]:
    """Return what was earned with nothing held, as the holdout is told."""
    nothing: dict[str, Any] = {"held": [0] * len(returns), "mids": [1] * (len(returns) + 1)}
    return {"net": sum(returns) * QUANTUM, "returns": returns, "fills": fills, **nothing}


def judged(
    matrix: np.ndarray,
    *,
    ever: int = 25,
    holdout: Any = "its own",
    settings: Any = SETTINGS,
    known: Any = (),
    **columns: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:
    frame = frame_of(matrix[:PERIODS], **columns)
    best = frame.filter(pl.col("net") == pl.col("net").max())["trial"][0]
    after = holdout_of(matrix, best) if holdout == "its own" else holdout
    return judge(frame, PARAMETERS, "net", after, ever, known, settings, currency="USDC")


def oks(told: dict[str, Any]) -> list[bool | None]:
    return [reason["ok"] for reason in told["reasons"]]


EDGE = returns(1, 0.8, 0.15)
BEST = 12


def test_a_true_edge_is_worth_trading() -> None:
    validation, told = judged(EDGE)

    assert validation["trial"] == BEST
    assert oks(told) == [True] * 7
    assert told["worth"]
    assert told["headline"].startswith("Worth trading: trial 12 passes all 7 checks")


def test_noise_is_not_worth_trading_however_good_the_best_of_it_looks() -> None:
    verdicts = [judged(returns(seed, 0, 0))[1] for seed in range(30)]

    assert sum(told["worth"] for told in verdicts) <= 1
    assert all(told["reasons"][NET]["ok"] for told in verdicts)


def test_sets_that_all_lose_are_not_worth_trading() -> None:
    _, told = judged(returns(2, -0.5, 0.05))

    assert not told["worth"]
    assert told["reasons"][NET]["ok"] is False
    assert "lost" in told["reasons"][NET]["text"]
    assert told["reasons"][PLATEAU]["text"].startswith("Of its lead over the middle set in what quoting earned, ")


def test_figures_are_those_of_their_own_functions() -> None:
    validation, _ = judged(EDGE, ever=700)
    search = EDGE[:PERIODS]

    alone = deflated(search[:, BEST], each_sharpe(search), 700, luck_variance(PERIODS))
    folded = cscv(Accounts(search), 8)
    assert alone is not None
    assert folded is not None
    found = validation["deflated"]
    assert (found["dsr"], found["sr0"], found["n_trials"]) == (alone.dsr, alone.sr0, 700)
    assert (validation["overfitting"]["pbo"], validation["overfitting"]["n_combinations"]) == (folded.pbo, 70)
    assert sum(validation["overfitting"]["logits"]["counts"]) == 70
    assert validation["quantum"] == pytest.approx(QUANTUM)
    assert validation["net"]["quoting"] == pytest.approx(search[:, BEST].sum() * QUANTUM)
    folds = validation["walk_forward"]["folds"]
    assert validation["walk_forward"]["quoting"] == pytest.approx(sum(fold["test_quoting"] for fold in folds))


def test_whatever_comes_out_can_be_written_as_json() -> None:
    for matrix in (EDGE, EDGE * 0, EDGE[:, :1], returns(3, 0, 0)):
        assert b"NaN" not in orjson.dumps(judged(matrix))


def test_more_trials_ever_take_the_verdict_away() -> None:
    weak = returns(12, 0.28, 0.02)
    confidence = [judged(weak, ever=ever)[0]["deflated"]["dsr"] for ever in (25, 10_000)]

    _, told = judged(weak, ever=10**6)

    assert confidence[0] > confidence[1]
    assert told["reasons"][DEFLATED]["ok"] is False
    assert "1,000,000 sets" in told["reasons"][DEFLATED]["text"]


def test_the_trials_of_the_search_count_even_where_the_register_lost_them() -> None:
    assert judged(EDGE, ever=0)[0]["deflated"]["n_trials"] == 25


def test_sets_that_are_sure_to_lose_do_not_make_the_winner_lucky() -> None:
    validation, told = judged(returns(1, 0.8, 0.4))

    assert told["worth"]
    assert validation["deflated"]["dsr"] > 0.95 > validation["deflated"]["dsr_unbounded"]


def test_a_narrow_search_after_a_wide_one_is_no_smaller_gamble() -> None:
    twins = EDGE[:, BEST : BEST + 1] + np.random.default_rng(4).integers(-1000, 1000, EDGE.shape)
    wide = np.random.default_rng(5).normal(0, 0.09, 500)

    alone, after = (judged(twins, known=known)[0]["deflated"]["sr0"] for known in ((), wide))

    assert alone < after / 100


def test_too_few_fills_or_periods_with_movement_are_too_little_evidence() -> None:
    still = EDGE.copy()
    still[20:PERIODS] = 0

    few_fills, few_moves = judged(EDGE, fills=[29] * 25)[1], judged(still)[1]

    assert oks(few_fills) == [False, *[True] * 6]
    assert few_moves["reasons"][EVIDENCE]["ok"] is False
    assert "moved in 20 of 120 periods" in few_moves["reasons"][EVIDENCE]["text"]
    assert not few_fills["worth"]
    assert few_fills["headline"].startswith("Not worth trading: 1 of 7 checks fails. With 29 fills")


def test_a_lost_holdout_takes_the_verdict_away() -> None:
    lost = account([-1_000_000, -2_000_000, 1_000_000, -1_500_000], 12)

    _, told = judged(EDGE, holdout=lost)

    assert oks(told) == [True, True, True, True, False, True, True]
    assert told["reasons"][HOLDOUT]["text"] == (
        "In the holdout, which the search never saw, it lost 3.5000 USDC by quoting, with 12 fills; the market gave"
        " nothing to the position that it held on average."
    )


@pytest.mark.parametrize("holdout", [None, account([], 0)])
def test_without_a_holdout_nothing_is_worth_trading(holdout: Any) -> None:
    _, told = judged(EDGE, holdout=holdout)

    assert oks(told) == [True, True, True, True, None, True, True]
    assert not told["worth"]
    assert told["headline"].startswith("Not known to be worth trading: 1 of 7 checks cannot be made.")


def test_a_holdout_without_a_trade_is_not_passed() -> None:
    _, told = judged(EDGE, holdout=account([0] * 40, 0))

    assert told["reasons"][HOLDOUT] == {
        "ok": False,
        "text": "In the holdout, which the search never saw, it earned nothing by quoting, with 0 fills; the market gave"
        " nothing to the position that it held on average.",
    }


def test_a_single_set_cannot_be_told_from_luck() -> None:
    _, told = judged(EDGE[:, BEST : BEST + 1])

    assert oks(told) == [True, True, None, None, True, None, None]
    assert not told["worth"]


def test_sets_that_never_trade_are_judged_without_a_nan() -> None:
    validation, told = judged(EDGE * 0, fills=[0] * 25)

    assert oks(told) == [False, False, None, None, False, False, None]
    assert validation["deflated"]["dsr"] is None


def test_sets_among_which_the_best_of_one_half_is_any_in_the_other_are_not_worth_trading() -> None:
    validation, told = judged(returns(3, 0.8, 0))

    assert oks(told) == [True, True, True, False, True, True, True]
    assert validation["overfitting"]["pbo"] > 0.3
    assert validation["overfitting"]["prob_loss"] == 0


def test_a_spike_is_not_worth_trading() -> None:
    spike = np.random.default_rng(6).normal(0, 1, EDGE.shape)
    spike[:, BEST] += 0.8
    spike -= np.where(np.arange(25) == BEST, 0, 0.3)

    _, told = judged(np.round(spike * 1e6).astype(np.int64))

    assert oks(told) == [True, True, True, True, True, True, False]
    assert "a spike" in told["reasons"][PLATEAU]["text"]


def test_only_sets_within_the_constraints_are_chosen_from() -> None:
    feasible = [at != BEST for at in range(25)]
    frame = frame_of(EDGE[:PERIODS], feasible=feasible)

    validation, _ = judge(frame, PARAMETERS, "net", None, 25, [], SETTINGS)

    assert validation["trial"] != BEST
    assert BEST not in [fold["trial"] for fold in validation["walk_forward"]["folds"]]
    assert validation["walk_forward"]["sets"] == 24


def test_an_objective_to_be_small_is_judged_at_its_smallest() -> None:
    frame = frame_of(EDGE[:PERIODS], max_drawdown=[0.2] * 7 + [0.1] + [0.2] * 17)

    validation, _ = judge(frame, PARAMETERS, "max_drawdown", None, 25, [], SETTINGS, direction="minimize")

    assert validation["trial"] == 7


def test_the_trial_to_judge_may_be_named() -> None:
    assert judge(frame_of(EDGE[:PERIODS]), PARAMETERS, "net", None, 25, [], SETTINGS, best=3)[0]["trial"] == 3


def test_pruned_and_invalid_trials_have_no_returns_and_are_passed_over() -> None:
    states = ["pruned", "invalid", *["complete"] * 23]
    matrix = EDGE[:PERIODS].T.tolist()

    validation, _ = judged(EDGE, state=states, returns=[None, None, *matrix[2:]])

    assert validation["net"]["sets"] == 23


def test_a_search_without_a_complete_set_says_so() -> None:
    validation, told = judge(frame_of(EDGE[:PERIODS], state=["pruned"] * 25), PARAMETERS, "net", None, 25, [], SETTINGS)

    assert validation == {"trial": None}
    assert (told["worth"], oks(told)) == (False, [None])
    assert told["headline"].startswith("None of 25 sets ran to the end")


def test_returns_of_another_length_are_refused() -> None:
    broken = EDGE[:PERIODS].T.tolist()
    broken[4] = broken[4][:-1]

    with pytest.raises(DataError, match="column returns: trial 4 has 119 figures, expected 120 as in trial 0"):
        judge(frame_of(EDGE[:PERIODS], returns=broken), PARAMETERS, "net", None, 25, [], SETTINGS)


@pytest.mark.parametrize(("ok", "worth"), [(True, True), (False, False), (None, False)])
def test_only_what_holds_altogether_is_worth_trading(ok: bool | None, worth: bool) -> None:
    assert verdict(1, [Reason(True, "a"), Reason(ok, "b")])["worth"] is worth


def test_each_reason_is_a_plain_sentence_with_its_figures() -> None:
    _, told = judged(EDGE, ever=512)

    for reason in told["reasons"]:
        assert reason["text"][0].isupper()
        assert reason["text"].endswith(".")
        assert any(letter.isdigit() for letter in reason["text"])
    assert told["reasons"][NET]["text"] == (
        "The best of 25 sets, trial 12, earned 91.8559 USDC by quoting in the search; the market gave nothing to the"
        " position that it held on average."
    )
    assert "The luckiest of 512 sets tried on this data" in told["reasons"][DEFLATED]["text"]


def held_through(matrix: np.ndarray, rise: int) -> dict[str, Any]:
    """Return the columns of sets that held 10,000 quote while the mid rose by `rise` of 1,000 in each period."""
    periods, n = matrix.shape
    mids = (1_000_000 + rise * np.arange(periods + 1)).tolist()
    returns = matrix + 10_000_000_000 * rise // 1_000_000
    return {
        "returns": returns.T.tolist(), "held": [[10_000_000_000] * periods] * n, "mids": [mids] * n,
        "net": (returns.sum(axis=0) * QUANTUM).tolist(),
    }  # fmt: skip


def test_a_rise_of_the_market_is_no_skill_whatever_the_objective() -> None:
    noise = np.round(np.random.default_rng(3).normal(-0.1, 1, EDGE.shape) * 1e6).astype(np.int64)
    rising = held_through(noise[:PERIODS], 100)
    after = held_through(noise[PERIODS:], 100)

    for objective in ("net", "sharpe"):
        frame = frame_of(noise[:PERIODS], **rising, sharpe=[float(n) for n in range(25)])
        best = int(frame.sort(objective)["trial"][-1])
        holdout = {name: after[name][best] for name in ("net", "returns", "held", "mids")} | {"fills": 90}
        validation, told = judge(frame, PARAMETERS, objective, holdout, 25, [], SETTINGS, currency="USDC")

        assert validation["net"]["market"] == pytest.approx(10_000 * PERIODS * 100 / 1e6)
        assert validation["net"]["net"] == pytest.approx(validation["net"]["market"] + validation["net"]["quoting"])
        assert validation["holdout"]["market"] == pytest.approx(10_000 * 40 * 100 / 1e6)
        assert not told["worth"]
        assert told["reasons"][DEFLATED]["ok"] is False
        assert "the market gave 120.0000 USDC to the position" in told["reasons"][NET]["text"]


def test_the_same_sets_are_judged_the_same_in_a_market_that_rises_falls_or_stands() -> None:
    verdicts = []
    for rise in (0, 100, -100):
        frame = frame_of(EDGE[:PERIODS], **held_through(EDGE[:PERIODS], rise))
        after = held_through(EDGE[PERIODS:], rise)
        holdout = {name: after[name][BEST] for name in ("net", "returns", "held", "mids")} | {"fills": 90}
        validation, told = judge(frame, PARAMETERS, "net", holdout, 25, [], SETTINGS)
        verdicts.append((told["worth"], validation["deflated"]["dsr"], validation["overfitting"]["pbo"],
                         validation["holdout"]["quoting"], validation["plateau"]["kept"]))  # fmt: skip

    assert verdicts[0][0]
    assert verdicts[1][1:] == pytest.approx(verdicts[0][1:], rel=1e-6)
    assert verdicts[2][1:] == pytest.approx(verdicts[0][1:], rel=1e-6)


@pytest.mark.parametrize(("fills", "moving"), [(9, 40), (90, 12)])
def test_a_holdout_with_too_few_fills_or_movements_is_not_passed(fills: int, moving: int) -> None:
    returns = [1_000_000 + n for n in range(moving)] + [0] * (40 - moving)

    validation, told = judged(EDGE, holdout=account(returns, fills))

    assert oks(told) == [True, True, True, True, None, True, True]
    assert not told["worth"]
    assert "too little to judge by (30 fills and 30 periods are wanted)" in told["reasons"][HOLDOUT]["text"]
    assert (validation["holdout"]["fills"], validation["holdout"]["moving"]) == (fills, moving)


def test_where_the_bound_on_luck_alone_decides_verdict_and_reason_say_so() -> None:
    bounded, alike = judged(returns(1, 0.8, 0.4)), judged(returns(1, 0.8, 0.05))

    validation, told = bounded
    assert validation["deflated"]["bound_decides"]
    assert "Only a bound decides this" in told["reasons"][DEFLATED]["text"]
    assert "that of the deflated ratio by a bound alone" in told["headline"]
    validation, told = alike
    assert validation["deflated"]["dsr_unbounded"] > 0.95
    assert not validation["deflated"]["bound_decides"]
    assert "bound" not in told["reasons"][DEFLATED]["text"] + told["headline"]
