"""A healthy market is described as it is; each account broken in one way gives its one sentence."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Side, to_levels
from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.inspection.inspect import Identity, identify, inspect, keys
from bmv.adapters.openbook.inspection.records import Finding, Inspection
from bmv.adapters.openbook.v1.accounts import AccountFlag, vault_signer
from bmv.adapters.openbook.v2.market import Market as MarketV2
from bmv.adapters.sandbox.market import Order
from bmv.adapters.sandbox.wallets import seeded_key, send, trader_of
from bmv.adapters.sandbox.wiring import Settings, World, make_world
from bmv.adapters.solana.accounts import Snapshot
from bmv.adapters.solana.clock import CLOCK
from bmv.adapters.solana.tokens import TOKEN_2022
from bmv.ports.errors import BmvError, DataError, Refused

VENUES = ("openbook-v1", "openbook-v2")
STRANGER = Pubkey(bytes(range(32)))
ROLES = ("base mint", "quote mint", "base vault", "quote vault", "bids", "asks", "events")


class Scene(NamedTuple):
    world: World
    identity: Identity
    snapshot: Snapshot

    @property
    def address(self) -> Pubkey:
        return self.identity.address

    def key(self, role: str) -> Pubkey:
        """Return the address of one of the market's accounts."""
        return keys(self.identity)[3 + ROLES.index(role)]

    def data(self, key: Pubkey) -> bytes:
        account = self.snapshot.accounts[key]
        assert account is not None
        return account.data

    def look(self, key: Pubkey | None = None, **changes: Any) -> Inspection:
        """Inspect, with the account at `key` changed: its `data`, its `owner`, or `gone`."""
        accounts = dict(self.snapshot.accounts)
        if key is not None:
            accounts[key] = changed(accounts[key], **changes)
        identity = identify(self.address, accounts[self.address])
        return inspect(identity, Snapshot(self.snapshot.slot, accounts))


def changed(
    account: Account | None, data: bytes | None = None, owner: Pubkey | None = None, gone: bool = False
) -> Account | None:
    assert account is not None
    return None if gone else Account(account.lamports, data or account.data, owner or account.owner, account.executable)


def scene_of(world: World) -> Scene:
    chain, address = world.chain, world.market.address
    identity = identify(address, chain.account(address))
    slot = 7
    return Scene(world, identity, Snapshot(slot, {key: chain.account(key) for key in keys(identity)}))


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return {venue: scene_of(make_world(Settings(venue=venue))) for venue in VENUES}


@pytest.fixture(params=VENUES)
def scene(request: pytest.FixtureRequest, scenes: dict[str, Scene]) -> Scene:
    return scenes[request.param]


@pytest.fixture
def v1(scenes: dict[str, Scene]) -> Scene:
    return scenes["openbook-v1"]


@pytest.fixture
def v2(scenes: dict[str, Scene]) -> Scene:
    return scenes["openbook-v2"]


