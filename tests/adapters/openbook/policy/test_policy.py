"""The policy, refusal by refusal: each is an honest message with one thing in it that the configuration does not imply."""

import asyncio
from dataclasses import replace

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageAddressTableLookup, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.system_program import AdvanceNonceAccountParams, TransferParams, advance_nonce_account, transfer
from solders.token import ID as TOKEN
from tests.rigs.policy_scene import TIP, Scene, compiled, honest, make_scene

from bmv.adapters.openbook.policy.guard import GuardedSigner
from bmv.adapters.openbook.policy.mandate import Moment
from bmv.adapters.openbook.policy.policy import Policy
from bmv.adapters.openbook.policy.venue_v1 import VenueV1
from bmv.adapters.openbook.policy.verdict import Approved, Code, Refusal, approve
from bmv.adapters.openbook.v1 import instructions as v1
from bmv.adapters.openbook.v1.bodies import OrderType
from bmv.adapters.solana.tokens import NATIVE_MINT
from bmv.adapters.solana.wallet.key import LocalKey
from bmv.ports.errors import ConfigError
from bmv.ports.signer import SignerError

THIEF = Pubkey(bytes([66]) * 32)
VENUES = ["openbook-v1", "openbook-v2"]


@pytest.fixture(scope="module", params=VENUES)
def scene(request: pytest.FixtureRequest) -> Scene:
    return make_scene(request.param)


def judged(scene: Scene, instructions: list[Instruction], version: str = "v1", **more: object) -> Approved | Refusal:
    moment = scene.moment
    return scene.policy.judge(
        compiled(instructions, version, scene.ours.owner, moment.blockhash, **{"fee": 5_000, **more}), moment
    )  # type: ignore[arg-type]


def code_of(verdict: Approved | Refusal) -> Code:
    assert isinstance(verdict, Refusal), "it was approved"
    assert str(verdict.code) in str(verdict)
    return verdict.code


def with_account(instruction: Instruction, place: int, key: Pubkey) -> Instruction:
    metas = list(instruction.accounts)
    metas[place] = AccountMeta(key, metas[place].is_signer, metas[place].is_writable)
    return Instruction(instruction.program_id, bytes(instruction.data), metas)


def test_no_account_of_any_instruction_may_be_another(scene: Scene) -> None:
    for name, instructions in honest(scene).items():
        for number, instruction in enumerate(instructions):
            for place, meta in enumerate(instruction.accounts):
                if meta.pubkey == scene.ours.owner:
                    continue  # Then another would have to sign.
                changed = [*instructions[:number], with_account(instruction, place, THIEF), *instructions[number + 1 :]]

                verdict = judged(scene, changed)

                assert isinstance(verdict, Refusal), f"{name}, instruction {number}, account {place}"


def test_no_account_may_have_rights_that_no_instruction_needs(scene: Scene) -> None:
    for name, instructions in honest(scene).items():
        for place, meta in enumerate(instructions[0].accounts):
            if meta.is_writable:
                continue
            metas = list(instructions[0].accounts)
            metas[place] = AccountMeta(meta.pubkey, meta.is_signer, True)
            eager = Instruction(instructions[0].program_id, bytes(instructions[0].data), metas)
            if meta.pubkey == scene.ours.owner or meta.pubkey in {each.pubkey for each in metas if each.is_writable}:
                continue  # It is written to anyway.

            verdict = judged(scene, [eager, *instructions[1:]])

            assert isinstance(verdict, Refusal), f"{name}, account {place}"


@pytest.mark.parametrize("amount", [1, 10**9])
def test_nothing_is_paid_to_a_stranger(scene: Scene, amount: int) -> None:
    paid = transfer(TransferParams(from_pubkey=scene.ours.owner, to_pubkey=THIEF, lamports=amount))

    assert code_of(judged(scene, [paid])) is Code.ACCOUNT


def tip(scene: Scene, lamports: int) -> Instruction:
    return transfer(TransferParams(from_pubkey=scene.ours.owner, to_pubkey=TIP, lamports=lamports))


def test_a_tip_is_paid_up_to_its_limit(scene: Scene) -> None:
    assert isinstance(judged(scene, [*trade(scene), tip(scene, 2_000_000)]), Approved)
    assert code_of(judged(scene, [*trade(scene), tip(scene, 2_000_001)])) is Code.LAMPORTS


def test_a_message_pays_one_tip_and_none_without_what_it_is_for(scene: Scene) -> None:
    assert code_of(judged(scene, [*trade(scene), tip(scene, 1_000), tip(scene, 1_000)])) is Code.LAMPORTS
    assert code_of(judged(scene, [tip(scene, 1_000)])) is Code.LAMPORTS


def trade(scene: Scene) -> list[Instruction]:
    return [one for one in honest(scene)["settle"] if one.program_id != tip(scene, 1).program_id]


