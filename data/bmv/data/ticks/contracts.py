"""What a tape says of its sizes where they are contracts and no coins: kept beside the ticks, and said in words.

A tape that says nothing is taken for one of coins. Two keys in the metadata of a Parquet file say otherwise:
`bmv.contract`, how a contract pays (`inverse`: it is worth so much quote, and settled in the base coin), and, where it
is known, `bmv.contract_size`, how much a contract is.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import polars as pl

from bmv.data.files.parquet import is_parquet, readable
from bmv.ports.errors import DataError
from bmv.ports.market import SPOT, Contract

PAYOFF, SIZE = "bmv.contract", "bmv.contract_size"
INVERSE = "inverse"
UNKNOWN = "QUOTE IN ONE CONTRACT"  # Stands where the operator has to write the size.

Terms = Mapping[str, str]  # The two keys as they stand in the metadata of a file; empty: sizes are coins.


def terms_in(words: Mapping[str, str]) -> dict[str, str]:
    """Return what the metadata of a file says of its contracts; empty where its sizes are coins."""
    return {key: words[key] for key in (PAYOFF, SIZE) if key in words}


def terms_of(path: Path) -> dict[str, str]:
    """Return what a file says of its contracts; empty where it is no Parquet, or its sizes are coins."""
    if not is_parquet(path):
        return {}
    with readable(path):
        return terms_in(pl.read_parquet_metadata(str(path)))


def both_terms(path: Path | str, one: Terms, other: Terms) -> dict[str, str]:
    """Return what two records of one market say together; `DataError`, naming `path`, where they contradict.

    >>> both_terms(Path("day"), {"bmv.contract": "inverse"}, {"bmv.contract": "inverse", "bmv.contract_size": "10"})
    {'bmv.contract': 'inverse', 'bmv.contract_size': '10'}
    """
    for key in (PAYOFF, SIZE):
        if key in one and key in other and one[key] != other[key]:
            raise DataError(f"{path}: holds rows with {key} {one[key]}; rows with {other[key]} can't go beside them")
    return {**one, **other}


def refuse_other_contract(shown: Path | str, terms: Terms, ours: Contract) -> None:
    """Raise `DataError` where a run takes sizes that are contracts for coins, or for other contracts.

    Args:
        shown: What a message calls the tape.
        terms: What the tape says.
        ours: What the configuration says.
    """
    if not terms:
        return
    if ours == SPOT:
        raise DataError(f"{shown}: {in_words(terms)} under [market]")
    if ours.payoff != terms[PAYOFF]:
        raise DataError(
            f"{shown}: holds {terms[PAYOFF]} contracts; market.contract.payoff is configured as {ours.payoff}"
        )
    if SIZE in terms and Decimal(terms[SIZE]) != ours.size:
        raise DataError(
            f"{shown}: holds contracts of {terms[SIZE]}; market.contract.size is configured as {ours.size:f}"
        )


def setting(terms: Terms) -> str:
    """Return the line of a configuration that says the same.

    >>> setting({"bmv.contract": "inverse", "bmv.contract_size": "100"})
    'contract = { size = "100", payoff = "inverse" }'
    """
    return f'contract = {{ size = "{terms.get(SIZE, UNKNOWN)}", payoff = "{terms[PAYOFF]}" }}'


def in_words(terms: Terms) -> str:
    """Return what a trader should know of contracts."""
    worth = f" of {terms[SIZE]} quote" if SIZE in terms else ""
    return f"sizes are contracts{worth} that are settled in the base coin, not coins: a run needs {setting(terms)}"
