"""The double itself: one instruction in, what the genuine program would have done out."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, cast

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.v2 import funds, orders
from bmv.adapters.openbook.v2.codes import Build, PlaceOrderType
from bmv.adapters.openbook.v2.instructions import KINDS, Known, read_arguments
from bmv.adapters.openbook.v2.market import PROGRAM_ID
from bmv.adapters.openbook.v2.metas import accounts as accounts_of
from bmv.adapters.sandbox.double import AccountState, Outcome, Surroundings
from bmv.adapters.sandbox.openbook_v2 import cancelling, consuming, lifecycle, placing, settling
from bmv.adapters.sandbox.openbook_v2.allocation import RETURNED, out_of_memory
from bmv.adapters.sandbox.openbook_v2.checks import check_constraints, read_accounts
from bmv.adapters.sandbox.openbook_v2.failure import Failure, occurred
from bmv.adapters.sandbox.openbook_v2.frame import Frame
from bmv.adapters.sandbox.openbook_v2.position import OpenOrders
from bmv.adapters.sandbox.openbook_v2.units import FAILED, estimate

_Handler = Callable[[Frame, Any], bytes]  # Any: each takes its own kind of instruction.

_HANDLERS: dict[type[Known], _Handler] = {
    funds.CreateMarket: lifecycle.create_market,
    funds.CloseMarket: lifecycle.close_market,
    funds.CreateOpenOrdersIndexer: lifecycle.create_open_orders_indexer,
    funds.CloseOpenOrdersIndexer: lifecycle.close_open_orders_indexer,
    funds.CreateOpenOrdersAccount: lifecycle.create_open_orders_account,
    funds.CloseOpenOrdersAccount: lifecycle.close_open_orders_account,
    funds.StubOracleCreate: lifecycle.stub_oracle_create,
    funds.StubOracleSet: lifecycle.stub_oracle_set,
    funds.StubOracleClose: lifecycle.stub_oracle_close,
    funds.Deposit: settling.deposit,
    funds.Refill: settling.refill,
    funds.SettleFunds: settling.settle_funds,
    funds.SettleFundsExpired: settling.settle_funds_expired,
    funds.SweepFees: settling.sweep_fees,
    funds.SetDelegate: settling.set_delegate,
    funds.SetMarketExpired: settling.set_market_expired,
    funds.PruneOrders: cancelling.prune_orders,
    orders.CancelOrder: cancelling.cancel_order,
    orders.CancelOrderByClientOrderId: cancelling.cancel_order_by_client_order_id,
    orders.CancelAllOrders: cancelling.cancel_all_orders,
    orders.ConsumeEvents: consuming.consume_events,
    orders.ConsumeGivenEvents: consuming.consume_given_events,
    orders.PlaceOrder: placing.place_order,
    orders.PlaceOrderPegged: placing.place_order_pegged,
    orders.EditOrder: placing.edit_order,
    orders.EditOrderPegged: placing.edit_order_pegged,
    orders.PlaceOrders: placing.place_orders,
    orders.CancelAllAndPlaceOrders: placing.cancel_all_and_place_orders,
    orders.PlaceTakeOrder: placing.place_take_order,
}
_MEMORY = 30_000  # About what is left of a program's 32 KiB when it reads its arguments.
_MAKERS: dict[type[Known], Callable[[Frame], None]] = {
    funds.CreateMarket: lifecycle.make_market,
    funds.CreateOpenOrdersIndexer: lifecycle.make_indexer,
    funds.CreateOpenOrdersAccount: lifecycle.make_open_orders,
    funds.CloseOpenOrdersAccount: lifecycle.shorten_indexer,
    funds.StubOracleCreate: lifecycle.make_oracle,
}


class OpenBookV2:
    """Plays OpenBook v2.

    Compute units are not counted, only estimated, and a program's memory is counted to some hundred bytes: see
    `allocation`. Oracles other than the program's own stub are refused as unknown.

    Args:
        build: Which of its two builds.
        program_id: Where it is deployed.
    """

    def __init__(self, build: Build = Build.V1_7, program_id: Pubkey = PROGRAM_ID) -> None:
        self.build = build
        self.program_id = program_id

    def execute(
        self, instruction: Instruction, accounts: Mapping[Pubkey, AccountState], surroundings: Surroundings
    ) -> Outcome:
        """Play one instruction; see `bmv.adapters.sandbox.double`."""
        logs: list[str] = []
        try:
            kind, arguments = self._read(instruction.data, logs)
            frame = Frame(self.build, instruction, accounts, surroundings, list(accounts_of(kind)))
            frame.logs = logs
            returned = _run(frame, kind, arguments)
            frame.memory.take(RETURNED if returned else 0)
        except Failure as failure:
            said = (f"Program log: {line}" for line in failure.lines)
            return Outcome(failure.error, logs=(*logs, *said), units=FAILED)
        if returned:
            logs.append(f"Program return: {self.program_id} {b64encode(returned).decode()}")
        units = estimate(kind, *_work(frame, arguments, accounts))
        return Outcome(None, frame.changed(accounts), tuple(logs), returned, units)

    def _read(self, data: bytes, logs: list[str]) -> tuple[type[Known], dict[str, object]]:
        """Read which instruction it is and what it says, as the program does: bytes may follow."""
        if len(data) < 8:
            raise occurred(self.build, "InstructionMissing")
        kind = KINDS.get(bytes(data[:8]))
        if kind is None:
            raise occurred(self.build, "InstructionFallbackNotFound")
        logs.append(f"Program log: Instruction: {kind.__name__}")
        try:
            arguments, _ = read_arguments(kind, data)
        except Malformed:
            if kind in (funds.CreateMarket, funds.CreateOpenOrdersAccount) and _is_vast(data):
                raise out_of_memory() from None
            raise occurred(self.build, "InstructionDidNotDeserialize") from None
        if self.build is Build.V1_7 and _has(arguments, PlaceOrderType.FILL_OR_KILL):
            raise occurred(self.build, "InstructionDidNotDeserialize")
        return kind, arguments


def _work(
    frame: Frame, arguments: Mapping[str, object], before: Mapping[Pubkey, AccountState]
) -> tuple[int, int, int, int]:
    """Return how much was logged, added to the heap, placed in a batch and cancelled."""
    logged = sum(line.startswith("Program data: ") for line in frame.logs)
    events = cancelled = 0
    if "event_heap" in frame.names and frame.state("event_heap").data:
        events = max(0, len(frame.heap()) - _count(before[frame.key("event_heap")]))
    if "bids" in frame.names and "open_orders_account" in frame.names:
        was = len(OpenOrders(before[frame.key("open_orders_account")].data).orders())
        cancelled = max(0, was - len(frame.open_orders().orders()))
    batches = [value for name, value in arguments.items() if name in ("bid_orders", "ask_orders")]
    placed = sum(len(batch) for batch in batches if isinstance(batch, tuple))
    return logged, events, placed, cancelled


def _count(heap: AccountState) -> int:
    return int.from_bytes(heap.data[12:14], "little")


def _is_vast(data: bytes) -> bool:
    """Whether a name says that it is longer than the program's memory, which it sets aside before it looks."""
    return int.from_bytes(data[8:12], "little") > _MEMORY and len(data) >= 12


def _has(arguments: Mapping[str, object], order_type: PlaceOrderType) -> bool:
    """Whether an order of that type is asked for."""
    nested = [value for value in arguments.values() if is_dataclass(value)]
    inner = [getattr(value, field.name) for value in nested for field in fields(value)]
    return any(value is order_type for value in (*arguments.values(), *inner))


def _run(frame: Frame, kind: type[Known], arguments: dict[str, object]) -> bytes:
    read_accounts(frame, kind)
    if kind in _MAKERS:
        _MAKERS[kind](frame)
    check_constraints(frame, kind)
    keys = {name: frame.given(name) for name in frame.names}
    make = cast(Any, kind)  # Any: the fields are the kind's own.
    return _HANDLERS[kind](frame, make(**arguments, **keys, remaining=()))
