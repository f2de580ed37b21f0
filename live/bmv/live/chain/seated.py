"""Our seat on the market of a configuration, found by nothing but that configuration and the chain."""

from dataclasses import dataclass
from pathlib import Path

import httpx
from solders.pubkey import Pubkey

from bmv.adapters.cli.named_market import address_of, endpoints_of
from bmv.adapters.config import Config
from bmv.adapters.config.mandate import named_account, owner_of
from bmv.adapters.openbook.book import Lots
from bmv.adapters.openbook.inspection.inspect import Identity, identify
from bmv.adapters.openbook.planning.seat import Seat
from bmv.adapters.openbook.seat.desk import DeskSnapshot, mints_of, read_desk
from bmv.adapters.openbook.seat.find import Spot, find_spot
from bmv.adapters.openbook.seat.rights import make_seat
from bmv.adapters.openbook.v1.accounts import Market as MarketV1
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import FINALIZED, Rpc
from bmv.adapters.solana.tokens import read_mint
from bmv.live.chain.readers import Readers
from bmv.live.doctor.probe.wallet import read_address
from bmv.ports.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class Seated:
    """A market, our seat there, and who is asked about it.

    Args:
        identity: The market.
        lots: Its units.
        spot: Where our account lies, or would.
        seat: Our accounts.
        readers: Who is asked.
    """

    config: Config
    identity: Identity
    lots: Lots
    spot: Spot
    seat: Seat
    readers: Readers

    async def desk(self, commitment: str = FINALIZED, *, books: bool = False) -> DeskSnapshot:
        """Read what stands there, by a bank not older than what was read before."""
        least, market = self.readers.least_slot, self.identity.market

        async def read(rpc: Rpc) -> DeskSnapshot:
            return await read_desk(rpc, self.seat, market, least_slot=least, commitment=commitment, books=books)

        return await self.readers.ask(read)

    async def rent(self, size: int) -> int:
        """Ask the chain what an account of so many bytes has to hold, lamports."""

        async def ask(rpc: Rpc) -> int:
            lamports = await rpc.call("getMinimumBalanceForRentExemption", size)
            if type(lamports) is not int or lamports < 0:
                raise EndpointError(f"{rpc.endpoint}: says of rent what can't be used")
            return lamports

        return await self.readers.ask(ask)

    async def find(self) -> Spot:
        """Say anew where our account lies."""
        least = self.readers.least_slot
        named = named_account(self.config)
        return await self.readers.ask(
            lambda rpc: find_spot(rpc, self.identity, self.seat.owner, named, least_slot=least)
        )


def signer_of(config: Config) -> Pubkey:
    """Return who signs, by the public key of `live.wallet`; no passphrase is needed."""
    return read_address(str(wallet_of(config)))


def wallet_of(config: Config) -> Path:
    """Return the file of the key."""
    if config.live.wallet is None:
        raise ConfigError("live.wallet: missing; expected the path of a key file, as `bmv wallet new` writes it")
    return Path(config.live.wallet)


async def take_seat(
    path: Path, config: Config, client: httpx.AsyncClient, patience_s: float, *, stubborn: bool = False
) -> Seated:
    """Find our seat; arguments as of `Readers`."""
    signer, address = signer_of(config), address_of(path, config)
    owner = owner_of(config) or signer
    if owner_of(config) is None and str(signer) == config.live.delegate:
        raise ConfigError(
            "live.owner: missing; live.wallet is the key of live.delegate, and whose account it trades for?"
        )
    readers = Readers(client, endpoints_of(config), patience_s, stubborn=stubborn)
    identity = await readers.ask(lambda rpc: _identify(rpc, address))
    if config.market.venue != (venue := _venue(identity)):
        raise ConfigError(f'{path}: market.venue: is "{config.market.venue}", and the market is of "{venue}"')
    lots = await readers.ask(lambda rpc: _lots(rpc, identity))
    named = named_account(config)
    spot = await readers.ask(lambda rpc: find_spot(rpc, identity, owner, named))
    seat = make_seat(address, identity.market, identity.program, owner, spot.address, signer)
    return Seated(config, identity, lots, spot, seat, readers)


def _venue(identity: Identity) -> str:
    return "openbook-v1" if isinstance(identity.market, MarketV1) else "openbook-v2"


async def _identify(rpc: Rpc, address: Pubkey) -> Identity:
    return identify(address, (await rpc.accounts([address])).accounts[address])


async def _lots(rpc: Rpc, identity: Identity) -> Lots:
    """Return a market's units; version 1 leaves the decimals to the mints."""
    market = identity.market
    if not isinstance(market, MarketV1):
        return market.lots()
    mints = mints_of(market)
    accounts = (await rpc.accounts(mints)).accounts
    decimals = list[int]()
    for mint in mints:
        account = accounts[mint]
        try:
            if account is None:
                raise ValueError("is not there")
            decimals.append(read_mint(account).decimals)
        except ValueError as error:
            raise DataError(f"mint {mint}: {error}") from None
    return market.lots(*decimals)
