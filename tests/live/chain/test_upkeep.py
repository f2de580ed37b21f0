"""What accounts cost that are made and closed beside a session, and which session takes it in."""

from pathlib import Path

import pytest
from solders.pubkey import Pubkey

from bmv.data.journal.costs import chain_costs
from bmv.live.chain.upkeep import Line, _append, path_of, read_lines, taken_in, taken_note
from bmv.ports.errors import DataError

OWNER, MARKET, OTHER = Pubkey([1] * 32), Pubkey([2] * 32), Pubkey([3] * 32)
LINES = [
    Line(0, str(MARKET), "account", 7_000),
    Line(0, str(OTHER), "elsewhere", 999),
    Line(0, str(MARKET), "", base=5_000, priority=40),
]


def test_what_was_made_since_the_session_before_is_taken_in_once_and_what_is_of_another_market_never(
    tmp_path: Path,
) -> None:
    wallet = tmp_path / "wallet.json"
    _append(path_of(wallet, OWNER), LINES)

    first = taken_in(wallet, OWNER, MARKET, [], 10)
    _append(path_of(wallet, OWNER), [Line(0, str(MARKET), "account", -7_000)])
    second = taken_in(wallet, OWNER, MARKET, first, 20)
    third = taken_in(wallet, OWNER, MARKET, second, 30)

    costs, later = chain_costs(first), chain_costs(second)
    assert (costs.rent_out, costs.base, costs.priority, costs.others) == (7_000, 5_000, 40, 5_040)
    assert costs.paid == [(10, 7_000), (10, 5_040)]
    assert (later.rent_in, later.fees) == (7_000, 0)
    assert len(third) == 1, "where it stands, and nothing new"


def test_a_session_without_any_costs_keeps_where_it_stands(tmp_path: Path) -> None:
    assert taken_in(tmp_path / "wallet.json", OWNER, MARKET, [taken_note(1, 77)], 5) == [taken_note(5, 77)]


def test_a_file_that_holds_something_else_is_named(tmp_path: Path) -> None:
    path = path_of(tmp_path / "wallet.json", OWNER)
    path.write_text("{}\n")

    with pytest.raises(DataError, match="is no record of what accounts cost"):
        read_lines(path)
