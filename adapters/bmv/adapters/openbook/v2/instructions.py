"""Every instruction of OpenBook v2 that a maker, a taker, a crank or a market's owner needs, both ways.

`build(PlaceOrder(…))` gives a solders Instruction, and `parse` gives the PlaceOrder back.
"""

import re
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Any, cast, get_args

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.layout import kinds
from bmv.adapters.openbook.v2.market import PROGRAM_ID
from bmv.adapters.openbook.v2.metas import accounts, read_metas, remaining, write_metas

Known = (
    funds.CreateMarket
    | funds.CloseMarket
    | funds.CreateOpenOrdersIndexer
    | funds.CloseOpenOrdersIndexer
    | funds.CreateOpenOrdersAccount
    | funds.CloseOpenOrdersAccount
    | orders.PlaceOrder
    | orders.PlaceOrderPegged
    | orders.EditOrder
    | orders.EditOrderPegged
    | orders.PlaceOrders
    | orders.CancelAllAndPlaceOrders
    | orders.PlaceTakeOrder
    | orders.ConsumeEvents
    | orders.ConsumeGivenEvents
    | orders.CancelOrder
    | orders.CancelOrderByClientOrderId
    | orders.CancelAllOrders
    | funds.Deposit
    | funds.Refill
    | funds.SettleFunds
    | funds.SettleFundsExpired
    | funds.SweepFees
    | funds.SetDelegate
    | funds.SetMarketExpired
    | funds.PruneOrders
    | funds.StubOracleCreate
    | funds.StubOracleSet
    | funds.StubOracleClose
)


@cache
def discriminator(name: str) -> bytes:
    """Return the first eight bytes of an instruction's data.

    >>> discriminator("PlaceOrder").hex()
    '33c29baf6d82606a'
    """
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return sha256(f"global:{snake}".encode()).digest()[:8]


KINDS: dict[bytes, type[Known]] = {discriminator(kind.__name__): kind for kind in get_args(Known)}


def build(instruction: Known, program: Pubkey = PROGRAM_ID, version: Build = Build.V1_7) -> Instruction:
    """Return the instruction as the chain takes it.

    Args:
        version: Whose metas: v1.7 has the owner writable who settles.
    """
    kind = type(instruction)
    arguments = b"".join(part.write(getattr(instruction, name)) for name, part in kinds(kind).items())
    return Instruction(program, discriminator(kind.__name__) + arguments, write_metas(instruction, program, version))


def parse(instruction: Instruction) -> Known:
    """Return what an instruction of the program says."""
    return parse_parts(instruction.data, instruction.accounts, instruction.program_id)


def parse_parts(data: bytes, metas: Sequence[AccountMeta], program: Pubkey = PROGRAM_ID) -> Known:
    """Return what an instruction's data and accounts say; bytes after the arguments are refused.

    The program itself lets bytes follow; none that is honest has any.
    """
    kind = kind_of(data)
    arguments, end = read_arguments(kind, data)
    if end != len(data):
        raise Malformed(f"{len(data)} bytes, and {kind.__name__} ends at {end}")
    keys = dict(zip(accounts(kind), read_metas(kind, metas, program), strict=True))
    make = cast(Any, kind)  # Any: the fields are the kind's own, which the union of all kinds can't show.
    return cast(Known, make(**arguments, **keys, remaining=remaining(kind, metas)))


def kind_of(data: bytes) -> type[Known]:
    """Return which instruction these data are of."""
    kind = KINDS.get(bytes(data[:8]))
    if kind is None:
        raise Malformed(f"no instruction begins with {bytes(data[:8]).hex() or 'nothing'}")
    return kind


def read_arguments(kind: type[Known], data: bytes) -> tuple[dict[str, object], int]:
    """Return the arguments of an instruction by name, and where they end."""
    values, at = {}, 8
    for name, part in kinds(kind).items():
        values[name], at = part.read(data, at)
    return values, at
