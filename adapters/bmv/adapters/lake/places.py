"""Where in a lake a market's days lie."""

from pathlib import Path

from bmv.data.files.path import is_url


def market_folder(lake: str, venue: str, symbol: str) -> str:
    """Return the folder of a market in a lake, and `lake` itself where that is none of several markets.

    What a recorder wrote has prices from elsewhere beside the market that is traded; a run is of that one.
    """
    if is_url(lake):
        return lake
    folder = Path(lake) / venue / symbol.replace("/", "-")
    return str(folder) if folder.is_dir() else lake
