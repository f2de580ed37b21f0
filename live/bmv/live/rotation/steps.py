"""The steps of a rotation. Each looks at the chain, does what is lacking, and ends when the finalized chain shows it.

So each may be broken off anywhere and begun again: what is done already is found done. An owner's key goes with all
that it has, since accounts at the venue can't change their owner. A delegate's goes with one `setDelegate` of the
owner's.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import httpx
from solders.pubkey import Pubkey

from bmv.adapters.config import Config
from bmv.adapters.solana.balances import SOL_DECIMALS, in_whole
from bmv.adapters.solana.rpc import CONFIRMED
from bmv.adapters.solana.sending.fees import SIGNATURE_LAMPORTS
from bmv.adapters.solana.tokens import TOKEN_ACCOUNT_BYTES
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.remote import RemoteSigner
from bmv.live.chain import clearing, making
from bmv.live.chain.hands import Hands, Outcome
from bmv.live.chain.opening import hands_with
from bmv.live.chain.readers import Readers
from bmv.live.chain.seated import Seated, take_seat
from bmv.live.rotation import moving
from bmv.live.rotation.configured import replaced
from bmv.live.rotation.diary import Diary
from bmv.ports.errors import ConfigError, Refused

Key = LocalKey | RemoteSigner
TRANSACTIONS = 8  # Of one rotation at most, in the reckoning of fees.


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a rotation, all open before anything moves.

    Args:
        old: Goes.
        new: Comes.
        owner: The owner's, where the two are delegates; None: they are owners themselves.
        old_wallet, new_wallet, owner_wallet: Their files.
    """

    old: Key
    new: Key
    owner: Key | None
    old_wallet: Path
    new_wallet: Path
    owner_wallet: Path | None