def with_bytes(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def only(inspection: Inspection) -> Finding:
    (finding,) = inspection.findings
    return finding


def test_a_healthy_market_gives_no_finding(scene: Scene) -> None:
    assert scene.look().findings == ()


def test_a_market_is_described_as_the_chain_has_it(scene: Scene) -> None:
    inspection = scene.look()

    assert inspection.address == scene.world.market.address
    assert inspection.lots == scene.world.market.lots
    assert inspection.base.mint == scene.world.base.mint
    assert (inspection.maker_fee_bps, inspection.taker_fee_bps) == (-2, 4)
    assert inspection.base.held == inspection.base.owed > 0
    assert inspection.quote.held == inspection.quote.owed > 0
    assert inspection.unix_timestamp == scene.world.chain.unix_timestamp
    assert inspection.slot == 7


def test_the_book_is_the_ten_best_levels_of_each_side(scene: Scene) -> None:
    inspection = scene.look()

    assert inspection.bids is not None
    assert inspection.asks is not None
    for side, shown in ((Side.BID, inspection.bids), (Side.ASK, inspection.asks)):
        orders = scene.world.market.book(side)
        assert len(to_levels(orders)) > 10
        assert shown.levels == tuple(to_levels(orders)[:10])
        assert shown.orders == len(orders)


def after_a_take(venue: str) -> tuple[Scene, Order]:
    """Return a market on which someone has bought the best ask, before any crank."""
    world = make_world(Settings(venue=venue, seed=5))
    best = world.market.book(Side.ASK)[0]
    bought = Order(Side.BID, best.price_lots, min(best.size_lots, 100))
    taker = trader_of(seeded_key(5, "taker 0"), "taker 0", world.base, world.quote)
    send(world.chain, [taker.key], world.market.take(taker, bought, 77, direct=False))
    return scene_of(world), bought


@pytest.mark.parametrize("venue", VENUES)
def test_the_newest_trade_and_the_crank_s_backlog_show_what_was_taken(venue: str) -> None:
    scene, bought = after_a_take(venue)

    inspection = scene.look()

    assert inspection.trades is not None
    newest = inspection.trades[0]
    assert (newest.taker, newest.price_lots, newest.size_lots) == (Side.BID, bought.price, bought.size)
    assert inspection.backlog is not None
    assert inspection.backlog.events >= 1
    assert inspection.backlog.capacity == {"openbook-v1": 2_978, "openbook-v2": 600}[venue]
    assert inspection.findings == ()


def test_trades_of_version_1_outlive_the_crank(v1: Scene) -> None:
    inspection = v1.look()

    assert inspection.trades is not None
    assert len(inspection.trades) == 10


def test_version_2_says_what_its_trades_can_not_show(v2: Scene) -> None:
    assert "logs" in v2.look().trades_note


def test_an_account_that_is_not_there_is_no_market() -> None:
    with pytest.raises(DataError, match="there is no such account"):
        identify(STRANGER, None)


def test_an_account_of_another_program_is_no_market(scene: Scene) -> None:
    with pytest.raises(DataError, match=f"belongs to program {STRANGER}, which is neither OpenBook v1"):
        scene.look(scene.address, owner=STRANGER)


def test_an_account_of_another_kind_is_no_market(scene: Scene) -> None:
    with pytest.raises(DataError, match=str(scene.address)):
        scene.look(scene.address, data=scene.data(scene.key("bids")))


def test_a_market_that_is_cut_off_is_no_market(scene: Scene) -> None:
    with pytest.raises(DataError, match=str(scene.address)):
        scene.look(scene.address, data=scene.data(scene.address)[:-1])


def market_v1(scene: Scene, **fields: Any) -> bytes:
    return replace(scene.identity.market, **fields).encode()


def test_a_disabled_market_is_refused(v1: Scene) -> None:
    flags = AccountFlag.INITIALIZED | AccountFlag.MARKET | AccountFlag.DISABLED

    finding = only(v1.look(v1.address, data=market_v1(v1, account_flags=flags)))

    assert finding == Finding(Refused, f"market {v1.address}: is disabled: no order is taken")


def test_a_closed_market_is_refused(v1: Scene) -> None:
    data = with_bytes(v1.data(v1.address), 5, (1 << 8 | 3).to_bytes(8, "little"))

    with pytest.raises(Refused, match="is closed"):
        v1.look(v1.address, data=data)


def test_a_permissioned_market_is_refused(v1: Scene) -> None:
    flags = AccountFlag.INITIALIZED | AccountFlag.MARKET | AccountFlag.PERMISSIONED
    authorities = dict.fromkeys(("open_orders_authority", "prune_authority", "consume_events_authority"), STRANGER)

    finding = only(v1.look(v1.address, data=market_v1(v1, account_flags=flags, **authorities)))

    assert finding.error is Refused
    assert f"is permissioned: {STRANGER} has to sign for every new account" in finding.text


def nonce_without_address(scene: Scene) -> int:
    for nonce in range(2**32, 2**32 + 256):
        try:
            vault_signer(scene.address, nonce, scene.identity.program)
        except Malformed:
            return nonce
    raise AssertionError("256 nonces in a row that give an address")


def test_a_nonce_that_gives_no_authority_is_refused(v1: Scene) -> None:
    nonce = nonce_without_address(v1)

    finding = only(v1.look(v1.address, data=market_v1(v1, vault_signer_nonce=nonce)))

    assert finding.error is Refused
    assert f"nonce {nonce} gives no address of the vaults' owner" in finding.text


def market_v2(scene: Scene, **fields: Any) -> bytes:
    market = scene.identity.market
    assert isinstance(market, MarketV2)
    return replace(market, **fields).encode()


def test_an_expired_market_is_refused(v2: Scene) -> None:
    end = v2.world.chain.unix_timestamp - 1

    inspection = v2.look(v2.address, data=market_v2(v2, time_expiry=end))

    assert only(inspection) == Finding(Refused, f"market {v2.address}: has expired at second {end}: no order is taken")


def test_a_market_that_ends_later_is_noted(v2: Scene) -> None:
    end = v2.world.chain.unix_timestamp + 1_000

    inspection = v2.look(v2.address, data=market_v2(v2, time_expiry=end))

    assert inspection.findings == ()
    assert f"the market ends at second {end} of the chain's clock" in inspection.notes


def test_a_market_with_an_admin_of_open_orders_is_refused(v2: Scene) -> None:
    finding = only(v2.look(v2.address, data=market_v2(v2, open_orders_admin=STRANGER)))

    assert finding.error is Refused
    assert f"has an openOrdersAdmin, {STRANGER}, who has to sign every order" in finding.text


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("consume_events_admin", f"only {STRANGER} may crank"),
        ("close_market_admin", f"{STRANGER} may end the market"),
        ("oracle_a", f"pegged to the oracle {STRANGER}"),
    ],
)
def test_other_admins_are_noted(v2: Scene, field: str, sentence: str) -> None:
    inspection = v2.look(v2.address, data=market_v2(v2, **{field: STRANGER}))

    assert inspection.findings == ()
    assert any(sentence in note for note in inspection.notes)


