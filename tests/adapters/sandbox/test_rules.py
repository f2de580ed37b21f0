"""The rules that a validator has and LiteSVM leaves out: each is kept by the sandbox and not by LiteSVM alone."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import SOL, key, paid, signed
from solders.account import Account
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.compute_budget import (
    request_heap_frame,
    set_compute_unit_limit,
    set_compute_unit_price,
    set_loaded_accounts_data_size_limit,
)
from solders.hash import Hash
from solders.instruction import Instruction
from solders.litesvm import LiteSVM
from solders.message import MessageV1, TransactionConfig, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox import clock, rules
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.elf import returning
from bmv.adapters.sandbox.faults import Faults
from bmv.adapters.sandbox.finality import ALPENGLOW
from bmv.adapters.sandbox.jsonrpc import RpcError
from bmv.adapters.sandbox.rpc import METHODS, call
from bmv.adapters.sandbox.runtime import make_runtime
from bmv.adapters.sandbox.view import View
from bmv.adapters.sandbox.wallets import make_token
from bmv.adapters.solana.tokens import create_associated_account

PAYER, OTHER = key(1), key(2).pubkey()
WALLET = PAYER.pubkey()
FULL = {"compute_unit_limit": 10_000, "loaded_accounts_data_size_limit": 1 << 20}
RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")


class Sandbox:
    """The sandbox's chain, through the door that clients use."""

    def __init__(self) -> None:
        self.chain = Chain(make_runtime(), ALPENGLOW)
        self.view = View(self.chain, Faults())
        self.ask("requestAirdrop", str(PAYER.pubkey()), 1000 * SOL)
        self.next_block(2)

    def ask(self, method: str, *params: Any) -> Any:
        return call(METHODS, self.view, method, list(params))

    def send(self, text: str, encoding: str = "base64") -> Any:
        """Return why a transaction failed or was refused, None if it did not."""
        config = {"encoding": encoding, "skipPreflight": True}
        try:
            name = self.ask("sendTransaction", text, config)
        except RpcError as error:
            return error.message
        status = self.ask("getSignatureStatuses", [name])["value"][0]
        return "never landed" if status is None else status["err"]

    def blockhash(self) -> Hash:
        return Hash.from_string(self.ask("getLatestBlockhash", {"commitment": "processed"})["value"]["blockhash"])

    def next_block(self, blocks: int = 1) -> None:
        self.chain.advance(blocks)

    def lamports(self, commitment: str = "processed", who: Pubkey = WALLET) -> int:
        return self.ask("getBalance", str(who), {"commitment": commitment})["value"]

    def seconds(self) -> int:
        return self.chain.runtime.svm.get_clock().unix_timestamp

    def rent(self, size: int) -> int:
        return self.ask("getMinimumBalanceForRentExemption", size)

    def rent_per_byte(self) -> int:
        return int.from_bytes(bytes(self.chain.account(RENT).data)[:8], "little")