@pytest.mark.parametrize("data", [b"\3" + bytes(8), b"\4" + bytes(8), b"\6\2\0", b"\x0c" + bytes(9), b"\x09\0", b""])
def test_tokens_are_neither_moved_nor_given_away(scene: Scene, data: bytes) -> None:
    metas = [
        AccountMeta(scene.ours.quote, False, True),
        AccountMeta(THIEF, False, True),
        AccountMeta(scene.ours.owner, True, False),
    ]

    assert code_of(judged(scene, [Instruction(TOKEN, data, metas)])) is Code.INSTRUCTION


def test_an_account_is_closed_to_its_owner_only(scene: Scene) -> None:
    owner = AccountMeta(scene.ours.owner, True, False)
    metas = [AccountMeta(scene.ours.base, False, True), AccountMeta(scene.ours.owner, False, True), owner]
    assert isinstance(judged(scene, [Instruction(TOKEN, b"\x09", metas)]), Approved)

    metas[1] = AccountMeta(THIEF, False, True)

    assert code_of(judged(scene, [Instruction(TOKEN, b"\x09", metas)])) is Code.ACCOUNT


def test_a_program_that_no_maker_needs_is_not_called(scene: Scene) -> None:
    assert code_of(judged(scene, [Instruction(THIEF, b"", [])])) is Code.PROGRAM


def test_a_durable_nonce_would_let_a_transaction_live_on_and_is_refused(scene: Scene) -> None:
    params = AdvanceNonceAccountParams(nonce_pubkey=THIEF, authorized_pubkey=scene.ours.owner)

    assert code_of(judged(scene, [advance_nonce_account(params)])) is Code.INSTRUCTION


def test_another_blockhash_than_the_one_at_hand_is_refused(scene: Scene) -> None:
    message = scene.compiled(honest(scene)["settle"], "v0", Hash.new_unique())

    assert code_of(scene.policy.judge(message, scene.moment)) is Code.BLOCKHASH


def test_another_payer_is_refused(scene: Scene) -> None:
    moment = scene.moment
    message = compiled(honest(scene)["settle"], "v1", THIEF, moment.blockhash, 0)

    assert code_of(scene.policy.judge(message, moment)) is Code.PAYER


@pytest.mark.parametrize("version", ["legacy", "v0", "v1"])
def test_the_priority_fee_has_one_limit_in_one_unit_for_every_version(scene: Scene, version: str) -> None:
    instructions = honest(scene)["settle"]

    assert isinstance(judged(scene, instructions, version, fee=10_000), Approved)
    assert code_of(judged(scene, instructions, version, fee=10_001)) is Code.FEE


def test_accounts_from_a_lookup_table_are_refused(scene: Scene) -> None:
    moment = scene.moment
    whole = MessageV0.try_compile(scene.ours.owner, honest(scene)["settle"], [], moment.blockhash)
    table = MessageAddressTableLookup(THIEF, bytes([0]), bytes([1]))
    hiding = MessageV0(whole.header, whole.account_keys, whole.recent_blockhash, whole.instructions, [table])

    assert code_of(scene.policy.judge(to_bytes_versioned(hiding), moment)) is Code.LOOKUP_TABLE


@pytest.mark.parametrize("version", ["legacy", "v0", "v1"])
def test_bytes_behind_the_end_are_refused(scene: Scene, version: str) -> None:
    message = scene.compiled(honest(scene)["settle"], version, scene.moment.blockhash)

    assert code_of(scene.policy.judge(message + b"\0", scene.moment)) is Code.FORM


@pytest.mark.parametrize("data", [b"", b"\x82", b"\xff" * 40, b"\x81", bytes(3)])
def test_what_is_no_message_is_refused(scene: Scene, data: bytes) -> None:
    assert code_of(scene.policy.judge(data, scene.moment)) in (Code.FORM, Code.VERSION)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price_min": None}, Code.PRICE),
        ({"price_max": 1}, Code.PRICE),
        ({"price_min": 10**9, "price_max": 10**10}, Code.PRICE),
        ({"now_s": 0}, Code.EXPIRY),
        ({"now_s": 2**40}, Code.EXPIRY),
    ],
)
@pytest.mark.parametrize("kind", ["bid", "grid"])
def test_an_order_has_to_fit_the_moment(scene: Scene, kind: str, change: dict[str, int], code: Code) -> None:
    moment = scene.moment._replace(**change)  # type: ignore[arg-type]
    message = scene.compiled(honest(scene)[kind], "v1", moment.blockhash)

    assert code_of(scene.policy.judge(message, moment)) is code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"order_lots_max": 99}, Code.SIZE),
        ({"order_quote_lots_max": 1_000}, Code.NOTIONAL),
        ({"total_quote_lots_max": 1_000}, Code.NOTIONAL),
    ],
)
@pytest.mark.parametrize("kind", ["ask", "grid"])
def test_an_order_has_to_be_within_the_limits(scene: Scene, kind: str, change: dict[str, int], code: Code) -> None:
    strict = Policy(scene.policy._venue, scene.ours, replace(scene.limits, **change))
    message = scene.compiled(honest(scene)[kind], "v1", scene.moment.blockhash)

    assert code_of(strict.judge(message, scene.moment)) is code


