"""A deployed program: since when it is what it is, who may change it, and what its code is.

Source: the loaders of Agave. A program of the upgradeable loader names its ProgramData account: a tag of 4 bytes, the
slot of the last deployment, perhaps an authority, and from byte 45 on the code.
"""

from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256

from solders.account import Account
from solders.pubkey import Pubkey

from bmv.adapters.solana.errors import EndpointError
from bmv.adapters.solana.rpc import CONFIRMED, Rpc

UPGRADEABLE = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
FINAL = (  # Loaders whose programs nobody can change; the code is the account itself.
    Pubkey.from_string("BPFLoader2111111111111111111111111111111111"),
    Pubkey.from_string("BPFLoader1111111111111111111111111111111111"),
)
PROGRAM, PROGRAM_DATA = 2, 3  # First word of an account of the upgradeable loader.
PROGRAM_BYTES, CODE_AT = 36, 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is known of a program; None is unknown.

    Args:
        slot: When it was last deployed.
        upgradeable: Whether anybody may change it.
        authority: Who may.
        code_sha256: Of its code without the zeros at the end, as `solana-verify` counts it.
        code_bytes: How long that is.
        unknown: Why something is not known; "": all that there is to know is.
    """

    slot: int | None = None
    upgradeable: bool | None = None
    authority: Pubkey | None = None
    code_sha256: str | None = None
    code_bytes: int | None = None
    unknown: str = ""


def code_address(program: Account) -> Pubkey | None:
    """Return where the code of a program of the upgradeable loader lies, None for any other account."""
    data = program.data
    if program.owner != UPGRADEABLE or len(data) < PROGRAM_BYTES or _tag(data) != PROGRAM:
        return None
    return Pubkey(data[4:PROGRAM_BYTES])


def read_deployment(program: Account | None, code: Account | None) -> Deployment:
    """Return what a program's account and that of its code say; `code` is not looked at where no other holds it."""
    if program is None or not program.executable:
        return Deployment(unknown="there is no program at this address")
    if program.owner in FINAL:
        digest, size = _hash(program.data)
        return Deployment(upgradeable=False, code_sha256=digest, code_bytes=size)
    if code_address(program) is None:
        return Deployment(unknown=f"it was loaded by {program.owner}, whose form is not known here")
    if code is None or code.owner != UPGRADEABLE or len(code.data) < CODE_AT or _tag(code.data) != PROGRAM_DATA:
        return Deployment(unknown="its ProgramData account is not there, or is none")
    data = code.data
    authority = Pubkey(data[13:CODE_AT]) if data[12] == 1 else None
    digest, size = _hash(data[CODE_AT:])
    return Deployment(
        slot=deployment_slot(data),
        upgradeable=authority is not None,
        authority=authority,
        code_sha256=digest,
        code_bytes=size,
    )


async def read_deployment_slot(rpc: Rpc, code: Pubkey) -> int | None:
    """Return when the program whose code lies at `code` was last deployed, None where the node does not say."""
    part = {"encoding": "base64", "commitment": CONFIRMED, "dataSlice": {"offset": 0, "length": CODE_AT}}
    try:
        value = (await rpc.call("getAccountInfo", str(code), part))["value"]
        data = b64decode(value["data"][0], validate=True)
    except (EndpointError, KeyError, TypeError, ValueError):
        return None
    return deployment_slot(data)


def deployment_slot(data: bytes) -> int | None:
    """Return when a program was last deployed, from the beginning of its ProgramData account; None where it is none."""
    return int.from_bytes(data[4:12], "little") if len(data) >= CODE_AT and _tag(data) == PROGRAM_DATA else None


def _tag(data: bytes) -> int:
    return int.from_bytes(data[:4], "little")


def _hash(code: bytes) -> tuple[str, int]:
    trimmed = code.rstrip(b"\0")
    return sha256(trimmed).hexdigest(), len(trimmed)
