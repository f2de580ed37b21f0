"""Every venue that prices may come from, by its name."""

from bmv.adapters.prices.binance import BINANCE
from bmv.adapters.prices.coinbase import COINBASE
from bmv.adapters.prices.coingecko import COINGECKO
from bmv.adapters.prices.kraken import KRAKEN
from bmv.adapters.prices.pyth import PYTH
from bmv.adapters.prices.venue import Venue

VENUES: dict[str, Venue] = {venue.name: venue for venue in (BINANCE, COINBASE, KRAKEN, COINGECKO, PYTH)}