def test_a_cancel_is_signed_when_nothing_may_be_placed(scene: Scene) -> None:
    moment = Moment(scene.moment.blockhash)
    message = scene.compiled(honest(scene)["cancel one"], "v1", moment.blockhash)

    assert isinstance(scene.policy.judge(message, moment), Approved)


def test_a_crank_names_no_account_whose_events_do_not_wait(scene: Scene) -> None:
    moment = scene.moment._replace(others=frozenset())
    message = scene.compiled(honest(scene)["crank"], "v1", moment.blockhash)

    assert code_of(scene.policy.judge(message, moment)) is Code.ACCOUNT


def test_an_order_that_may_trade_at_once_needs_leave() -> None:
    scene = make_scene("openbook-v1")
    (placed,) = honest(scene)["bid"]
    value = v1.parse(placed)
    assert isinstance(value, v1.NewOrderV3)
    taking = v1.build(replace(value, order=replace(value.order, order_type=OrderType.LIMIT)))
    lenient = Policy(scene.policy._venue, scene.ours, replace(scene.limits, takes=True))
    message = scene.compiled([taking], "v1", scene.moment.blockhash)

    assert code_of(scene.policy.judge(message, scene.moment)) is Code.ORDER_TYPE
    assert isinstance(lenient.judge(message, scene.moment), Approved)


def test_orders_of_both_sides_paid_from_one_account_are_refused() -> None:
    scene = make_scene("openbook-v1")
    bids, asks = (v1.parse(each) for each in honest(scene)["grid"])
    assert isinstance(bids, v1.ReplaceOrdersByClientIds)
    assert isinstance(asks, v1.ReplaceOrdersByClientIds)
    mixed = v1.build(replace(bids, orders=(bids.orders[0], asks.orders[0])))

    assert code_of(judged(scene, [mixed])) is Code.INSTRUCTION


def wrapping() -> tuple[Policy, Scene]:
    """Return the policy of a market of wrapped SOL."""
    scene = make_scene("openbook-v1")
    state = replace(scene.world.market.state, coin_mint=NATIVE_MINT)  # type: ignore[attr-defined]
    limits = replace(scene.limits, wrap_lamports_max=10**9)
    return Policy(VenueV1(state, scene.ours), scene.ours, limits), scene


@pytest.mark.parametrize(("lamports", "fits"), [(10**9, True), (10**9 + 1, False)])
def test_sol_is_wrapped_up_to_its_limit(lamports: int, fits: bool) -> None:
    policy, scene = wrapping()
    paid = transfer(TransferParams(from_pubkey=scene.ours.owner, to_pubkey=scene.ours.base, lamports=lamports))
    sync = Instruction(TOKEN, b"\x11", [AccountMeta(scene.ours.base, False, True)])
    message = scene.compiled([paid, sync], "v0", scene.moment.blockhash)

    verdict = policy.judge(message, scene.moment)

    assert isinstance(verdict, Approved) if fits else code_of(verdict) is Code.LAMPORTS


def test_sol_is_not_put_into_an_account_of_another_token(scene: Scene) -> None:
    paid = transfer(TransferParams(from_pubkey=scene.ours.owner, to_pubkey=scene.ours.base, lamports=1))

    assert code_of(judged(scene, [paid])) is Code.ACCOUNT


def test_an_approval_is_not_made_by_hand(scene: Scene) -> None:
    with pytest.raises(AssertionError, match="by a policy"):
        Approved(b"anything", scene.policy, object())


def test_another_policys_approval_is_none(scene: Scene) -> None:
    foreign = approve(b"anything", object())

    with pytest.raises(AssertionError, match="another policy"):
        asyncio.run(scene.guard.sign(foreign))


def test_the_approval_holds_the_bytes_that_were_looked_at(scene: Scene) -> None:
    message = bytearray(scene.compiled(honest(scene)["settle"], "v1", scene.moment.blockhash))

    verdict = scene.policy.judge(message, scene.moment)
    assert isinstance(verdict, Approved)
    before = bytes(message)
    message[-1] ^= 1

    assert verdict.message == before


def test_a_key_of_another_owner_is_refused_before_it_signs(scene: Scene) -> None:
    with pytest.raises(ConfigError, match=r"live\.wallet"):
        GuardedSigner(LocalKey.from_seed(bytes(32)), scene.policy)


class ShortSigner:
    """A service that answers with what is no signature."""

    def __init__(self, key: Pubkey) -> None:
        self.public_key = bytes(key)

    async def sign(self, message: bytes) -> bytes:
        return b"too short"


def test_an_answer_that_is_no_signature_is_an_error(scene: Scene) -> None:
    guard = GuardedSigner(ShortSigner(scene.ours.owner), scene.policy)
    verdict = guard.judge(scene.compiled(honest(scene)["settle"], "v1", scene.moment.blockhash), scene.moment)
    assert isinstance(verdict, Approved)

    with pytest.raises(SignerError, match="no signature"):
        asyncio.run(guard.sign(verdict))
