"""Keys and money of those who trade on the sandbox, the same for the same seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.token import ID as TOKEN
from solders.transaction import VersionedTransaction

from bmv.adapters.sandbox import tokens
from bmv.adapters.sandbox.chain import Chain
from bmv.adapters.sandbox.errors import in_words
from bmv.adapters.solana.tokens import associated_account, create_associated_account


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the sandbox; whoever made it may mint as much of it as he likes."""

    mint: Pubkey
    decimals: int


@dataclass(frozen=True, slots=True)
class Trader:
    """Someone with a wallet.

    Args:
        name: What he is called.
        key: Signs for him.
        base: His token account of base.
        quote: His token account of quote.
    """

    name: str
    key: Keypair
    base: Pubkey
    quote: Pubkey

    @property
    def address(self) -> Pubkey:
        """Address of his wallet."""
        return self.key.pubkey()

    def __repr__(self) -> str:
        return f"<Trader {self.name}: {self.address}>"


def seeded_key(seed: int, name: str) -> Keypair:
    """Return the key of a name, another for each seed."""
    return Keypair.from_seed(sha256(f"bmv sandbox {seed} {name}".encode()).digest())


def signed_by(signers: Sequence[Keypair], instructions: Sequence[Instruction], blockhash: Hash) -> VersionedTransaction:
    """Return a legacy transaction that the first signer pays for."""
    message = Message.new_with_blockhash(instructions, signers[0].pubkey(), blockhash)
    return VersionedTransaction(message, signers)


def send(chain: Chain, signers: Sequence[Keypair], instructions: Sequence[Instruction]) -> None:
    """Land a transaction that has to succeed."""
    error = chain.land(signed_by(signers, instructions, chain.ledger.open.newest_hash))
    assert error is None, in_words(error)


def new_account(chain: Chain, payer: Pubkey, key: Pubkey, size: int, owner: Pubkey) -> Instruction:
    """Return what makes an empty account of `size` bytes that pays no rent."""
    lamports = chain.runtime.svm.minimum_balance_for_rent_exemption(size)
    return create_account(
        CreateAccountParams(from_pubkey=payer, to_pubkey=key, lamports=lamports, space=size, owner=owner)
    )


def make_token(chain: Chain, key: Keypair, decimals: int) -> Token:
    """Make a token; the faucet may mint it."""
    faucet = chain.faucet
    account = new_account(chain, faucet.pubkey(), key.pubkey(), tokens.MINT_BYTES, TOKEN)
    send(chain, [faucet, key], [account, tokens.initialize_mint(key.pubkey(), decimals, faucet.pubkey())])
    return Token(key.pubkey(), decimals)


def trader_of(key: Keypair, name: str, base: Token, quote: Token) -> Trader:
    """Return someone with the token accounts that belong to his key."""
    accounts = [associated_account(key.pubkey(), token.mint) for token in (base, quote)]
    return Trader(name, key, accounts[0], accounts[1])


def fund(chain: Chain, traders: Iterable[Trader], lamports: int, amounts: dict[Token, int]) -> None:
    """Give each trader lamports and native amounts of tokens, from the faucet."""
    faucet = chain.faucet
    for trader in traders:
        paid = transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=trader.address, lamports=lamports))
        minted = [one for token, native in amounts.items() for one in _minted(faucet.pubkey(), trader, token, native)]
        send(chain, [faucet], [paid, *minted])


def _minted(faucet: Pubkey, trader: Trader, token: Token, native: int) -> list[Instruction]:
    account = associated_account(trader.address, token.mint)
    made = create_associated_account(faucet, trader.address, token.mint)
    return [made, tokens.mint_to(token.mint, account, faucet, native)]
