"""The market that a configuration names, read from a node and looked at before anything relies on it."""

from dataclasses import replace
from pathlib import Path

from solders.pubkey import Pubkey

from bmv.adapters.config import Config
from bmv.adapters.openbook.inspection.fit import Expected, check_fit
from bmv.adapters.openbook.inspection.inspect import inspect
from bmv.adapters.openbook.inspection.records import Finding, Inspection
from bmv.adapters.openbook.snapshot import read_market
from bmv.adapters.solana.endpoints import READ, ROLES, SEND, Endpoint, Endpoints, websocket_of
from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import Rpc, make_client
from bmv.ports.errors import ConfigError


def address_of(path: Path | str, config: Config) -> Pubkey:
    """Return the address of a configuration's market; `ConfigError` where there is none."""
    if config.market.address is None:
        raise ConfigError(f"{path}: market.address: expected the address of the market's account, found none")
    try:
        return Pubkey.from_string(config.market.address)
    except ValueError:
        raise ConfigError(f"{path}: market.address: expected 32 bytes in base58, found others") from None


def endpoints_of(config: Config) -> Endpoints:
    """Return the endpoints of a configuration; the websocket that it names is the first one's."""
    live = config.live
    read = (READ,) if live.send_endpoints else ROLES
    urls = [(url, ROLES if url in live.send_endpoints else read) for url in live.endpoints]
    urls += [(url, (SEND,)) for url in live.send_endpoints if url not in live.endpoints]
    made = [endpoint_of(url, roles) for url, roles in urls]
    if live.websocket and live.endpoints:
        made[0] = replace(made[0], websocket=live.websocket)
    return Endpoints(made)


def endpoint_of(url: str, roles: tuple[str, ...] = ROLES) -> Endpoint:
    """Return an endpoint whose websocket is where nodes usually have it; `ConfigError` where it is no URL."""
    try:
        return Endpoint(url, websocket_of(url), roles)
    except ValueError:  # A port that is none.
        raise ConfigError(
            "live.endpoints: expected a URL such as https://rpc.example.com, found something else"
        ) from None


def expected_of(config: Config) -> Expected:
    """Return what a configuration says of its market."""
    market = config.market
    return Expected(
        venue=market.venue,
        address=market.address,
        tick_size=market.tick_size,
        lot_size=market.lot_size,
        min_size=market.min_size,
        quote_step=market.quote_step,
        maker_fee_bps=market.maker_fee_bps,
        taker_fee_bps=market.taker_fee_bps,
        contracts=market.contract is not None,
    )


async def look(path: Path, config: Config, endpoints: Endpoints) -> tuple[Pubkey, Inspection, tuple[Finding, ...]]:
    """Read the market from the first endpoint that answers; return it with all that is wrong with it."""
    address = address_of(path, config)
    inspection = await inspect_first(address, endpoints)
    return address, inspection, (*inspection.findings, *check_fit(inspection, expected_of(config)))


async def inspect_first(address: Pubkey, endpoints: Endpoints) -> Inspection:
    """Look at a market from the first endpoint that answers; `EndpointError` says why none does."""
    failures = list[str]()
    async with make_client() as client:
        for endpoint in endpoints.readers:
            try:
                seen = await read_market(Rpc(client, endpoint.url, health=endpoint.health), address)
            except EndpointError as error:
                failures.append(str(error))
            else:
                return inspect(seen.identity, seen.snapshot)
    raise EndpointError("\n".join(failures))
