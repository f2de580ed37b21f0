"""A node with two funded wallets and a token, and what tests do with it again and again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.models import TxOpts
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.transaction import VersionedTransaction
from spl.token import instructions as tokens
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.models import InitializeMint2Params, MintToParams
from spl.token.models import TransferParams as TokenTransfer

from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.faults import Faults
from bmv.adapters.sandbox.finality import TOWER, Consensus
from bmv.adapters.sandbox.node import Node
from bmv.adapters.sandbox.runtime import make_runtime
from bmv.adapters.sandbox.view import View

SOL = 10**9
MINTED = 10**9


def key(number: int) -> Keypair:
    """Return the same keypair for the same number."""
    return Keypair.from_seed(bytes([number]) * 32)


def signed(
    payer: Keypair, instructions: Sequence[Instruction], blockhash: Hash, *others: Keypair
) -> VersionedTransaction:
    """Return a version 0 transaction."""
    message = MessageV0.try_compile(payer.pubkey(), list(instructions), [], blockhash)
    return VersionedTransaction(message, [payer, *others])


def paid(payer: Keypair, to: Pubkey, lamports: int) -> Instruction:
    """Return a transfer of lamports."""
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))


def make_chain(consensus: Consensus = TOWER) -> Chain:
    """Return a chain that stands at its first slot."""
    return Chain(make_runtime(), consensus)


def fund(chain: Chain, *payers: Keypair, lamports: int = 1000 * SOL) -> None:
    """Give each wallet lamports, and let that become final."""
    for payer in payers:
        landing = signed(chain.faucet, [paid(chain.faucet, payer.pubkey(), lamports)], chain.ledger.open.newest_hash)
        assert chain.land(landing) is None
    chain.advance(chain.consensus.finalized + 1)


@dataclass
class Scene:
    """Two wallets with a token: `first` minted and holds it, `second` has an empty account of it."""

    node: Node
    chain: Chain
    rpc: AsyncClient
    first: Keypair
    second: Keypair
    mint: Keypair
    first_tokens: Pubkey
    second_tokens: Pubkey

    async def blockhash(self) -> Hash:
        return (await self.rpc.get_latest_blockhash(Processed)).value.blockhash

    def moved(self, amount: int, owner: Keypair | None = None) -> Instruction:
        """Return a transfer of tokens from the first account to the second."""
        return tokens.transfer(
            TokenTransfer(
                program_id=TOKEN_PROGRAM_ID,
                source=self.first_tokens,
                dest=self.second_tokens,
                owner=(owner or self.first).pubkey(),
                amount=amount,
            )
        )


@asynccontextmanager
async def node_of(chain: Chain, lag: int = 0) -> AsyncIterator[tuple[Node, AsyncClient]]:
    """Give a node of a chain, and solana-py's client of it."""
    async with Node(View(chain, Faults(), lag)) as node, AsyncClient(node.rpc_url, commitment=Confirmed) as rpc:
        yield node, rpc


@asynccontextmanager
async def staged(consensus: Consensus = TOWER) -> AsyncIterator[Scene]:
    """Give a scene whose token is confirmed."""
    chain = make_chain(consensus)
    async with node_of(chain) as (node, rpc):
        first, second, mint = key(1), key(2), key(3)
        owned = [tokens.get_associated_token_address(one.pubkey(), mint.pubkey()) for one in (first, second)]
        fund(chain, first)
        scene = Scene(node, chain, rpc, first, second, mint, *owned)
        await rpc.send_transaction(await minted(scene), TxOpts(preflight_commitment=Processed))
        chain.advance(2)
        yield scene


async def minted(scene: Scene) -> VersionedTransaction:
    """Return what makes the token and the accounts."""
    payer, mint = scene.first.pubkey(), scene.mint.pubkey()
    rent = (await scene.rpc.get_minimum_balance_for_rent_exemption(82)).value
    instructions = [
        create_account(
            CreateAccountParams(from_pubkey=payer, to_pubkey=mint, lamports=rent, space=82, owner=TOKEN_PROGRAM_ID)
        ),
        tokens.initialize_mint2(
            InitializeMint2Params(
                program_id=TOKEN_PROGRAM_ID, mint=mint, decimals=6, mint_authority=payer, freeze_authority=None
            )
        ),
        tokens.create_idempotent_associated_token_account(payer, payer, mint),
        tokens.create_idempotent_associated_token_account(payer, scene.second.pubkey(), mint),
        tokens.mint_to(
            MintToParams(
                program_id=TOKEN_PROGRAM_ID, mint=mint, dest=scene.first_tokens, mint_authority=payer, amount=MINTED
            )
        ),
    ]
    return signed(scene.first, instructions, await scene.blockhash(), scene.mint)


async def heard(receive: Callable[[], Awaitable[Any]], quiet_s: float = 0.15) -> list[Any]:
    """Return what comes until nothing has come for a while."""
    messages = []
    while True:
        try:
            messages.append(await asyncio.wait_for(receive(), quiet_s))
        except TimeoutError:
            return messages
