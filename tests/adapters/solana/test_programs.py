"""What is known of a program comes from its accounts; what they don't say is unknown and no failure."""

from hashlib import sha256

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.solana.programs import FINAL, UPGRADEABLE, code_address, read_deployment

KEY, WHERE = Pubkey(b"\1" * 32), Pubkey(b"\2" * 32)
CODE = b"\x7fELF and the rest"
PROGRAM = Account(1, b"\2\0\0\0" + bytes(WHERE), UPGRADEABLE, True)


def data_of(authority: Pubkey | None, code: bytes = CODE + bytes(100)) -> Account:
    may = b"\0" + bytes(32) if authority is None else b"\1" + bytes(authority)
    return Account(1, b"\3\0\0\0" + (77).to_bytes(8, "little") + may + code, UPGRADEABLE, False)


def test_an_upgradeable_program_says_when_and_by_whom() -> None:
    deployment = read_deployment(PROGRAM, data_of(KEY))

    assert code_address(PROGRAM) == WHERE
    assert (deployment.slot, deployment.upgradeable, deployment.authority) == (77, True, KEY)
    assert deployment.unknown == ""


def test_without_an_authority_nobody_may_change_it() -> None:
    deployment = read_deployment(PROGRAM, data_of(None))

    assert (deployment.upgradeable, deployment.authority) == (False, None)


def test_the_hash_leaves_out_the_zeros_at_the_end() -> None:
    deployment = read_deployment(PROGRAM, data_of(KEY))

    assert deployment.code_sha256 == sha256(CODE).hexdigest()
    assert deployment.code_bytes == len(CODE)


def test_a_program_of_an_old_loader_is_final_and_of_no_known_slot() -> None:
    deployment = read_deployment(Account(1, CODE, FINAL[0], True), None)

    assert (deployment.slot, deployment.upgradeable) == (None, False)
    assert deployment.code_sha256 == sha256(CODE).hexdigest()


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (None, None),
        (Account(1, PROGRAM.data, UPGRADEABLE, False), None),
        (Account(1, CODE, KEY, True), None),
        (Account(1, b"\2\0\0\0", UPGRADEABLE, True), None),
        (PROGRAM, None),
        (PROGRAM, Account(1, data_of(KEY).data, KEY, False)),
        (PROGRAM, Account(1, b"\3\0\0\0", UPGRADEABLE, False)),
        (PROGRAM, Account(1, bytes(60), UPGRADEABLE, False)),
    ],
)
def test_what_can_not_be_known_is_unknown_with_its_reason(program: Account | None, code: Account | None) -> None:
    deployment = read_deployment(program, code)

    assert (deployment.slot, deployment.upgradeable, deployment.code_sha256) == (None, None, None)
    assert deployment.unknown
