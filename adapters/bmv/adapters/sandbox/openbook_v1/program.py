"""The double of OpenBook version 1: every instruction that the program still plays.

Source: openbook-dex/program 3873f285, `dex/src/state.rs`; numbers are its lines. What is dead there
panics here too, though SendTake without the checks of accounts that come before.
"""

from collections.abc import Callable, Mapping, Sequence

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorFieldless

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v1.bodies import BYTES_MAX, CLIENT_IDS_MAX, REPLACE_MAX, VERSION, NewOrder, Tag, side_of
from bmv.adapters.openbook.v1.instructions import PROGRAM_ID
from bmv.adapters.sandbox.double import AccountState, Outcome, Surroundings
from bmv.adapters.sandbox.openbook_v1 import trading, upkeep
from bmv.adapters.sandbox.openbook_v1.context import Context
from bmv.adapters.sandbox.openbook_v1.failing import Failure, Panic
from bmv.adapters.sandbox.openbook_v1.loading import Account
from bmv.adapters.sandbox.openbook_v1.opening import initialize_market

_SIDES, _KINDS = 2, 3  # How many there are of sides; of kinds of orders and ways to trade with oneself.
_DEAD: dict[int, tuple[int, str, dict[tuple[int, int], int]]] = {
    # Bytes behind the tag, where the program says that it is not implemented, and what it reads before: numbers below a
    # bound, or other than 0 (bound 0).
    Tag.NEW_ORDER: (32, "2594:17", {(0, 4): _SIDES, (4, 12): 0, (12, 20): 0, (20, 24): _KINDS}),
    Tag.NEW_ORDER_V2: (
        36,
        "2597:17",
        {(0, 4): _SIDES, (4, 12): 0, (12, 20): 0, (20, 24): _KINDS, (32, 36): _KINDS},
    ),
    Tag.CANCEL_ORDER: (53, "2641:17", {(0, 4): _SIDES}),
    Tag.CANCEL_ORDER_BY_CLIENT_ID: (8, "2657:17", {}),
    Tag.SEND_TAKE: (46, "2721:9", {(0, 4): _SIDES, (4, 12): 0, (12, 20): 0, (20, 28): 0}),
}
_UNITS = {  # About what the genuine program takes; of an order and an event, each.
    Tag.INITIALIZE_MARKET: 10_300,
    Tag.INIT_OPEN_ORDERS: 2_500,
    Tag.CONSUME_EVENTS: 4_000,
    Tag.SETTLE_FUNDS: 10_800,
    Tag.CANCEL_ORDERS_BY_CLIENT_IDS: 13_400,
    Tag.REPLACE_ORDERS_BY_CLIENT_IDS: 22_000,
}
_UNITS_OF_OTHERS = 11_000


class OpenBookV1:
    """Plays the program under `program_id`."""

    def __init__(self, program_id: Pubkey = PROGRAM_ID) -> None:
        self._program_id = program_id

    @property
    def program_id(self) -> Pubkey:
        return self._program_id

    def execute(
        self, instruction: Instruction, accounts: Mapping[Pubkey, AccountState], surroundings: Surroundings
    ) -> Outcome:
        """Play one instruction; see :class:`bmv.adapters.sandbox.double.Double`."""
        logs: list[str] = []
        states = {key: accounts[key].copy() for key in {meta.pubkey for meta in instruction.accounts}}
        data = bytes(instruction.data)
        units = _UNITS.get(int.from_bytes(data[1:5], "little"), _UNITS_OF_OTHERS)  # type: ignore[call-overload]
        named = _name(instruction, states)
        try:
            _dispatch(Context(self._program_id, named, surroundings, logs.append), data)
            changed = {key: state for key, state in states.items() if state != accounts[key]}
            _check_rights(self._program_id, named, changed, accounts)
        except Panic as panic:
            return Outcome(panic.error, logs=(*logs, panic.line), units=units)
        except Failure as failure:
            return Outcome(failure.error, logs=tuple(logs), units=units)
        return Outcome(None, changed, tuple(logs), units=units)


def _name(instruction: Instruction, states: Mapping[Pubkey, AccountState]) -> list[Account]:
    """Return the accounts as the program gets them: an account named twice has the rights of both."""
    signers = {meta.pubkey for meta in instruction.accounts if meta.is_signer}
    writable = {meta.pubkey for meta in instruction.accounts if meta.is_writable}
    held: dict[Pubkey, list[bool]] = {key: [] for key in states}
    return [
        Account(bytes(key), key in signers, key in writable, states[key], held[key])
        for key in (meta.pubkey for meta in instruction.accounts)
    ]