@dataclass(slots=True)
class Rotation:
    """A rotation under way.

    Args:
        path: Of the configuration.
        config: As it was when the rotation began, with the old key's file.
        client: Carries the calls.
        say: Hears what happens, a line at a time.
        patience_s: As of `Readers`.
        outcomes: Of all transactions.
        readers: Who is asked, once somebody was.
        by_hand: What is left for the operator to change, "": nothing.
        keep: Hears what is about to be sent, and its signature.
    """

    path: Path
    config: Config
    keys: Keys
    client: httpx.AsyncClient
    say: Callable[[str], None]
    patience_s: float
    outcomes: list[Outcome] = field(default_factory=list)
    readers: Readers | None = None
    by_hand: str = ""
    keep: Callable[[str, str], None] = lambda what, signature: None

    @property
    def successor(self) -> Pubkey:
        """Whose everything will be."""
        return Pubkey(self.keys.new.public_key)

    async def run(self, diary: Diary) -> None:
        """Take all steps; the diary is told before each, and before anything is sent."""
        self.keep = diary.sent
        owned = (self.clear, self.close, self.move_tokens, self.move_sol, self.set_up, self.configure)
        delegated = (self.appoint, self.clear, self.move_tokens, self.move_sol, self.configure)
        for step in owned if self.keys.owner is None else delegated:
            diary.step(step.__name__)
            await step()
        diary.done()

    # Seats, each by a configuration with its own key; all believe what one of them has seen.

    async def _seat(self, **live: object) -> Seated:
        config = self.config.model_copy(update={"live": self.config.live.model_copy(update=live)})
        seated = await take_seat(self.path, config, self.client, self.patience_s, stubborn=True)
        if self.readers is None:
            self.readers = seated.readers
            await self.readers.catch_up()
        return replace(seated, readers=self.readers)

    async def trading_seat(self) -> Seated:
        """Return the seat whose orders go: the old key's, or, of two delegates, the owner's with the new one named."""
        if self.keys.owner_wallet is None:
            return await self._seat()
        return await self._seat(
            wallet=str(self.keys.owner_wallet),
            delegate=self.keys.new.address,
            deposit_base=Decimal(0),
            deposit_quote=Decimal(0),
        )

    async def _trading_seat_if_any(self) -> Seated:
        """Return the same; the account that a configuration names may be closed by now."""
        try:
            return await self.trading_seat()
        except ConfigError:
            if self.config.live.open_orders is None or self.keys.owner is not None:
                raise
            return await self._seat(open_orders=None)

    async def purse_seat(self) -> Seated:
        """Return the old key with its own wallets, and nothing at the venue."""
        return await self._seat(owner=None, delegate=None, open_orders=None)

    async def next_seat(self) -> Seated:
        """Return the new key's seat, as its own owner."""
        return await self._seat(wallet=str(self.keys.new_wallet), owner=None, open_orders=None)

    @asynccontextmanager
    async def _hands(self, seated: Seated, key: Key) -> AsyncIterator[Hands]:
        async with hands_with(seated, key, self.say, stubborn=True) as hands:
            hands.outcomes, hands.keep = self.outcomes, self.keep
            yield hands

    # Steps.

    async def appoint(self) -> None:
        """Let the owner name the new delegate: from then on the old one can do nothing more."""
        assert self.keys.owner is not None, "only owners appoint"
        seated = await self.trading_seat()
        desk = await seated.desk(CONFIRMED)
        if desk.account is None:
            raise Refused(f"{seated.seat.owner} has no account on this market; `bmv chain setup` makes one")
        async with self._hands(seated, self.keys.owner) as hands:
            await making.set_up(hands, await making.lacking(seated, desk, 0), desk, 0)

    async def clear(self) -> None:
        """Cancel every order. What the old key has sent may still land, unless it is a delegate's that was deposed."""
        seated = await self._trading_seat_if_any()
        if seated.spot.exists:
            async with self._hands(seated, self.keys.owner or self.keys.old) as hands:
                await clearing.clear(hands, watch=self.keys.owner is None)

    async def close(self) -> None:
        """Settle, and close the old key's account."""
        seated = await self._trading_seat_if_any()
        if seated.spot.exists:
            async with self._hands(seated, self.keys.old) as hands:
                await making.close(hands, unwraps=False)

    async def move_tokens(self) -> None:
        """Move the tokens."""
        async with self._hands(await self.purse_seat(), self.keys.old) as hands:
            await moving.move_tokens(hands, self.successor)

    async def move_sol(self) -> None:
        """Move the SOL."""
        async with self._hands(await self.purse_seat(), self.keys.old) as hands:
            await moving.move_sol(hands, self.successor)

    async def set_up(self) -> None:
        """Make the new key's account."""
        seated = await self.next_seat()
        async with self._hands(seated, self.keys.new) as hands:
            desk = await seated.desk(CONFIRMED)
            await making.set_up(hands, await making.lacking(seated, desk, 0), desk, 0)

    async def configure(self) -> None:
        """Name the new key in the configuration."""
        named, dropped = ("owner", ("open_orders",)) if self.keys.owner is None else ("delegate", ())
        changes = {"wallet": str(self.keys.new_wallet), named: self.keys.new.address}
        self.by_hand = replaced(self.path, self.keys.old_wallet, changes, dropped)


async def check_means(rotation: Rotation) -> None:
    """Refuse a rotation that would stand still halfway, or leave something on another market behind.

    On version 1 a node has to search for accounts; whether it does is known once it has, for the new key.
    """
    seated = await rotation.purse_seat()
    desk, spot = await seated.desk(CONFIRMED), await (await rotation.trading_seat()).find()
    if rotation.keys.owner is None and spot.listed > int(spot.exists):
        raise Refused(
            f"{seated.seat.owner} has accounts on {spot.listed - int(spot.exists)} other markets, and they would stay "
            "behind without SOL; close them first, with `bmv chain cancel-all` and `bmv chain close`"
        )
    if rotation.keys.owner is None:
        await rotation.next_seat()
    fee = SIGNATURE_LAMPORTS + seated.config.live.max_priority_fee_lamports
    needed = TRANSACTIONS * fee + 2 * await seated.rent(TOKEN_ACCOUNT_BYTES) + await seated.rent(0)
    if desk.signer_lamports < needed:
        has, wants = (in_whole(lamports, SOL_DECIMALS) for lamports in (desk.signer_lamports, needed))
        raise Refused(f"{seated.seat.signer} holds {has} SOL, and a rotation may take {wants}; nothing was sent")
