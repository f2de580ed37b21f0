"""Routes for a rig: by a node, by Jito, by a relay or by all of them, on a sandbox where each of them may fail."""

from collections.abc import Sequence

from bmv.adapters.config import Config, build
from bmv.adapters.sandbox.faults import Fault
from bmv.adapters.sandbox.relay import LEAST_TIP, TIP_ACCOUNTS
from bmv.adapters.sandbox.wiring import Sandbox
from bmv.data.landing.model import World

ROUTES = ("rpc", "jito", "relay", "all")
AFTER_SLOTS = 8  # That a tipped route has to itself.
TIP_MAX = 60_000
BUSY = World(seed=1, jito_share=0.8, crowd=0.5, dropped=0.05, apart=0.02, relay_dropped=0.05)
FAULTS = (
    Fault("bundle_drop", 0.2),
    Fault("bundle_apart", 0.1),
    Fault("bundle_invalid", 0.5),
    Fault("jito_limit", 0.1, seconds=0.1),
    Fault("relay_drop", 0.3),
    Fault("region_late", 0.2, methods=["tokyo"], blocks=3),
)
MARKET = {"symbol": "SOL/USDC", "tick_size": "0.01", "lot_size": "0.01", "maker_fee_bps": "0", "taker_fee_bps": "0"}
SIDE = {"levels": 1, "first_bps": 1, "total_size": "1"}


def configuration(
    route: str, box: Sandbox, speed: float, after_slots: int = AFTER_SLOTS, after_s: float | None = None, **tips: object
) -> Config:
    """Return a configuration that sends to a sandbox by a route, and by its nodes when that has had its time."""
    return configuration_at(route, [node.rpc_url for node in box.nodes], speed, after_slots, after_s, **tips)


def configuration_at(
    route: str,
    urls: Sequence[str],
    speed: float,
    after_slots: int = AFTER_SLOTS,
    after_s: float | None = None,
    **tips: object,
) -> Config:
    """Return the same for nodes by their URLs, the first of which has Jito and the relay."""
    base = urls[0]
    late = {"after_slots": after_slots, "after_s": 2 * after_slots * 0.2 / speed if after_s is None else after_s}
    jito = {
        "name": "jito",
        "kind": "jito",
        "regions": {name: f"{base}/{name}" for name in ("ny", "tokyo")},
        "rate": 1.0 * speed,
    }
    relay = {
        "name": "relay",
        "kind": "relay",
        "url": f"{base}/relay",
        "tip_accounts": [str(key) for key in TIP_ACCOUNTS],
        "least_tip_lamports": LEAST_TIP,
        "rate": 10.0 * speed,
    }
    nodes = [
        {
            "name": f"rpc{at}",
            "kind": "rpc",
            "url": url,
            "rate": 10.0 * speed,
            **(late if route != "rpc" else {}),
        }
        for at, url in enumerate(urls)
    ]
    before = {"rpc": [], "jito": [jito], "relay": [relay], "all": [jito, relay]}[route]
    live = {
        "routes": [*before, *nodes],
        "jito": {"floor": base, "max_tip_lamports": TIP_MAX, **tips},
        "endpoints": list(urls),
    }
    inventory = {"start_base": "1", "start_quote": "100", "max_position": "1"}
    sides = {"bid": SIDE, "ask": SIDE}
    return build(version=1, market=MARKET, grid=sides, inventory=inventory, live=live)


def tip_balances(box: Sandbox) -> int:
    """Return lamports of all accounts that take tips."""
    from bmv.adapters.sandbox.auction import TIP_ACCOUNTS as JITO

    accounts: Sequence = [box.chain.account(key) for key in (*JITO, *TIP_ACCOUNTS)]
    return sum(account.lamports for account in accounts)
