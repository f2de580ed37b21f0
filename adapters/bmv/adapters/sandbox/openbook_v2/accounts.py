"""Making, resizing and closing accounts, as Anchor has the system program and the associated token program do it."""

from solders.pubkey import Pubkey
from solders.transaction_status import InstructionErrorCustom, InstructionErrorFieldless

from bmv.adapters.openbook.v2.metas import ASSOCIATED_TOKEN_PROGRAM, SYSTEM_PROGRAM, TOKEN_PROGRAM
from bmv.adapters.sandbox.openbook_v2.failure import Failure, caused
from bmv.adapters.sandbox.openbook_v2.frame import Frame
from bmv.adapters.sandbox.tokens import ACCOUNT_BYTES
from bmv.adapters.sandbox.transfers import empty_account
from bmv.adapters.solana.tokens import NATIVE_MINT

_SIZE_RETURNED = "pQAAAAAAAAA="  # 165, as the token program returns it.


def create_account(frame: Frame, name: str, size: int) -> None:
    """Make an account of the program, of `size` zero bytes, exempt from rent at the expense of the payer."""
    _create(frame, name, size, frame.program, depth=2)


def _create(frame: Frame, name: str, size: int, owner: Pubkey, depth: int) -> None:
    state = frame.state(name)
    needed = frame.surroundings.rent_exempt(size)
    if state.lamports == 0:
        _fund(frame, name, needed, depth)
        state.data[:] = bytes(size)
        state.owner = owner
        return
    if needed > state.lamports:
        _fund(frame, name, needed - state.lamports, depth)
    _allocate(frame, name, size, depth)
    state.owner = owner
    _call(frame, depth)


def _allocate(frame: Frame, name: str, size: int, depth: int) -> None:
    state = frame.state(name)
    if state.data or state.owner != SYSTEM_PROGRAM:
        frame.logs.append(f"Program {SYSTEM_PROGRAM} invoke [{depth}]")
        frame.logs.append(f"Allocate: account Address {{ address: {frame.key(name)}, base: None }} already in use")
        frame.logs.append(f"Program {SYSTEM_PROGRAM} failed: custom program error: 0x0")
        raise Failure(InstructionErrorCustom(0))
    state.data[:] = bytes(size)
    _call(frame, depth)


def _fund(frame: Frame, name: str, lamports: int, depth: int) -> None:
    """Have the payer give lamports to an account, which a program may only ask of accounts passed as writable."""
    for paid in ("payer", name):
        if not frame.is_writable(paid):
            frame.logs.append(f"{frame.key(paid)}'s writable privilege escalated")
            raise Failure(InstructionErrorFieldless.PrivilegeEscalation)
    frame.transfer_lamports(lamports, "payer", name, depth)


def _call(frame: Frame, depth: int, program: Pubkey = SYSTEM_PROGRAM) -> None:
    frame.logs += (f"Program {program} invoke [{depth}]", f"Program {program} success")


def create_vault(frame: Frame, name: str, mint: Pubkey, authority: Pubkey) -> None:
    """Make the associated token account of a mint and an authority."""
    frame.logs += (f"Program {ASSOCIATED_TOKEN_PROGRAM} invoke [2]", "Program log: Create")
    if frame.state(name).owner != SYSTEM_PROGRAM:
        frame.logs.append(f"Program {ASSOCIATED_TOKEN_PROGRAM} failed: Provided owner is not allowed")
        raise Failure(InstructionErrorFieldless.IllegalOwner)
    frame.logs += (
        f"Program {TOKEN_PROGRAM} invoke [3]",
        f"Program return: {TOKEN_PROGRAM} {_SIZE_RETURNED}",
        f"Program {TOKEN_PROGRAM} success",
    )
    _create(frame, name, ACCOUNT_BYTES, TOKEN_PROGRAM, depth=3)
    frame.logs.append("Program log: Initialize the associated token account")
    _call(frame, 3, TOKEN_PROGRAM)
    _call(frame, 3, TOKEN_PROGRAM)
    frame.logs.append(f"Program {ASSOCIATED_TOKEN_PROGRAM} success")
    data = frame.state(name).data
    data[:] = empty_account(mint, authority, 0, 0).data
    if mint == NATIVE_MINT:
        data[109:121] = b"\1\0\0\0" + frame.surroundings.rent_exempt(ACCOUNT_BYTES).to_bytes(8, "little")


def lengthen(frame: Frame, name: str, size: int) -> None:
    """Give an account more bytes, and the lamports for them from the payer."""
    state = frame.state(name)
    needed = frame.surroundings.rent_exempt(size)
    if needed > state.lamports:
        _fund(frame, name, needed - state.lamports, depth=2)
    state.data += bytes(size - len(state.data))


def shorten(frame: Frame, name: str, size: int, target: str) -> None:
    """Take an account's last bytes away, and give the lamports for them to another account."""
    state = frame.state(name)
    spare = state.lamports - frame.surroundings.rent_exempt(size)
    state.lamports -= spare
    frame.state(target).lamports += spare
    del state.data[size:]


def close_account(frame: Frame, name: str) -> None:
    """Empty an account and give its lamports to the destination."""
    state = frame.state(name)
    frame.state("sol_destination").lamports += state.lamports
    state.lamports, state.owner = 0, SYSTEM_PROGRAM
    state.data.clear()


def check_address(frame: Frame, name: str, address: Pubkey) -> None:
    """Fail unless an account lies where its seeds say."""
    if frame.key(name) != address:
        raise caused(frame.build, "ConstraintSeeds", name, (frame.key(name), address))
