"""What fits into one transaction, as measured with the genuine programs: bytes are the same to the last one."""

import pytest
from solders.instruction import Instruction
from tests.rigs.planned import VENUES, Stage, staged
from tests.rigs.shapes import ROWS, Row, fitting, replaces, size, tipped

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1 import instructions as does
from bmv.adapters.openbook.v1.capabilities import OPENBOOK_V1
from bmv.adapters.sandbox.wallets import send

STAGES = {venue: staged(venue) for venue in VENUES}
FITS = {  # Orders that fit: version 0, with a tip; version 1, with a tip.
    "n NewOrderV3": (9, 8, 52, 51),
    "cancel + n NewOrderV3": (8, 7, 45, 44),
    "cancel + ConsumeEvents + n NewOrderV3 + SettleFunds": (7, 6, 44, 43),
    "Replace (bids) + (asks)": (10, 9, 61, 59),
    "ConsumeEvents + both Replace": (10, 8, 60, 59),
    "ConsumeEvents + both Replace + SettleFunds": (9, 7, 59, 58),
    "cancelAllAndPlaceOrders": (24, 23, 24, 24),
    "cancelAllAndPlaceOrders + settleFunds": (23, 21, 24, 24),
    "cancelAllOrders + n placeOrder": (10, 8, 24, 24),
    "cancelAllOrders + n placeOrder + settleFunds": (8, 8, 24, 24),
}
BYTES_OF_24 = {
    "cancelAllAndPlaceOrders": 1_118,
    "cancelAllAndPlaceOrders + settleFunds": 1_206,
    "cancelAllOrders + n placeOrder": 2_157,
    "cancelAllOrders + n placeOrder + settleFunds": 2_245,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_as_many_orders_fit_as_were_measured(row: Row) -> None:
    stage = STAGES[row.venue]

    fits = tuple(
        fitting(stage, make, version, row.most) for version in (0, 1) for make in (row.build, tipped(row.build))
    )

    assert fits == FITS[row.name]


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in BYTES_OF_24], ids=lambda row: row.name)
def test_24_orders_of_version_2_have_as_many_bytes_as_were_measured(row: Row) -> None:
    stage = STAGES[row.venue]

    assert size(stage, row.build(stage, 24), 1) == BYTES_OF_24[row.name]


def nine(stage: Stage) -> Instruction:
    """Return a Replace of nine orders of one side, which our own types refuse to write."""
    one, *_ = replaces(stage, 1)
    order = bytes(one.data)[13:]
    return Instruction(one.program_id, bytes(one.data)[:5] + (9).to_bytes(8, "little") + order * 9, one.accounts)


def test_one_replace_takes_eight_orders_and_no_more() -> None:
    stage = staged("openbook-v1")
    send(stage.world.chain, [stage.user.key], replaces(stage, 16)[:1])
    assert len(stage.resting()) == 8 == OPENBOOK_V1.replace_orders_max

    with pytest.raises(AssertionError, match="Instruction 0: invalid program argument"):
        send(stage.world.chain, [stage.user.key], [nine(stage)])

    with pytest.raises(Malformed, match="499 bytes"):
        does.parse(nine(stage))