class Bare:
    """LiteSVM alone, its slots and blockhashes moved by hand."""

    def __init__(self) -> None:
        self.svm = LiteSVM().with_lamports(10**17)
        self.svm.airdrop(PAYER.pubkey(), 1000 * SOL)

    def send(self, text: str, encoding: str = "base64") -> Any:
        raw = base64.b64decode(text) if encoding == "base64" else base58.b58decode(text)
        outcome = self.svm.send_transaction(VersionedTransaction.from_bytes(raw))
        return str(outcome.err()) if hasattr(outcome, "err") else None

    def blockhash(self) -> Hash:
        return self.svm.latest_blockhash()

    def next_block(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.svm.warp_to_slot(self.svm.get_clock().slot + 1)
            self.svm.expire_blockhash()

    def lamports(self, commitment: str = "processed", who: Pubkey = WALLET) -> int:
        return self.svm.get_balance(who) or 0

    def seconds(self) -> int:
        return self.svm.get_clock().unix_timestamp

    def rent(self, size: int) -> int:
        return self.svm.minimum_balance_for_rent_exemption(size)

    def rent_per_byte(self) -> int:
        return int.from_bytes(bytes(self.svm.get_account(RENT).data)[:8], "little")


class BareWithoutAge(Bare):
    """LiteSVM alone, its check of blockhashes switched off: without that it takes the newest only."""

    def __init__(self) -> None:
        super().__init__()
        self.svm = self.svm.with_blockhash_check(False)


World = Sandbox | Bare


def text_of(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


def version_1(world: World, instructions: Sequence[Instruction], **config: Any) -> VersionedTransaction:
    message = MessageV1.try_compile(PAYER.pubkey(), list(instructions), world.blockhash(), TransactionConfig(**config))
    return VersionedTransaction(message, [PAYER])


def filled(count: int) -> Instruction:
    """Return an instruction of the memo program that is `count` bytes long."""
    return Instruction(Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"), b"m" * count, [])


def of_size(world: World, size: int, make: Callable[[int], VersionedTransaction]) -> VersionedTransaction:
    """Return the transaction of exactly `size` bytes that `make` makes by the length of its memo."""
    rest = size - len(bytes(make(size - 300)))
    transaction = make(size - 300 + rest)
    assert len(bytes(transaction)) == size
    return transaction


PAY = paid(PAYER, OTHER, SOL)


def version_1_needs_a_limit_of_units(world: World) -> None:
    sent = version_1(world, [PAY], loaded_accounts_data_size_limit=1 << 20)
    before = world.lamports()

    assert "ComputationalBudgetExceeded" in str(world.send(text_of(sent)))
    assert before - world.lamports() == 5000


def version_1_needs_a_limit_of_loaded_bytes(world: World) -> None:
    sent = version_1(world, [PAY], compute_unit_limit=10_000)
    before = world.lamports()

    assert world.send(text_of(sent)) == "MaxLoadedAccountsDataSizeExceeded"
    assert before - world.lamports() == 5000


def version_1_has_to_stay_within_its_limit_of_units(world: World) -> None:
    assert world.send(text_of(version_1(world, [PAY], **FULL | {"compute_unit_limit": 149}))) is not None
    world.next_block()
    assert world.send(text_of(version_1(world, [PAY], **FULL | {"compute_unit_limit": 150}))) is None


def version_1_pays_for_priority_in_total_lamports(world: World) -> None:
    before = world.lamports()

    assert world.send(text_of(version_1(world, [PAY], priority_fee=7777, **FULL))) is None

    assert before - world.lamports() == SOL + 5000 + 7777


def compute_budget_instructions_do_nothing_in_version_1(world: World) -> None:
    instructions = [set_compute_unit_limit(1), set_compute_unit_price(10**9), set_compute_unit_price(1), PAY]
    before = world.lamports()

    assert world.send(text_of(version_1(world, instructions, **FULL))) is None

    assert before - world.lamports() == SOL + 5000


def version_0_is_at_most_1232_bytes(world: World) -> None:
    def make(count: int) -> VersionedTransaction:
        return signed(PAYER, [set_compute_unit_limit(1_400_000), filled(count)], world.blockhash())

    assert world.send(text_of(of_size(world, 1232, make))) is None
    world.next_block()
    assert "too large" in str(world.send(text_of(of_size(world, 1233, make))))


def version_1_is_at_most_4096_bytes(world: World) -> None:
    def make(count: int) -> VersionedTransaction:
        memos = [filled(min(left, 1000)) for left in range(count, 0, -1000)]
        return version_1(world, memos, **FULL | {"compute_unit_limit": 1_400_000})

    assert world.send(text_of(of_size(world, 4096, make))) is None
    world.next_block()
    assert "too large" in str(world.send(text_of(of_size(world, 4097, make))))


def more_than_1232_bytes_are_taken_in_base64_only(world: World) -> None:
    sent = version_1(world, [filled(1000), filled(1000)], **FULL | {"compute_unit_limit": 1_400_000})

    assert "too large" in str(world.send(base58.b58encode(bytes(sent)).decode(), "base58"))
    assert world.send(text_of(sent)) is None


def a_blockhash_may_be_named_for_150_blocks(world: World) -> None:
    young, old = [signed(PAYER, [paid(PAYER, OTHER, SOL + i)], world.blockhash()) for i in range(2)]
    world.next_block(150)
    assert world.send(text_of(young)) is None
    world.next_block()
    assert world.send(text_of(old)) is not None


def a_transaction_lands_once_while_its_blockhash_lives(world: World) -> None:
    first = signed(PAYER, [PAY], world.blockhash())
    assert world.send(text_of(first)) is None
    for i in range(100):
        assert world.send(text_of(signed(PAYER, [paid(PAYER, OTHER, SOL + i + 1)], world.blockhash()))) is None
    before = world.lamports()
    world.next_block(149)

    world.send(text_of(first))

    assert world.lamports() == before


def rent_is_5080_a_byte_for_rpc_and_programs(world: World) -> None:
    assert world.rent(165) == (128 + 165) * 5080
    assert world.rent_per_byte() == 5080


def the_clock_goes_on_by_itself_in_whole_seconds(world: World) -> None:
    seen = [world.seconds()]
    for _ in range(10):
        world.next_block()
        seen.append(world.seconds())

    assert sorted(seen) == seen
    assert seen[-1] == seen[0] + 2  # Ten slots of 200 ms.


def what_is_finalized_is_a_block_behind(world: World) -> None:
    before = world.lamports("finalized", OTHER)
    assert world.send(text_of(signed(PAYER, [PAY], world.blockhash()))) is None
    assert world.lamports("finalized", OTHER) == before
    world.next_block()
    assert world.lamports("finalized", OTHER) == before + SOL


ROWS: list[Callable[[Any], None]] = [
    version_1_needs_a_limit_of_units,
    version_1_needs_a_limit_of_loaded_bytes,
    version_1_has_to_stay_within_its_limit_of_units,
    version_1_pays_for_priority_in_total_lamports,
    compute_budget_instructions_do_nothing_in_version_1,
    version_0_is_at_most_1232_bytes,
    version_1_is_at_most_4096_bytes,
    more_than_1232_bytes_are_taken_in_base64_only,
    a_blockhash_may_be_named_for_150_blocks,
    a_transaction_lands_once_while_its_blockhash_lives,
    rent_is_5080_a_byte_for_rpc_and_programs,
    the_clock_goes_on_by_itself_in_whole_seconds,
    what_is_finalized_is_a_block_behind,
]


@pytest.mark.parametrize("rule", ROWS, ids=lambda rule: rule.__name__)
def test_the_sandbox_keeps_the_rule(rule: Callable[[World], None]) -> None:
    rule(Sandbox())


@pytest.mark.parametrize("rule", ROWS, ids=lambda rule: rule.__name__)
def test_litesvm_alone_does_not(rule: Callable[[World], None]) -> None:
    bare = BareWithoutAge() if rule is a_transaction_lands_once_while_its_blockhash_lives else Bare()

    with pytest.raises(AssertionError):
        rule(bare)


def test_the_clock_never_goes_beyond_twice_the_slots_since_the_parent() -> None:
    world = Sandbox()
    begun = world.chain.ledger.open.parent_ns
    world.chain.leader_ns = lambda slot: 10**19
    world.next_block(5)
    assert world.chain.ledger.open.parent_ns == begun + 5 * 2 * clock.SLOT_NS
    world.chain.leader_ns = lambda slot: 0
    world.next_block(5)
    assert world.chain.ledger.open.parent_ns == begun + 5 * 2 * clock.SLOT_NS


def test_skipped_slots_let_the_clock_catch_up() -> None:
    world = Sandbox()
    begun = world.chain.ledger.open.parent_ns
    world.chain.advance(skipped=9)
    world.chain.advance()

    assert world.chain.ledger.open.parent_ns == begun + 11 * clock.SLOT_NS


def test_programs_read_the_clock_of_the_parents_end() -> None:
    world = Sandbox()
    world.chain.advance()

    data = bytes(world.chain.account(clock.CLOCK).data)

    assert int.from_bytes(data[:8], "little") == world.chain.slot
    assert int.from_bytes(data[32:40], "little") == world.chain.ledger.open.parent_ns // 10**9


def test_the_clock_of_an_older_block_has_the_slot_of_that_block() -> None:
    world = Sandbox()
    world.next_block()

    data = base64.b64decode(world.ask("getAccountInfo", str(clock.CLOCK), {"encoding": "base64"})["value"]["data"][0])

    assert int.from_bytes(data[:8], "little") == world.ask("getSlot") < world.chain.slot


EXEMPT = 128 * 5080
PAYERS = [
    (4_999, "InsufficientFundsForFee"),
    (5_000, None),  # Left with nothing.
    (6_000, None),  # Was not exempt before.
    (EXEMPT + 4_999, {"InsufficientFundsForRent": {"account_index": 0}}),
    (EXEMPT + 5_000, None),
]
WAYS: dict[str, Callable[[World], VersionedTransaction]] = {
    "by LiteSVM": lambda world: signed(PAYER, [filled(1)], world.blockhash()),
    "in version 1": lambda world: version_1(world, [filled(1)], **FULL | {"compute_unit_limit": 100_000}),
    "for the fee only": lambda world: version_1(world, [filled(1)], compute_unit_limit=100_000),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("lamports", "error"), PAYERS)
def test_a_payer_stays_exempt_from_rent_or_is_left_with_nothing(
    way: Callable[[World], VersionedTransaction], lamports: int, error: Any
) -> None:
    world = Sandbox()
    world.chain.put(WALLET, Account(lamports, b"", Pubkey.default()))

    result, _ = world.chain.simulate(way(world))

    assert result.entered == (error is None)
    if error is not None:
        assert result.error == error


def test_priority_counts_when_a_payer_has_to_stay_exempt() -> None:
    world = Sandbox()
    world.chain.put(WALLET, Account(EXEMPT + 7_000, b"", Pubkey.default()))

    result, _ = world.chain.simulate(version_1(world, [filled(1)], priority_fee=8_000, **FULL))

    assert result.error == {"InsufficientFundsForRent": {"account_index": 0}}
    assert world.lamports() == EXEMPT + 7_000


@pytest.mark.parametrize("per_byte", [6960, 5080, 696])
def test_rent_can_be_set(per_byte: int) -> None:
    chain = Chain(make_runtime(per_byte))

    data = bytes(chain.account(RENT).data)

    assert int.from_bytes(data[:8], "little") == per_byte
    assert chain.runtime.svm.minimum_balance_for_rent_exemption(0) == 128 * per_byte


LIMITS = st.one_of(st.none(), st.integers(0, 2_000_000))
PRICES = st.one_of(st.none(), st.integers(0, 10**7))


@given(limit=LIMITS, price=PRICES, memos=st.integers(0, 3), transfers=st.integers(0, 3))
def test_fees_and_limits_are_those_that_litesvm_takes(
    limit: int | None, price: int | None, memos: int, transfers: int
) -> None:
    bare = Bare()
    instructions = [filled(1)] * memos + [paid(PAYER, OTHER, SOL)] * transfers
    instructions += [] if limit is None else [set_compute_unit_limit(limit)]
    instructions += [] if price is None else [set_compute_unit_price(price)]
    transaction = signed(PAYER, instructions, bare.blockhash())
    chain = Chain(make_runtime())
    chain.put(WALLET, Account(1000 * SOL, b"", Pubkey.default()))

    outcome = bare.svm.send_transaction(transaction)
    mine = chain.simulate(signed(PAYER, instructions, chain.ledger.open.newest_hash))[0]

    meta = outcome.meta() if hasattr(outcome, "err") else outcome
    assert rules.fee_of(transaction.message) == meta.fee() == mine.fee
    assert mine.units == meta.compute_units_consumed()
    assert list(mine.logs) == meta.logs()


@pytest.mark.parametrize(
    ("instructions", "error"),
    [
        ([set_compute_unit_limit(5), set_compute_unit_limit(6)], {"DuplicateInstruction": 1}),
        ([Instruction(COMPUTE_BUDGET, b"\x09", [])], {"InstructionError": [0, "InvalidInstructionData"]}),
        ([Instruction(COMPUTE_BUDGET, b"\x02\x01", [])], {"InstructionError": [0, "InvalidInstructionData"]}),
        ([request_heap_frame(1000)], {"InstructionError": [0, "InvalidInstructionData"]}),
        ([set_loaded_accounts_data_size_limit(0)], "InvalidLoadedAccountsDataSizeLimit"),
    ],
)
def test_compute_budgets_that_make_no_sense_enter_no_block(instructions: list[Instruction], error: Any) -> None:
    world = Sandbox()
    before = world.lamports()

    result, _ = world.chain.simulate(signed(PAYER, [*instructions, PAY], world.blockhash()))

    assert result.error == error
    assert not result.entered
    assert world.chain.land(signed(PAYER, [*instructions, PAY], world.blockhash())) == error
    assert world.lamports() == before


def test_loaded_bytes_of_version_0_are_limited_too_where_it_says_so() -> None:
    world = Sandbox()

    error = world.send(text_of(signed(PAYER, [set_loaded_accounts_data_size_limit(100), PAY], world.blockhash())))

    assert error == "MaxLoadedAccountsDataSizeExceeded"


def test_an_upgradeable_program_is_loaded_with_its_code() -> None:
    world, program = Sandbox(), Pubkey(bytes([99]) * 32)
    code = returning(0, units=1000)
    world.chain.runtime.svm.add_program(program, code)
    sent = version_1(world, [Instruction(program, b"", [])], **FULL)

    loaded = world.chain.simulate(sent)[0].loaded

    payer, stub, body = 64, 64 + 36, 64 + 45 + len(code)
    assert loaded == payer + stub + body


def test_a_malformed_version_1_is_refused() -> None:
    world = Sandbox()
    good = version_1(world, [PAY], **FULL).message
    twice = MessageV1(
        good.header,
        good.config,
        good.lifetime_specifier,
        [*good.account_keys[:2], good.account_keys[1]],
        good.instructions,
    )

    assert world.chain.land(VersionedTransaction(twice, [PAYER])) == "SanitizeFailure"


def test_called_instructions_are_shown_by_number_of_account() -> None:
    world = Sandbox()
    mint = make_token(world.chain, key(50), 6).mint
    made = signed(PAYER, [create_associated_account(WALLET, WALLET, mint)], world.blockhash())
    assert world.chain.land(made) is None

    name = str(made.signatures[0])
    shown = world.ask(
        "getTransaction", name, {"encoding": "json", "commitment": "processed", "maxSupportedTransactionVersion": 0}
    )

    called = [one for group in shown["meta"]["innerInstructions"] for one in group["instructions"]]
    programs = {shown["transaction"]["message"]["accountKeys"][one["programIdIndex"]] for one in called}
    assert programs == {"TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "11111111111111111111111111111111"}
    assert {one["stackHeight"] for one in called} == {2}
    assert shown["meta"]["postTokenBalances"][0]["mint"] == str(mint)


def test_a_reader_who_does_not_ask_for_version_1_is_told() -> None:
    world = Sandbox()
    sent = version_1(world, [PAY], **FULL)
    assert world.send(text_of(sent)) is None
    name = str(sent.signatures[0])

    with pytest.raises(RpcError) as caught:
        world.ask("getTransaction", name, {"commitment": "processed", "maxSupportedTransactionVersion": 0})
    shown = world.ask(
        "getTransaction", name, {"commitment": "processed", "maxSupportedTransactionVersion": 1, "encoding": "base64"}
    )

    assert caught.value.code == -32015
    assert shown["version"] == 1
    assert base64.b64decode(shown["transaction"][0]) == bytes(sent)


def test_a_fee_is_asked_of_a_message() -> None:
    world = Sandbox()
    message = signed(PAYER, [set_compute_unit_limit(10), set_compute_unit_price(10**6), PAY], world.blockhash()).message
    text = base64.b64encode(to_bytes_versioned(message)).decode()

    assert world.ask("getFeeForMessage", text, {"commitment": "processed"})["value"] == 5010
    world.chain.runtime.signature_lamports = 7_000
    assert world.ask("getFeeForMessage", text, {"commitment": "processed"})["value"] == 7010
    world.next_block(151)
    assert world.ask("getFeeForMessage", text, {"commitment": "processed"})["value"] is None
