"""The statistics as a whole: every figure is there, and none of them is a lie that JSON cannot hold."""

from dataclasses import replace
from math import isfinite
from typing import Any

import orjson
import polars as pl
import pytest
from synthetic import BREAKER, CONFIG, day, nothing

from bmv.data.runs.statistics.stats import statistics


def leaves(tree: Any) -> list[Any]:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    return [tree] if inner is None else [leaf for branch in inner for leaf in leaves(branch)]


@pytest.mark.parametrize("outcome", [day(fills_wanted=50), day(fills_wanted=1), nothing()], ids=["50", "one", "none"])
def test_no_statistic_is_infinite_or_not_a_number(outcome: Any) -> None:
    found = statistics(outcome, CONFIG)

    numbers = [leaf for leaf in leaves(found) if isinstance(leaf, float)]
    assert numbers
    assert all(isfinite(number) for number in numbers)
    assert orjson.loads(orjson.dumps(found)) == found


def test_a_run_without_any_row_has_statistics() -> None:
    bare = nothing()
    outcome = replace(
        bare,
        equity=bare.equity.clear(),
        times=dict.fromkeys(bare.times, 0),
        counts=dict.fromkeys(bare.counts, 0),
    )

    found = statistics(outcome, CONFIG)

    assert found["drawdown"]["max"] is None
    assert found["uptime"]["two_sided"] is None
    assert found["inventory"]["mean"] is None
    assert found["ratios"]["sharpe"] is None
    assert found["ratios"]["reason"] == "nothing was traded"


def test_the_breaker_speaks_in_words() -> None:
    breaker = pl.DataFrame({"ts_ns": [5], "tier": [3], "cause": ["max_loss"], "equity": [90.0]}, schema=BREAKER)

    found = statistics(nothing(breaker=breaker), CONFIG)

    assert found["breaker"] == [{"ts_ns": 5, "tier": "halt", "cause": "max_loss", "equity": 90.0}]


def test_refusals_of_zero_intents_are_no_refusals() -> None:
    found = statistics(nothing(refusals={"position": 3, "balance": 0}), CONFIG)

    assert found["refusals"] == {"total": 3, "by_code": {"position": 3}, "share": 1.0}
