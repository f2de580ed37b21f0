"""The forms in which other people keep ticks, each a way to read a file as rows in units."""

from bmv.data.ticks.importers import (
    binance,
    collector,
    databento,
    floats,
    generic,
    hftbacktest,
    lake,
    lean,
    metatrader,
    nautilus,
    tardis,
)
from bmv.data.ticks.importers import (
    own_view as whole,
)
from bmv.data.ticks.importers.form import Form, Options, chosen, refuse_two_markets

FORMS: tuple[Form, ...] = (
    floats.FLOAT_PARQUET,
    lake.LAKE_DAY,
    binance.BINANCE,
    collector.COLLECTOR,
    tardis.TARDIS,
    hftbacktest.HFTBACKTEST,
    nautilus.NAUTILUS,
    databento.DATABENTO,
    lean.LEAN,
    metatrader.METATRADER,
    whole.WHOLE,
    whole.UNITS,
    generic.GENERIC,
)

__all__ = ["FORMS", "Form", "Options", "chosen", "refuse_two_markets"]
