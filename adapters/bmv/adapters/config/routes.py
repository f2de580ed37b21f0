"""From `[[live.routes]]` to routes as planning knows them; what may be wrong with them, all at once."""

from collections import Counter
from collections.abc import Iterator

from solders.pubkey import Pubkey

from bmv.adapters.config.masking import has_password
from bmv.adapters.config.schema import Config, Route
from bmv.adapters.openbook.planning import routes as planned
from bmv.adapters.openbook.planning.routes import LARGE_BYTES, PACKET_BYTES, RouteKind
from bmv.adapters.openbook.planning.tipping import TipPolicy
from bmv.data.landing.accounts import JITO_LEAST_TIP, JITO_TIP_ACCOUNTS

SCHEMES = ("http://", "https://")


def routes_of(config: Config) -> tuple[planned.Route, ...]:
    """Return the routes of a configuration, in order; none where it names none."""
    return tuple(map(_route, config.live.routes))


def tip_accounts(config: Config) -> frozenset[Pubkey]:
    """Return whom a tip may be paid to."""
    return frozenset(account for route in routes_of(config) for account in route.tips)


def tip_policy(config: Config) -> TipPolicy:
    """Return how much a change is worth."""
    tips = config.live.jito
    return TipPolicy(
        cancel=tips.cancel_percentile,
        recentre=tips.recentre_percentile,
        refill=tips.refill_percentile,
        unknown=tips.tip_lamports,
        most=tips.max_tip_lamports,
    )


def _route(route: Route) -> planned.Route:
    kind, rpc = RouteKind(route.kind), route.kind == "rpc"
    accounts = route.tip_accounts or (JITO_TIP_ACCOUNTS if route.kind == "jito" else ())
    least = route.least_tip_lamports or (JITO_LEAST_TIP if route.kind == "jito" else 0)
    return planned.Route(
        name=route.name,
        versions=frozenset(route.versions if route.versions is not None else [0, 1] if rpc else [0]),
        bytes_max=route.max_bytes or (LARGE_BYTES if rpc else PACKET_BYTES),
        kind=kind,
        tips=tuple(map(Pubkey.from_string, accounts)),
        least_tip=least,
        no_revert=route.kind == "jito" if route.no_revert is None else route.no_revert,
        after_slots=route.after_slots,
        after_s=route.after_s,
    )


def route_problems(config: Config) -> Iterator[str]:
    """Yield what is wrong with the routes of a configuration, a line each."""
    routes = config.live.routes
    for name, count in Counter(route.name for route in routes).items():
        if count > 1:
            yield f"live.routes: {count} are called {name}; each needs a name of its own"
    for at, route in enumerate(routes):
        yield from (f"live.routes.{at}.{line}" for line in _problems(route, config.live.jito.max_tip_lamports))
    if routes and not any(not route.tip_accounts and route.kind == "rpc" for route in routes):
        yield 'live.routes: expected one of kind "rpc" that wants no tip, so that cancels never wait for one'


def _problems(route: Route, most: int) -> Iterator[str]:
    urls = [*route.regions.values(), *([route.url] if route.url else [])]
    if not urls:
        yield f"url: {route.name} has none; expected such as https://rpc.example.com"
    for url in urls:
        if not url.startswith(SCHEMES) or has_password(url):
            yield f"url: {route.name}: expected http:// or https:// without a password"
    if route.regions and route.kind != "jito":
        yield f"regions: only a route of kind jito has them; {route.name} is {route.kind}"
    if (route.header is None) != (route.key_env is None):
        yield f"header: {route.name} needs both header and key_env, or neither"
    if route.versions is not None and not (route.versions and set(route.versions) <= {0, 1}):
        yield f"versions: {route.name}: expected [0], [1] or [0, 1]"
    for account in route.tip_accounts:
        if not _is_address(account):
            yield f"tip_accounts: {route.name}: expected 32 bytes in base58, found {account[:60]!r}"
    if route.kind == "jito" and (route.max_bytes or 0) > PACKET_BYTES:
        yield f"max_bytes: {route.name}: Jito cuts what is over {PACKET_BYTES}"
    if route.kind == "relay" and not (route.tip_accounts and route.least_tip_lamports):
        yield f"tip_accounts: {route.name} is a relay; its provider names them, and least_tip_lamports"
    if (route.least_tip_lamports or 0) > most:
        yield f"least_tip_lamports: {route.name} wants more than live.jito.max_tip_lamports = {most} allows"


def _is_address(text: str) -> bool:
    try:
        Pubkey.from_string(text)
    except ValueError:
        return False
    return True