def _check_rights(
    program_id: Pubkey,
    named: Sequence[Account],
    changed: Mapping[Pubkey, AccountState],
    before: Mapping[Pubkey, AccountState],
) -> None:
    """Fail as the runtime does where a program wrote to what it may not, or made lamports."""
    writable = {account.key for account in named if account.writable}
    for key, state in changed.items():
        was = before[key]
        if state.data != was.data and bytes(key) not in writable:
            raise Failure(InstructionErrorFieldless.ReadonlyDataModified)
        if state.lamports != was.lamports and bytes(key) not in writable:
            raise Failure(InstructionErrorFieldless.ReadonlyLamportChange)
    if sum(state.lamports - before[key].lamports for key, state in changed.items()):
        raise Failure(InstructionErrorFieldless.UnbalancedInstruction)


def _dispatch(context: Context, data: bytes) -> None:
    if not 5 <= len(data) <= BYTES_MAX or data[0] != VERSION:
        raise Failure(InstructionErrorFieldless.InvalidArgument)
    tag, body = int.from_bytes(data[1:5], "little"), data[5:]
    if tag in _DEAD:
        _die(tag, body)
    try:
        step = _read(tag, body)
    except Malformed:
        raise Failure(InstructionErrorFieldless.InvalidArgument) from None
    try:
        step(context)
    except ZeroDivisionError:
        raise Panic("attempt to divide by zero", "src/matching.rs") from None  # Lots of size 0.


def _die(tag: int, body: bytes) -> None:
    size, where, fields = _DEAD[tag]
    numbers = [(int.from_bytes(body[start:end], "little"), bound) for (start, end), bound in fields.items()]
    if len(body) != size or not all(number < bound if bound else number for number, bound in numbers):
        raise Failure(InstructionErrorFieldless.InvalidArgument)
    raise Panic("not implemented", f"src/state.rs:{where}")


def _read(tag: int, body: bytes) -> Callable[[Context], None]:  # One row an instruction.
    """Return what an instruction asks for; Malformed where the program could not read it either."""
    size = len(body)
    number = int.from_bytes(body[:8], "little")
    match tag:
        case Tag.INITIALIZE_MARKET if size == 34:
            return lambda c: initialize_market(c.program_id, body, c.accounts, c.surroundings)
        case Tag.MATCH_ORDERS if size == 2:
            return lambda c: None
        case Tag.CONSUME_EVENTS if size == 2:
            return lambda c: upkeep.consume(c, number)
        case Tag.SETTLE_FUNDS if not size:
            return upkeep.settle
        case Tag.DISABLE_MARKET if not size:
            return upkeep.disable
        case Tag.SWEEP_FEES if not size:
            return upkeep.sweep_fees
        case Tag.NEW_ORDER_V3:
            order = NewOrder.decode(body)
            return lambda c: trading.place(c, order)
        case Tag.CANCEL_ORDER_V2 if size == 20:
            side, order_id = side_of(body[:4]), int.from_bytes(body[4:], "little")
            return lambda c: trading.cancel_by_id(c, side, order_id)
        case Tag.CANCEL_ORDER_BY_CLIENT_ID_V2 if size == 8:
            return lambda c: trading.cancel_by_client_id(c, number)
        case Tag.CLOSE_OPEN_ORDERS if not size:
            return upkeep.close
        case Tag.INIT_OPEN_ORDERS if not size:
            return upkeep.initialize
        case Tag.PRUNE if size == 2:
            return lambda c: trading.prune(c, number)
        case Tag.CONSUME_EVENTS_PERMISSIONED if size == 2:
            return lambda c: upkeep.consume_permissioned(c, number)
        case Tag.CANCEL_ORDERS_BY_CLIENT_IDS if size % 8 == 0 and size <= 8 * CLIENT_IDS_MAX:
            ids = [int.from_bytes(body[at : at + 8], "little") for at in range(0, size, 8)]
            return lambda c: trading.cancel_by_client_ids(c, ids)
        case Tag.REPLACE_ORDER_BY_CLIENT_ID if size == 54:
            one = NewOrder.decode(body)
            return lambda c: trading.replace(c, [one])
        case Tag.REPLACE_ORDERS_BY_CLIENT_IDS if size % 54 == 8 and number == (size - 8) // 54 <= REPLACE_MAX:
            orders = [NewOrder.decode(body[at : at + 54]) for at in range(8, size, 54)]
            return lambda c: trading.replace(c, orders)
    raise Malformed(f"instruction: tag {tag} with {size} bytes behind it")
