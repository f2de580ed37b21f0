"""OpenBook v2's numbers for sides, kinds of orders and errors, and how its two builds differ."""

from enum import Enum, IntEnum

from bmv.adapters.openbook.book import Side


def is_better(side: Side, price: int, than: int) -> bool:
    """Whether an order of `side` at `price` is matched before one at `than`."""
    return price > than if side is Side.BID else price < than


class PlaceOrderType(IntEnum):
    """What becomes of an order that trades at once, and of one that does not."""

    LIMIT = 0
    IMMEDIATE_OR_CANCEL = 1
    POST_ONLY = 2
    MARKET = 3
    POST_ONLY_SLIDE = 4
    FILL_OR_KILL = 5  # Master only.


class SelfTradeBehavior(IntEnum):
    """What becomes of an order that meets one of the same account."""

    DECREMENT_TAKE = 0
    CANCEL_PROVIDE = 1
    ABORT_TRANSACTION = 2


class Build(Enum):
    """Which program: v1.7 is the release; the other was built of master in April 2024, with what came after it."""

    V1_7 = "v1.7"
    MASTER_2024_04 = "master-2024-04"


_NAMES = (
    "SomeError",
    "InvalidInputNameLength",
    "InvalidInputMarketExpired",
    "InvalidInputMarketFees",
    "InvalidInputLots",
    "InvalidInputLotsSize",
    "InvalidInputOrdersAmounts",
    "InvalidInputCancelSize",
    "InvalidInputPriceLots",
    "InvalidInputPegLimit",
    "InvalidInputOrderType",
    "InvalidInputOrderId",
    "InvalidInputHeapSlots",
    "InvalidOracleTypes",
    "InvalidSecondOracle",
    "NoCloseMarketAdmin",
    "InvalidCloseMarketAdmin",
    "InvalidOpenOrdersAdmin",
    "InvalidConsumeEventsAdmin",
    "InvalidMarketVault",
    "IndexerActiveOO",
    "OraclePegInvalidOracleState",
    "UnknownOracleType",
    "OracleConfidence",
    "OracleStale",
    "OrderIdNotFound",
    "EventHeapContainsElements",
    "InvalidOrderPostIOC",
    "InvalidOrderPostMarket",
    "WouldSelfTrade",
    "MarketHasExpired",
    "InvalidPriceLots",
    "InvalidOraclePrice",
    "MarketHasNotExpired",
    "NoOwnerOrDelegate",
    "NoOwner",
    "OpenOrdersFull",
    "BookContainsElements",
    "OpenOrdersOrderNotFound",
    "InvalidPostAmount",
    "DisabledOraclePeg",
)
_TAILS = {
    Build.V1_7: ("NonEmptyMarket", "NonEmptyOpenOrdersPosition"),
    Build.MASTER_2024_04: ("WouldExecutePartially", "NonEmptyMarket", "NonEmptyOpenOrdersPosition"),
}
_ANCHOR = {
    100: "InstructionMissing",
    101: "InstructionFallbackNotFound",
    102: "InstructionDidNotDeserialize",
    2000: "ConstraintMut",
    2001: "ConstraintHasOne",
    2002: "ConstraintSigner",
    2003: "ConstraintRaw",
    2006: "ConstraintSeeds",
    2009: "ConstraintAssociated",
    2011: "ConstraintClose",
    2012: "ConstraintAddress",
    2013: "ConstraintZero",
    2014: "ConstraintTokenMint",
    2015: "ConstraintTokenOwner",
    2500: "RequireViolated",
    2501: "RequireEqViolated",
    2502: "RequireKeysEqViolated",
    2503: "RequireNeqViolated",
    2504: "RequireKeysNeqViolated",
    2505: "RequireGtViolated",
    2506: "RequireGteViolated",
    3000: "AccountDiscriminatorAlreadySet",
    3001: "AccountDiscriminatorNotFound",
    3002: "AccountDiscriminatorMismatch",
    3003: "AccountDidNotDeserialize",
    3005: "AccountNotEnoughKeys",
    3006: "AccountNotMutable",
    3007: "AccountOwnedByWrongProgram",
    3008: "InvalidProgramId",
    3009: "InvalidProgramExecutable",
    3010: "AccountNotSigner",
    3012: "AccountNotInitialized",
}


def error_codes(build: Build) -> dict[str, int]:
    """Return the numbers of a build's own errors by name.

    >>> error_codes(Build.V1_7)["OpenOrdersFull"]
    6036
    """
    return {name: 6000 + i for i, name in enumerate([*_NAMES, *_TAILS[build]])}


def error_name(code: int, build: Build = Build.V1_7) -> str | None:
    """Return the name of an error that the program or its framework gave, or None if it has none.

    >>> error_name(6038), error_name(3010), error_name(7000)
    ('OpenOrdersOrderNotFound', 'AccountNotSigner', None)
    """
    own = [*_NAMES, *_TAILS[build]]
    return own[code - 6000] if 0 <= code - 6000 < len(own) else _ANCHOR.get(code)


def error_code(name: str, build: Build = Build.V1_7) -> int:
    """Return the number of an error by its name."""
    own = error_codes(build)
    return own[name] if name in own else next(code for code, anchor in _ANCHOR.items() if anchor == name)
