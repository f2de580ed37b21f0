"""What the doctor makes of what it saw, line by line, without endpoints."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from bmv.adapters.openbook.book import Level, Lots
from bmv.adapters.openbook.inspection.records import Asset, Backlog, BookSide, Finding, Inspection
from bmv.adapters.solana.consensus import Consensus
from bmv.adapters.solana.endpoints import ROLES, SEND
from bmv.adapters.solana.errors import EndpointError, NodeError
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.adapters.solana.wallet.sealing import seal
from bmv.adapters.solana.wallet.secret import Secret
from bmv.live.doctor.check import Check, State, checks_json, exit_code
from bmv.live.doctor.checks.endpoints import check_endpoints
from bmv.live.doctor.checks.loop import check_loop
from bmv.live.doctor.checks.market import check_market
from bmv.live.doctor.checks.stores import GIB, check_databases, check_disks
from bmv.live.doctor.probe.wallet import read_address
from bmv.live.doctor.seen import (
    DatabaseSeen,
    DiskSeen,
    EndpointSeen,
    LastTrade,
    MarketSeen,
    SocketSeen,
    Taken,
    Tick,
    Touched,
    VersionOne,
)
from bmv.live.doctor.version_one import read_refusal, read_simulation
from bmv.live.eventloop import loop_name, run
from bmv.ports.errors import BmvError, ConfigError, DataError, Refused, StorageError

NOW = 1_800_000_000
SECOND_NS = 10**9
MAINNET = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
YES = VersionOne(Taken.YES, "a simulated one succeeds")
NO = VersionOne(Taken.NO, "it can't read one")


def ticks(count: int = 10, slot_ms: int = 200, ahead_s: float = 0.1) -> tuple[Tick, ...]:
    """Return what a clock says that is on time but for `ahead_s`, by which ours is ahead."""
    at = [NOW * SECOND_NS + n * slot_ms * 1_000_000 for n in range(count)]
    return tuple(Tick(100 + n, ns // SECOND_NS, ns + int(ahead_s * SECOND_NS)) for n, ns in enumerate(at))


def endpoint(name: str = "https://a", **changed: object) -> EndpointSeen:
    """Return an endpoint that is well, but for what is changed."""
    well: dict[str, object] = {
        "name": name,
        "roles": ROLES,
        "version": "4.5.0",
        "genesis": MAINNET,
        "consensus": Consensus.ALPENGLOW,
        "slots": (100, 101, 102),
        "final_lag": 1,
        "version_one": YES,
        "socket": SocketSeen(name=name.replace("http", "ws"), ticks=ticks()),
    }
    return EndpointSeen(**{**well, **changed})  # type: ignore[arg-type]  # Fields by name.


def line(checks: list[Check], name: str) -> Check:
    """Return the last line of a name."""
    return [check for check in checks if check.name == name][-1]


def test_the_event_loop_that_a_session_runs_on_is_named_and_is_that_one() -> None:
    async def module() -> str:
        return type(asyncio.get_running_loop()).__module__

    check = check_loop()

    assert check.found == loop_name()
    assert (check.state is State.OK) is run(module()).startswith("uvloop")


def test_two_endpoints_that_are_well_have_nothing_noted() -> None:
    checks = check_endpoints([endpoint(), endpoint("https://b")])

    assert {check.state for check in checks} == {State.OK}
    assert {"endpoint", "version", "consensus", "slot time", "slot lag", "clock", "websocket"} <= {
        c.name for c in checks
    }


@pytest.mark.parametrize(
    ("name", "seen", "state", "words"),
    [
        ("version", [endpoint(version=None)], State.UNKNOWN, "does not say"),
        ("consensus", [endpoint(consensus=Consensus.TOWER)], State.OK, "tower: there is no certificate; final is 31"),
        ("consensus", [endpoint(consensus=Consensus.UNKNOWN)], State.UNKNOWN, "31 slots"),
        ("consensus", [endpoint(), endpoint("https://b", consensus=Consensus.TOWER)], State.WRONG, "others say"),
        ("finality", [endpoint(final_lag=17)], State.OK, "17 behind"),
        ("finality", [endpoint(final_lag=18)], State.NOTE, "18 behind"),
        ("finality", [endpoint(final_lag=66)], State.WRONG, "do not become final"),
        ("finality", [endpoint(final_lag=66), endpoint("https://b")], State.OK, "1 behind"),
        ("finality", [endpoint(final_lag=40, consensus=Consensus.TOWER)], State.OK, "40 behind"),
        ("finality", [endpoint(final_lag=None)], State.UNKNOWN, "no endpoint says"),
        ("slot time", [endpoint()], State.OK, "200 ms"),
        ("slot time", [endpoint(socket=SocketSeen(name="wss://a", ticks=ticks(slot_ms=900)))], State.NOTE, "900 ms"),
        ("slot time", [endpoint(socket=SocketSeen(name="wss://a", ticks=ticks(1)))], State.UNKNOWN, "not heard"),
        ("slot lag", [endpoint()], State.NOTE, "no second endpoint"),
        ("slot lag", [endpoint(), endpoint("https://b", slots=(94, 95, 96))], State.NOTE, "b is 6 slots behind, 1.2 s"),
        ("slot lag", [endpoint(), endpoint("https://b", slots=(74, 75, 76))], State.WRONG, "b is 26 slots behind"),
        ("slot lag", [endpoint(), endpoint("https://b", slots=(None, 101, 50))], State.OK, "0 at most"),
        ("slot lag", [endpoint(), endpoint("https://b", roles=(SEND,), slots=(1, 1, 1))], State.NOTE, "no second"),
        ("chain", [endpoint(genesis=None), endpoint("https://b")], State.OK, "mainnet (5eykt"),
        ("chain", [endpoint(genesis=None)], State.UNKNOWN, "nobody knows"),
        ("chain", [endpoint(), endpoint("https://b", genesis="x")], State.WRONG, "https://b the chain with genesis hash x"),
        ("clock", [endpoint(socket=SocketSeen(name="wss://a", ticks=ticks(ahead_s=2.4)))], State.OK, "within 2 s"),
        ("clock", [endpoint(socket=SocketSeen(name="wss://a", ticks=ticks(ahead_s=90)))], State.NOTE, "90 s (1 min 30 s) ahead"),
        ("clock", [endpoint(socket=SocketSeen(name="wss://a", ticks=ticks(ahead_s=-90)))], State.NOTE, "behind"),
        ("clock", [endpoint(socket=SocketSeen(name="wss://a"))], State.UNKNOWN, "not heard"),
        ("rate limits", [endpoint(limited=2)], State.NOTE, "https://a (2×)"),
        ("websocket", [endpoint(socket=SocketSeen(name="wss://a"))], State.WRONG, "does not tick"),
        ("websocket", [endpoint(socket=SocketSeen(name="wss://a", failure="can't be reached"))], State.WRONG, "can't be"),
        ("version 1", [endpoint(version_one=NO)], State.NOTE, "can't read one"),
        ("version 1", [endpoint(version_one=VersionOne(Taken.UNKNOWN, "not executed"))], State.UNKNOWN, "not executed"),
        ("version 1", [endpoint(version_one=NO), endpoint("https://b")], State.NOTE, "a transaction is two"),
    ],
)  # fmt: skip
def test_what_is_not_well_at_an_endpoint_is_a_line_of_its_own(
    name: str, seen: list[EndpointSeen], state: State, words: str
) -> None:
    check = line(check_endpoints(seen), name)

    assert check.state is state
    assert words in check.found
    assert check.advice or state is not State.WRONG


def test_endpoints_of_another_chain_than_the_configured_one_are_the_configurations_fault() -> None:
    well = [line(check_endpoints([endpoint()], cluster), "chain") for cluster in (None, "mainnet", MAINNET)]
    wrong = line(check_endpoints([endpoint()], "devnet"), "chain")

    assert {check.state for check in well} == {State.OK}
    assert (wrong.state, wrong.error) == (State.WRONG, ConfigError)
    assert "live.cluster is devnet" in wrong.found
    assert "live.endpoints" in wrong.advice


def test_the_code_is_1_only_where_no_endpoint_that_is_read_from_answers() -> None:
    away = endpoint("https://b", failure="https://b: can't be reached (ConnectError)")
    sender = endpoint("https://c", roles=(SEND,), socket=None, consensus=Consensus.UNKNOWN, final_lag=None)

    assert exit_code(check_endpoints([endpoint(), away])) == 5
    assert exit_code(check_endpoints([away, sender])) == 1


@pytest.mark.parametrize(
    ("errors", "code"),
    [([], 0), ([ConfigError], 3), ([ConfigError, Refused], 5), ([Refused, EndpointError], 1)],
)
def test_the_gravest_gives_the_code(errors: list[type[BmvError]], code: int) -> None:
    checks = [Check("fine", State.OK, ""), *(Check("bad", State.WRONG, "", "", error) for error in errors)]

    assert exit_code(checks) == code
    assert checks_json(checks)["ok"] is (code == 0)


def inspection(*, backlog: Backlog | None = None, bid: int | None = 15_000, ask: int | None = 15_010) -> Inspection:
    """Return a market that is well."""
    key = Pubkey.default()
    coin = Asset(mint=key, decimals=6, vault=key, held=1, owed=0, freezer=None)
    sides = [
        BookSide(levels=() if price is None else (Level(price, 5, 1),), orders=0 if price is None else 1)
        for price in (bid, ask)
    ]
    return Inspection(
        venue="openbook-v2", program=key, address=key, name=None, slot=1, unix_timestamp=NOW, base=coin, quote=coin,
        lots=Lots(10**6, 10, 9, 6), maker_fee_bps=Decimal(0), taker_fee_bps=Decimal(0), bids=sides[0], asks=sides[1],
        trades=(), trades_note="", volume=0, backlog=backlog or Backlog(events=0, capacity=600), notes=(), findings=(),
    )  # fmt: skip


def market(**changed: object) -> MarketSeen:
    """Return a market that lives, but for what is changed."""
    well: dict[str, object] = {
        "inspection": inspection(),
        "touched": Touched(10, 1, NOW - 5, ("a",)),
        "last_trade": LastTrade("150", "1", "buys", NOW - 9),
    }
    return MarketSeen(**{**well, **changed})  # type: ignore[arg-type]  # Fields by name.


def test_a_market_that_lives_has_nothing_noted() -> None:
    checks = check_market(market())

    assert {check.state for check in checks} == {State.OK}
    assert [check.name for check in checks] == ["market", "last transaction", "last trade", "crank", "spread"]


@pytest.mark.parametrize(
    ("name", "seen", "state", "words"),
    [
        ("market", market(unknown="no endpoint answers"), State.UNKNOWN, "no endpoint answers"),
        ("market", market(findings=(Finding(Refused, "vault: is frozen"),)), State.WRONG, "is frozen"),
        ("last transaction", market(touched=None), State.UNKNOWN, "does not say"),
        ("last transaction", market(touched=Touched(0, 0, None, ())), State.NOTE, "none"),
        ("last transaction", market(touched=Touched(1000, 1000, None, ())), State.WRONG, "1,000 that named the market all failed"),
        ("last transaction", market(touched=Touched(9, 0, NOW - 3601, ("a",))), State.NOTE, "1 h ago"),
        ("last transaction", market(touched=Touched(9, 0, None, ("a",))), State.UNKNOWN, "nobody says"),
        ("last trade", market(last_trade=None), State.UNKNOWN, "none is in"),
        ("last trade", market(last_trade=LastTrade("150", "1", "sells", None)), State.OK, "when is unknown"),
        ("last trade", market(last_trade=LastTrade("150", "1", "sells", NOW - 200_000)), State.NOTE, "2 d 7 h ago"),
        ("crank", market(inspection=inspection(backlog=Backlog(events=9, capacity=600, oldest=NOW - 61))), State.NOTE, "for 61 s"),
        ("crank", market(inspection=inspection(backlog=Backlog(events=301, capacity=600))), State.NOTE, "301 of 600"),
        ("crank", market(inspection=inspection(backlog=Backlog(events=541, capacity=600))), State.WRONG, "541 of 600"),
        ("spread", market(inspection=inspection(bid=None)), State.NOTE, "one side of the book is empty"),
        ("spread", market(inspection=inspection(bid=None, ask=None)), State.NOTE, "both sides"),
        ("spread", market(inspection=inspection(ask=15_300)), State.NOTE, "wide"),
    ],
)  # fmt: skip
def test_what_is_not_well_with_a_market_is_a_line_of_its_own(
    name: str, seen: MarketSeen, state: State, words: str
) -> None:
    check = line(check_market(seen), name)

    assert check.state is state
    assert words in check.found
    assert check.advice or state is not State.WRONG


@pytest.mark.parametrize(("error", "code"), [(ConfigError, 3), (DataError, 5), (Refused, 5)])
def test_a_market_that_is_wrong_ends_by_whose_fault_it_is(error: type[BmvError], code: int) -> None:
    assert exit_code(check_market(MarketSeen(findings=(Finding(error, "wrong"),)))) == code


@pytest.mark.parametrize(
    ("free", "state"), [(11 * GIB, State.OK), (9 * GIB, State.NOTE), (GIB - 1, State.WRONG), (None, State.UNKNOWN)]
)
def test_a_disk_is_judged_by_what_is_free(free: int | None, state: State) -> None:
    (check,) = check_disks([DiskSeen("storage.ticks", "ticks", free)])

    assert check.state is state
    assert "storage.ticks" in check.found


@pytest.mark.parametrize(
    ("seen", "state", "code"),
    [
        (DatabaseSeen("db"), State.OK, 0),
        (DatabaseSeen("db", made=False), State.NOTE, 0),
        (DatabaseSeen("db", pending=("0008_stamps",)), State.WRONG, 5),
        (DatabaseSeen("db", "can't be reached", StorageError), State.WRONG, 5),
        (DatabaseSeen("db", "is of another program", ConfigError), State.WRONG, 3),
    ],
)
def test_a_database_is_judged_by_whose_fault_it_is(seen: DatabaseSeen, state: State, code: int) -> None:
    checks = check_databases([seen])

    assert checks[0].state is state
    assert exit_code(checks) == code


@pytest.mark.parametrize(
    ("error", "taken"),
    [
        (None, Taken.YES),
        ("UnsupportedVersion", Taken.NO),
        ("AccountNotFound", Taken.UNKNOWN),
        ({"InstructionError": [0, {"Custom": 1}]}, Taken.UNKNOWN),
    ],
)
def test_a_simulation_that_fails_for_its_payer_says_nothing_of_the_version(error: object, taken: Taken) -> None:
    assert read_simulation({"value": {"err": error}}).taken is taken


def test_only_a_node_that_can_not_read_a_transaction_refuses_its_version() -> None:
    assert read_refusal(NodeError("https://a", -32602, "failed to deserialize")).taken is Taken.NO
    assert read_refusal(NodeError("https://a", -32601, "Method not found")).taken is Taken.UNKNOWN
    assert read_simulation("nonsense").taken is Taken.UNKNOWN


@pytest.mark.parametrize("text", ["[1, 2, 3]", "77777777", '["77777777"]', str([7] * 63 + [777]), "not json 77777777"])
def test_a_key_file_that_is_none_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(ConfigError, match=r"live\.wallet") as refused:
        read_address(str(path))

    assert "777" not in str(refused.value)


def test_the_address_of_a_wallet_is_read_without_its_passphrase(tmp_path: Path) -> None:
    plain, sealed = tmp_path / "plain.json", tmp_path / "sealed.json"
    plain.write_text(str(list(Keypair.from_seed(bytes(32)).to_bytes())))
    sealed.write_text(seal(LocalKey.from_seed(bytes(32)), Secret(b"correct horse")).text())
    for path in (plain, sealed):
        path.chmod(0o600)

    assert read_address(str(plain)) == read_address(str(sealed)) == Keypair.from_seed(bytes(32)).pubkey()


def test_a_key_that_others_may_read_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(str(list(Keypair.from_seed(bytes(32)).to_bytes())))
    path.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod 600"):
        read_address(str(path))