def test_an_authority_that_is_not_the_market_s_own_is_refused(v2: Scene) -> None:
    inspection = v2.look(v2.address, data=market_v2(v2, market_authority=STRANGER))

    assert f"names {STRANGER} as its authority" in inspection.findings[0].text
    assert {finding.error for finding in inspection.findings} == {Refused}


@pytest.mark.parametrize("role", ["base mint", "quote mint", "base vault", "quote vault"])
def test_token_2022_is_refused(scene: Scene, role: str) -> None:
    key = scene.key(role)

    finding = only(scene.look(key, owner=TOKEN_2022))

    assert finding.error is Refused
    assert finding.text == f"{role} {key}: is of Token-2022, and OpenBook's programs speak SPL Token only"


@pytest.mark.parametrize("role", ["base mint", "quote mint", "base vault", "quote vault"])
def test_a_coin_of_another_program_is_refused(scene: Scene, role: str) -> None:
    finding = only(scene.look(scene.key(role), owner=STRANGER))

    assert finding.error is Refused
    assert f"belongs to program {STRANGER}, not to SPL Token" in finding.text


@pytest.mark.parametrize("role", ["base mint", "quote vault"])
@pytest.mark.parametrize("data", [b"\x01", bytes(82), bytes(165), bytes(500)])
def test_bytes_that_are_no_coin_are_refused(scene: Scene, role: str, data: bytes) -> None:
    finding = only(scene.look(scene.key(role), data=data))

    assert finding.error is Refused
    assert "bytes, not" in finding.text or "can't be read" in finding.text


@pytest.mark.parametrize("role", ROLES)
def test_an_account_that_is_gone_is_named(scene: Scene, role: str) -> None:
    key = scene.key(role)

    finding = only(scene.look(key, gone=True))

    assert finding.error is DataError
    assert finding.text.endswith(f": there is no account {key}")


def test_a_mint_of_other_decimals_than_the_market_s_is_refused(v2: Scene) -> None:
    key = v2.key("base mint")

    finding = only(v2.look(key, data=with_bytes(v2.data(key), 44, b"\x06")))

    assert finding == Finding(Refused, f"base mint {key}: has 6 decimals, and the market counts with 9")


def test_decimals_of_version_1_are_those_of_the_mint(v1: Scene) -> None:
    key = v1.key("base mint")

    inspection = v1.look(key, data=with_bytes(v1.data(key), 44, b"\x06"))

    assert inspection.lots is not None
    assert inspection.lots.base_decimals == 6


def test_a_mint_that_somebody_may_freeze_is_noted(scene: Scene) -> None:
    key = scene.key("quote mint")

    inspection = scene.look(key, data=with_bytes(scene.data(key), 46, b"\1\0\0\0" + bytes(STRANGER)))

    assert inspection.findings == ()
    assert f"quote: {STRANGER} may freeze any account of this mint, the vault included" in inspection.notes


