"""Where bundles are let into blocks: the sandbox does what the model says."""

from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox.auction import TIP_ACCOUNTS, Auction, Bundle, tip_of
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import Faults
from bmv.adapters.sandbox.relay import found_accounts
from bmv.adapters.sandbox.rpc_transactions import airdrop
from bmv.adapters.sandbox.runtime import make_runtime
from bmv.adapters.sandbox.view import View
from bmv.data.landing.model import World
from bmv.data.landing.tips import per_unit

PAYER = Keypair.from_seed(bytes([7]) * 32)
WANTED = Pubkey(bytes([9]) * 32)
SPACING = 8  # Slots between two bundles: as long as the engine is patient, so that none meets another.
UNITS = 2 * 3_000  # Of two instructions of a builtin program.
BUNDLES = 5_000


def paying(tip: int, number: int, blockhash: Hash) -> VersionedTransaction:
    """Return a transfer to the account that others want, like no other, and a tip."""
    key = PAYER.pubkey()
    paid = [
        transfer(TransferParams(from_pubkey=key, to_pubkey=WANTED, lamports=10**6 + number)),
        transfer(TransferParams(from_pubkey=key, to_pubkey=TIP_ACCOUNTS[0], lamports=tip)),
    ]
    return VersionedTransaction(MessageV0.try_compile(key, paid, [], blockhash), [PAYER])


def made(world: World) -> tuple[Chain, Auction]:
    chain = Chain(make_runtime())
    found_accounts(chain)
    auction = Auction(chain, world, frozenset({WANTED}))
    chain.land(airdrop(View(chain, Faults(), auction=auction), PAYER.pubkey(), 10**14))
    chain.advance()
    return chain, auction


def share_landed(world: World, tip: int) -> float:
    chain, auction = made(world)
    landed = 0
    for number in range(BUNDLES):
        chain.advance(number % 4)  # Bundles come at any slot of a leader's window.
        transaction = paying(tip, number, chain.ledger.open.newest_hash)
        auction.take(str(number), Bundle([transaction]))
        chain.advance(SPACING)
        landed += auction.bundles[str(number)].failure is None
        assert (str(transaction.signatures[0]) in chain.landed) == (auction.bundles[str(number)].failure is None)
    return landed / BUNDLES


def test_landing_by_tip_on_the_sandbox_is_the_models_curve_within_two_in_a_hundred() -> None:
    world = World(seed=5, jito_share=0.8, crowd=0.8, dropped=0.05, units=UNITS)
    tips = (1_001, 8_000, 30_000, 200_000)

    told = {tip: (share_landed(world, tip), world.land_share(per_unit(tip, UNITS))) for tip in tips}

    assert all(abs(share - model) < 0.02 for share, model in told.values()), told
    assert told[200_000][0] - told[1_001][0] > 0.4, "the tip decides"


def test_a_bundle_that_would_fail_lands_nowhere_and_costs_nothing() -> None:
    chain, auction = made(World())
    before = chain.account(PAYER.pubkey())
    poor = paying(10**15, 1, chain.ledger.open.newest_hash)
    auction.take("poor", Bundle([poor]))
    chain.advance()

    assert auction.bundles["poor"].failure is not None
    assert chain.account(PAYER.pubkey()) == before


def test_of_two_bundles_that_write_to_one_account_the_better_tip_a_unit_lands() -> None:
    chain, auction = made(World())
    newest = chain.ledger.open.newest_hash
    for name, tip in (("low", 2_000), ("high", 3_000)):
        auction.take(name, Bundle([paying(tip, tip, newest)]))
    chain.advance()

    assert {name: bundle.failure for name, bundle in auction.bundles.items()} == {"low": "outbid", "high": None}


def test_a_tip_under_the_least_is_taken_and_never_lands() -> None:
    chain, auction = made(World())
    auction.take("mean", Bundle([paying(999, 1, chain.ledger.open.newest_hash)]))
    chain.advance(3)

    assert auction.bundles["mean"].failure == "dropped"


def test_only_a_transfer_that_a_transaction_makes_itself_is_a_tip() -> None:
    blockhash = Hash.new_unique()

    assert tip_of([paying(5_000, 1, blockhash), paying(7, 2, blockhash)]) == 5_007
    assert tip_of([paying(5_000, 1, blockhash)], [WANTED]) == 10**6 + 1
