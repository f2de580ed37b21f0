"""All that a wallet holds of a market's coins, and its SOL, to the wallet that follows it; and only there.

Each transaction moves a whole balance, as it was read, and closes what held it. Sent twice the second fails, so a
transaction that may still land does no harm to the next attempt.
"""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from bmv.adapters.config.mandate import Extra
from bmv.adapters.openbook.seat.desk import DeskSnapshot, mints_of
from bmv.adapters.solana.rpc import CONFIRMED, FINALIZED
from bmv.adapters.solana.sending.fees import SIGNATURE_LAMPORTS
from bmv.adapters.solana.tokens import (
    associated_account,
    close_token_account,
    create_associated_account,
    transfer_tokens,
)
from bmv.live.chain.hands import Hands
from bmv.live.chain.making import Failed

TRIES = 10  # Others may pay in while we pay out.
PAUSE_S = 0.2


class Move(NamedTuple):
    """One token account that goes.

    Args:
        what: Base or quote.
        account: Ours.
        native: What it holds.
    """

    what: str
    mint: Pubkey
    account: Pubkey
    native: int


def moves_of(hands: Hands, desk: DeskSnapshot) -> list[Move]:
    """Return the token accounts that are there by a snapshot."""
    seat, mints = hands.seated.seat, mints_of(desk.market)
    both = (
        ("base", mints[0], seat.base_wallet, desk.base_wallet),
        ("quote", mints[1], seat.quote_wallet, desk.quote_wallet),
    )
    return [Move(what, mint, account, native) for what, mint, account, native in both if native is not None]


async def move_tokens(hands: Hands, successor: Pubkey) -> None:
    """Move base and quote, wrapped SOL as such, and close the accounts, until the finalized chain shows none."""
    for _ in range(TRIES):
        desk = await _settled(hands)
        moves = moves_of(hands, desk)
        if not moves:
            return
        owner = hands.seated.seat.owner
        instructions = [one for move in moves for one in _instructions(move, owner, successor)]
        what = " and ".join(move.what for move in moves)
        await hands.carry_pieces(f"moving {what}", instructions, desk, Extra(successor=successor))
    raise Failed("tokens are still with the old key; it may be run again at any time")


def _instructions(move: Move, owner: Pubkey, successor: Pubkey) -> Iterator[Instruction]:
    yield create_associated_account(owner, successor, move.mint)
    if move.native:
        yield transfer_tokens(move.account, associated_account(successor, move.mint), owner, move.native)
    yield close_token_account(move.account, owner)


async def move_sol(hands: Hands, successor: Pubkey) -> None:
    """Move all SOL but for the fee, until the finalized chain shows no more than a fee."""
    for _ in range(TRIES):
        desk = await _settled(hands)
        if desk.signer_lamports <= SIGNATURE_LAMPORTS or await hands.carry_all(successor, desk) is None:
            return
    raise Failed("SOL is still with the old key; it may be run again at any time")


async def _settled(hands: Hands) -> DeskSnapshot:
    """Read our wallet as soon as the newest and the finalized chain agree about it: nothing is on its way then."""
    while True:
        last, newest = await hands.seated.desk(FINALIZED), await hands.seated.desk(CONFIRMED)
        if _wallet(last) == _wallet(newest):
            return newest
        await asyncio.sleep(PAUSE_S)


def _wallet(desk: DeskSnapshot) -> tuple[int | None, ...]:
    return desk.base_wallet, desk.quote_wallet, desk.signer_lamports