def short(data: bytes) -> bytes:
    return with_bytes(data, 64, (int.from_bytes(data[64:72], "little") - 1).to_bytes(8, "little"))


VAULT_FAULTS: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda data: with_bytes(data, 0, bytes(STRANGER)), f"holds coins of {STRANGER}, not of"),
    (lambda data: with_bytes(data, 32, bytes(STRANGER)), f"is owned by {STRANGER}, not by the market's authority"),
    (short, "native units, and the market owes"),
    (lambda data: with_bytes(data, 72, b"\1\0\0\0" + bytes(STRANGER)), f"by a delegate, {STRANGER}"),
    (lambda data: with_bytes(data, 108, b"\2"), "is frozen"),
    (lambda data: with_bytes(data, 129, b"\1\0\0\0" + bytes(STRANGER)), f"may be closed by {STRANGER}"),
]


@pytest.mark.parametrize("role", ["base vault", "quote vault"])
@pytest.mark.parametrize(
    ("fault", "sentence"), VAULT_FAULTS, ids=["mint", "owner", "short", "delegate", "frozen", "closing"]
)
def test_a_vault_that_can_not_be_trusted_is_refused(
    scene: Scene, role: str, fault: Callable[[bytes], bytes], sentence: str
) -> None:
    key = scene.key(role)

    finding = only(scene.look(key, data=fault(scene.data(key))))

    assert finding.error is Refused
    assert finding.text.startswith(f"{role} {key}: ")
    assert sentence in finding.text


@pytest.mark.parametrize("role", ["bids", "asks", "events"])
def test_books_and_events_of_another_program_are_not_believed(scene: Scene, role: str) -> None:
    key = scene.key(role)

    inspection = scene.look(key, owner=STRANGER)

    finding = only(inspection)
    assert finding.error is DataError
    assert f"{key}: belongs to program {STRANGER}, not to {scene.identity.program}" in finding.text
    assert {"bids": inspection.bids, "asks": inspection.asks, "events": inspection.trades}[role] is None


@pytest.mark.parametrize("role", ["bids", "asks", "events"])
def test_books_and_events_that_are_cut_off_are_not_believed(scene: Scene, role: str) -> None:
    key = scene.key(role)

    finding = only(scene.look(key, data=scene.data(key)[:-1]))

    assert finding.error is DataError
    assert str(key) in finding.text


def test_a_side_of_the_book_that_is_the_other_is_not_believed(scene: Scene) -> None:
    key = scene.key("bids")

    finding = only(scene.look(key, data=scene.data(scene.key("asks"))))

    assert finding == Finding(DataError, f"bids {key}: is the other side of a book")


def test_a_crossed_book_is_not_believed(v1: Scene) -> None:
    bids_called_asks = with_bytes(v1.data(v1.key("bids")), 5, (65).to_bytes(8, "little"))

    finding = only(v1.look(v1.key("asks"), data=bids_called_asks))

    assert finding.error is DataError
    assert "book: is crossed" in finding.text


@pytest.mark.parametrize("changes", [{"gone": True}, {"owner": STRANGER}, {"data": b"short"}])
def test_a_clock_that_is_none_is_named(scene: Scene, changes: dict[str, Any]) -> None:
    inspection = scene.look(CLOCK, **changes)

    assert only(inspection).text.startswith("clock")
    assert inspection.unix_timestamp is None


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_whatever_the_bytes_an_inspection_ends_in_findings_or_a_declared_error(
    scenes: dict[str, Scene], data: st.DataObject
) -> None:
    scene = scenes[data.draw(st.sampled_from(VENUES))]
    key = data.draw(st.sampled_from(keys(scene.identity)))
    old = scene.data(key)
    start = data.draw(st.integers(0, min(len(old), 2_000) - 1))
    new = data.draw(st.binary(min_size=1, max_size=64))

    try:
        inspection = scene.look(key, data=with_bytes(old, start, new)[: len(old)])
    except BmvError as error:
        assert isinstance(error, DataError | Refused)  # noqa: PT017  # Either end is right; another is not.
    else:
        assert all(isinstance(finding.text, str) and finding.text for finding in inspection.findings)
