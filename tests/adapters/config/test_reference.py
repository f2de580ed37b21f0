"""The reference page says what the schema says."""

from pathlib import Path

from bmv.adapters.config.fields import keys_of
from bmv.adapters.config.reference import page
from bmv.adapters.config.schema import Config

ROOT = Path(__file__).parents[3]


def test_the_reference_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == page(), "say `make docs`"


def test_every_key_has_a_description() -> None:
    found = list(keys_of(Config))

    assert len(found) > 60
    assert not [key for key, field in found if not field.description]


def test_only_fees_instrument_sizes_and_version_must_be_given() -> None:
    required = {key for key, field in keys_of(Config) if field.is_required()}

    assert required == {
        "version",
        "market.symbol",
        "market.tick_size",
        "market.lot_size",
        "market.maker_fee_bps",
        "market.taker_fee_bps",
        "grid.bid.total_size",
        "grid.ask.total_size",
        "inventory.max_position",
    }
