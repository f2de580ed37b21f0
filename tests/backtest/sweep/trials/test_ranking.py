"""The table of the trials: made from rows that are read one by one, as if all had been there at once."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmv.backtest.sweep.trials.objectives import objectives_of
from bmv.backtest.sweep.trials.ranking import Lists, rank
from bmv.backtest.sweep.trials.row import TrialRow
from bmv.backtest.sweep.trials.space import parsed
from bmv.backtest.sweep.trials.study import Study

AXES = [parsed("grid.bid.levels=1:9:1")]
OBJECTIVES = objectives_of("net")
trial_lists = st.lists(st.one_of(st.none(), st.lists(st.integers(-(2**62), 2**62), min_size=3, max_size=3)), max_size=9)


def row(trial: int, net: float, digest: str, state: str = "complete", kept: bool = True) -> TrialRow:
    figures = {"net": net, "no_ratio": "nothing was traded"}
    lists = {"returns": [trial, 2], "held": [0, 0], "mids": [7, 8, 9]} if state == "complete" else {}
    return {
        "trial": trial, "set": {"grid.bid.levels": 1}, "state": state, "reason": "", "digest": digest,
        "objectives": [net] if state == "complete" else [], "violations": [-1.0 if kept else 1.0], "figures": figures,
        "net_of": [net], "halfway": [], **lists,
    }  # fmt: skip


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    with closing(Study(str(tmp_path / "journal.log"), "one", AXES, OBJECTIVES)) as study:
        yield study


@given(trial_lists)
def test_a_column_of_lists_is_what_polars_makes_of_them(lists: list[list[int] | None]) -> None:
    kept = Lists(len(lists))
    for each in filter(None, lists):
        kept.add(each)

    found = kept.series("held", [each is not None for each in lists])

    assert found.to_list() == lists
    assert found.dtype == pl.List(pl.Int64)
    assert found.n_chunks() == 1


def test_the_best_come_first_and_of_those_that_came_out_alike_the_first(study: Study) -> None:
    study.add(row(3, 5.0, "b"))
    for each in (row(0, 1.0, "a"), row(1, 5.0, "b"), row(2, 9.0, "c", kept=False), row(4, 0.0, "", "pruned")):
        study.add(each)

    found = rank(study, AXES, OBJECTIVES, ["tape"], bests=1)

    assert found.ranked == [1, 0]
    assert found.bests == [study[1]]
    assert found.frame["trial"].to_list() == [0, 1, 2, 3, 4]
    assert found.frame["returns"].to_list() == [[0, 2], [1, 2], [2, 2], [3, 2], None]
    assert found.frame["feasible"].to_list() == [True, True, False, True, False]
    assert (found.how_many("pruned"), found.no_ratio) == (1, "nothing was traded")


def test_a_search_without_a_trial_leaves_a_table_without_rows(study: Study) -> None:
    found = rank(study, AXES, OBJECTIVES, ["tape"], bests=5)

    assert (len(found.frame), found.ranked, found.bests, found.no_ratio) == (0, [], [], "")
    assert found.frame.schema["mids"] == pl.List(pl.Int64)
