"""Routes of a configuration: what they become, and what may be wrong with them."""

from typing import Any

import pytest
from solders.pubkey import Pubkey

from bmv.adapters.config import build
from bmv.adapters.config.mandate import limits_of
from bmv.adapters.config.routes import routes_of, tip_accounts
from bmv.adapters.config.schema import Config
from bmv.data.landing.accounts import JITO_TIP_ACCOUNTS
from bmv.ports.errors import ConfigError

SIDE = {"levels": 1, "total_size": "0.1"}
MARKET = {"symbol": "SOL/USDC", "tick_size": "0.01", "lot_size": "0.001", "maker_fee_bps": 0, "taker_fee_bps": 4}
RPC = {"name": "rpc", "kind": "rpc", "url": "https://rpc.example.com/?api-key=hush"}
JITO = {"name": "jito", "kind": "jito", "url": "https://mainnet.block-engine.jito.wtf"}
RELAY = {
    "name": "fast",
    "kind": "relay",
    "url": "https://relay.example.com",
    "tip_accounts": [str(Pubkey(bytes([7]) * 32))],
    "least_tip_lamports": 5_000,
}


def configured(*routes: dict[str, Any], **jito: Any) -> Config:
    inventory = {"start_quote": 1000, "max_position": 5}
    live = {"routes": list(routes), "jito": jito}
    return build(version=1, market=MARKET, grid={"bid": SIDE, "ask": SIDE}, inventory=inventory, live=live)


def test_a_route_has_what_its_kind_is_known_for_unless_it_says_otherwise() -> None:
    jito, relay, rpc = routes_of(configured(JITO, RELAY, {**RPC, "after_slots": 8, "max_bytes": 1_500}))

    assert (jito.bytes_max, jito.versions, jito.least_tip, jito.no_revert) == (1_232, {0}, 1_000, True)
    assert [str(key) for key in jito.tips] == list(JITO_TIP_ACCOUNTS)
    assert (relay.bytes_max, relay.versions, relay.least_tip, relay.no_revert) == (1_232, {0}, 5_000, False)
    assert (rpc.bytes_max, rpc.versions, rpc.tips, rpc.after_slots) == (1_500, {0, 1}, (), 8)


def test_a_policy_allows_tips_to_the_accounts_of_the_routes_and_none_without_routes() -> None:
    tipping, plain = configured(JITO, RELAY, RPC, max_tip_lamports=7_000), configured(RPC)

    assert len(tip_accounts(tipping)) == 9
    assert limits_of(tipping, 100).tip_lamports_max == 7_000
    assert not tip_accounts(plain)
    assert limits_of(plain, 100).tip_lamports_max == 0


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ([JITO], 'expected one of kind "rpc" that wants no tip'),
        ([RPC, RPC], "2 are called rpc"),
        ([RPC, {"name": "x", "kind": "jito"}], "live.routes.1.url: x has none"),
        ([RPC, {**JITO, "max_bytes": 1_233}], "Jito cuts what is over 1232"),
        ([RPC, {**RELAY, "least_tip_lamports": None}], "its provider names them"),
        ([RPC, {**RELAY, "least_tip_lamports": 100_001}], "live.jito.max_tip_lamports = 100000"),
        ([RPC, {**RELAY, "tip_accounts": ["me"]}], "expected 32 bytes in base58, found 'me'"),
        ([{**RPC, "url": "ftp://rpc"}], "expected http:// or https://"),
        ([{**RPC, "regions": {"ny": "https://ny"}}], "only a route of kind jito has them"),
        ([{**RPC, "header": "x-key"}], "needs both header and key_env"),
        ([{**RPC, "versions": [2]}], "expected [0], [1] or [0, 1]"),
        ([{**RPC, "kind": "mail"}], "kind"),
        ([{**RPC, "key_env": "hush-hush"}], "key_env"),
    ],
)
def test_what_is_wrong_with_a_route_is_said_by_its_place(routes: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(*[{name: value for name, value in route.items() if value is not None} for route in routes])

    assert told in str(refused.value)
    assert "hush" not in str(refused.value).replace("hush-hush", "")
