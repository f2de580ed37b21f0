"""What a transaction pays for priority and may use, in one unit for all versions: lamports in total."""

from typing import NamedTuple

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.instruction import Instruction
from solders.message import TransactionConfig

from bmv.adapters.openbook.policy.mandate import Limits
from bmv.adapters.openbook.policy.message import Parsed
from bmv.adapters.openbook.policy.verdict import Code, Forbidden

HEAP, UNITS, PRICE, LOADED = 1, 2, 3, 4  # First byte of an instruction of the program.
BYTES = {HEAP: 4, UNITS: 4, PRICE: 8, LOADED: 4}  # Of the number behind it.
HEAP_MIN, HEAP_MAX, HEAP_STEP = 32 << 10, 256 << 10, 1 << 10
MICRO = 1_000_000


class Budget(NamedTuple):
    """What a transaction asks for; None: it does not say."""

    priority_lamports: int
    units: int | None
    loaded_bytes: int | None
    heap_bytes: int | None


def check_fees(parsed: Parsed, limits: Limits) -> None:
    """Refuse a transaction that pays or may use more than allowed, or says it in a way that has no effect."""
    asked = [one for one in parsed.instructions if one.program_id == COMPUTE_BUDGET]
    budget = _of_instructions(asked) if parsed.config is None else _of_config(parsed.config, asked)
    for what, has, most in (
        ("a priority fee of {} lamports", budget.priority_lamports, limits.priority_lamports_max),
        ("{} compute units", budget.units, limits.units_max),
        ("{} bytes of loaded accounts", budget.loaded_bytes, limits.loaded_bytes_max),
    ):
        if has is not None and has > most:
            raise Forbidden(Code.FEE, f"{what.format(has)}, and {most} is the most")
    heap = budget.heap_bytes
    if heap is not None and not (HEAP_MIN <= heap <= HEAP_MAX and heap % HEAP_STEP == 0):
        raise Forbidden(Code.FEE, f"a heap of {heap} bytes, which no program can have")


def _of_config(config: TransactionConfig, asked: list[Instruction]) -> Budget:
    if asked:
        raise Forbidden(Code.FEE, "version 1 has its budget in its head, and ComputeBudget instructions do nothing")
    units, loaded = config.compute_unit_limit, config.loaded_accounts_data_size_limit
    if not units or not loaded:
        raise Forbidden(Code.FEE, "version 1 without a limit of compute units or of loaded bytes: it can't succeed")
    return Budget(config.priority_fee or 0, units, loaded, config.heap_size)


def _of_instructions(asked: list[Instruction]) -> Budget:
    numbers: dict[int, int] = {}
    for one in asked:
        kind, number = _number(one)
        if kind in numbers:
            raise Forbidden(Code.FEE, f"ComputeBudget instruction {kind} twice")
        numbers[kind] = number
    price, units = numbers.get(PRICE, 0), numbers.get(UNITS)
    if price and units is None:
        raise Forbidden(Code.FEE, "a price for compute units without a limit of them: nobody knows what it comes to")
    return Budget(-(-price * (units or 0) // MICRO), units, numbers.get(LOADED), numbers.get(HEAP))


def _number(one: Instruction) -> tuple[int, int]:
    data = bytes(one.data)
    if one.accounts or not data or BYTES.get(data[0]) != len(data) - 1:
        raise Forbidden(Code.INSTRUCTION, f"a ComputeBudget instruction that is none: {data[:9].hex()}")
    return data[0], int.from_bytes(data[1:], "little")
