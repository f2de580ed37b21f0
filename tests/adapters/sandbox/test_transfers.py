"""What SPL Token does when a program calls it."""

import pytest
from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorCustom, InstructionErrorFieldless

from bmv.adapters.sandbox.double import AccountState
from bmv.adapters.sandbox.transfers import amount_of, empty_account, transfer

MINT, OTHER_MINT, OWNER, DELEGATE = (Pubkey.from_bytes(bytes([n]) * 32) for n in range(1, 5))


def wallets(mint: Pubkey = MINT) -> tuple[AccountState, AccountState]:
    return empty_account(MINT, OWNER, 100, 10**7), empty_account(mint, OWNER, 5, 10**7)


def test_a_transfer_moves_the_amount_and_says_so() -> None:
    source, target = wallets()
    lines: list[str] = []

    error = transfer(source, target, bytes(OWNER), 30, lines.append)

    assert error is None
    assert (amount_of(source.data), amount_of(target.data)) == (70, 35)
    assert [line.split(" ", 2)[2] for line in lines] == ["invoke [2]", "success"]


def test_a_transfer_to_itself_changes_nothing() -> None:
    source, _ = wallets()

    assert transfer(source, source, bytes(OWNER), 30, lambda line: None) is None
    assert amount_of(source.data) == 100


@pytest.mark.parametrize(
    ("mint", "authority", "amount", "code"),
    [(MINT, OWNER, 101, 1), (OTHER_MINT, OWNER, 1, 3), (MINT, DELEGATE, 1, 4)],
    ids=["too little", "another mint", "another owner"],
)
def test_a_refused_transfer_moves_nothing(mint: Pubkey, authority: Pubkey, amount: int, code: int) -> None:
    source, target = wallets(mint)
    lines: list[str] = []

    error = transfer(source, target, bytes(authority), amount, lines.append)

    assert error == InstructionErrorCustom(code)
    assert (amount_of(source.data), amount_of(target.data)) == (100, 5)
    assert lines[-1].endswith(f"failed: custom program error: {hex(code)}")


def test_a_delegate_moves_what_it_was_allowed_and_no_more() -> None:
    source, target = wallets()
    source.data[72:76], source.data[76:108] = b"\1\0\0\0", bytes(DELEGATE)
    source.data[121:129] = (30).to_bytes(8, "little")

    assert transfer(source, target, bytes(DELEGATE), 31, lambda line: None) == InstructionErrorCustom(1)
    assert transfer(source, target, bytes(DELEGATE), 30, lambda line: None) is None
    assert source.data[72:76] == bytes(4)


def test_wrapped_coins_move_their_lamports() -> None:
    source, target = wallets()
    for state in (source, target):
        state.data[109:113] = b"\1\0\0\0"

    assert transfer(source, target, bytes(OWNER), 30, lambda line: None) is None
    assert (source.lamports, target.lamports) == (10**7 - 30, 10**7 + 30)


def test_a_frozen_or_foreign_account_is_refused() -> None:
    source, target = wallets()
    source.data[108] = 2
    foreign = AccountState(10**7, bytearray(10), OWNER)

    assert transfer(source, target, bytes(OWNER), 1, lambda line: None) == InstructionErrorCustom(17)
    assert transfer(foreign, target, bytes(OWNER), 1, lambda line: None) == InstructionErrorFieldless.InvalidAccountData
