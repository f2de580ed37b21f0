"""A key that lies behind a service: HashiCorp Vault, AWS and GCP KMS, Turnkey, and all that solana-keychain speaks to.

The key file then holds no key but says where it is; secrets that open the service are named by file or variable, and
never stand in it. What comes back is verified, and every error is a sentence of our own: theirs may hold a secret.
"""

import asyncio
import dataclasses
import importlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from solders.message import from_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from bmv.adapters.solana.wallet.secret import Sealed, Secret
from bmv.ports.errors import ConfigError, DataError
from bmv.ports.signer import SignerError

VERSION = 1
LIMIT_S = 2.0
PACKAGE = "solana_keychain"
LOCAL = "memory"  # A backend that would have the key stand in its settings.
EXTRA = "the extra `keychain`: pip install 'bmv[keychain]', with what the backend needs beside it"


class Hidden(BaseModel):
    """Where a secret is: in a file that nobody else may read, or in a variable."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)

    file: str | None = None
    env: str | None = None


class RemoteKey(BaseModel):
    """The file of a key behind a service.

    Args:
        backend: As solana-keychain calls it.
        pubkey: The public key in base58; no signature of another is taken.
        limit_s: Seconds within which a signature has to be there.
        settings: Of the backend, by the names of its configuration; secrets as `Hidden`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)

    v: int = Field(ge=VERSION, le=VERSION)
    backend: str = Field(pattern="^[a-z][a-z-]{1,31}$")
    pubkey: str = Field(max_length=44)
    limit_s: float = Field(LIMIT_S, gt=0, le=60)
    settings: dict[str, str | int | float | bool | Hidden] = Field(repr=False)  # A secret may stand there by mistake.


class RemoteSigner(Sealed):
    """The signer of a key behind a service.

    Args:
        address: The public key in base58.
        backend: Which service, for errors to name.
        limit_s: Seconds that it has for a signature.
        ask: Returns a signature, or why there is none, and raises nothing.
    """

    __slots__ = ("_ask", "_limit_s", "_public_key", "address", "backend")

    def __init__(
        self, address: str, backend: str, limit_s: float, ask: Callable[[bytes], Awaitable[bytes | str]]
    ) -> None:
        self.address, self.backend = address, backend
        self._public_key = bytes(Pubkey.from_string(address))
        self._limit_s, self._ask = limit_s, ask

    @property
    def public_key(self) -> bytes:
        return self._public_key

    async def sign(self, message: bytes) -> bytes:
        found = await self._sign(message)
        if isinstance(found, str):
            raise SignerError(f"the key {self.address} at {self.backend} gives no signature: {found}")
        return found

    async def _sign(self, message: bytes) -> bytes | str:
        """Return a signature that is verified, or why there is none."""
        try:
            async with asyncio.timeout(self._limit_s):
                found = await self._ask(message)
        except TimeoutError:
            return f"no answer within {self._limit_s:g} s"
        if isinstance(found, str):
            return found
        if not Signature.from_bytes(found).verify(Pubkey(self._public_key), message):
            return "the answer is no signature of that key and message"
        return found

    def __repr__(self) -> str:
        return f"<RemoteSigner {self.address} at {self.backend}>"


def is_remote(text: Secret) -> bool:
    """Whether the file of a key says that it lies elsewhere."""
    try:
        found = json.loads(text.reveal())
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "backend" in found


def read_remote(text: Secret) -> RemoteKey:
    """Read the file of a key behind a service; `DataError` says what is wrong with it."""
    found = _read(text)
    if isinstance(found, str):
        raise DataError(f"is no file of a remote key: {found}")
    return found


def _read(text: Secret) -> RemoteKey | str:
    """Return the file, or which fields are wrong; nothing may be raised here, see `secret`."""
    try:
        found = RemoteKey.model_validate(json.loads(text.reveal()))
        Pubkey.from_string(found.pubkey)
    except ValidationError as error:
        known = {str(each["loc"][0]) for each in error.errors() if each["loc"]} & set(RemoteKey.model_fields)
        return f"{', '.join(sorted(known)) or 'fields'} missing, unknown or out of range"
    except ValueError:
        return "pubkey: expected 32 bytes in base58"
    return found


def open_remote(key: RemoteKey, read_secret: Callable[[Path], Secret]) -> RemoteSigner:
    """Return the signer of a key behind a service; nobody is asked yet.

    Args:
        read_secret: Returns what a file holds that nobody else may read.

    Raises:
        ConfigError: solana-keychain is not installed, knows no such backend, or its settings are not right.
    """
    kind = _kind_of(key.backend)
    fields = {one.name: one for one in dataclasses.fields(kind)}
    if problem := _problem(key, fields):
        raise ConfigError(problem)
    secrets = {
        name: _secret_of(name, value, read_secret) for name, value in key.settings.items() if isinstance(value, Hidden)
    }
    plain = {name: value for name, value in key.settings.items() if not isinstance(value, Hidden)}
    if "public_key" in fields:
        plain["public_key"] = key.pubkey
    return RemoteSigner(key.pubkey, key.backend, key.limit_s, _asking(key.backend, kind, plain, secrets))


def _problem(key: RemoteKey, fields: Mapping[str, Any]) -> str:
    """Return what is wrong with the settings of a backend, "": nothing; nothing may be raised here, see `secret`."""
    for name, value in key.settings.items():
        if name not in fields or name == "http_client":
            return f"settings: {key.backend} knows no {name}; it knows {', '.join(_known(fields))}"
        if not fields[name].repr and not isinstance(value, Hidden):
            return f'settings.{name}: is a secret, and stands in no key file; say {{"file": PATH}} or {{"env": NAME}}'
    required = {one.name for one in fields.values() if _is_required(one)} - {"public_key"}
    lacking = sorted(required - set(key.settings))
    return f"settings: {key.backend} needs {', '.join(lacking)} too" if lacking else ""


def _kind_of(backend: str) -> Any:  # Any: a class of a package that may not be there.
    try:
        names = importlib.import_module(PACKAGE).SUPPORTED_BACKENDS
    except ImportError:
        raise ConfigError(f"a key behind {backend} needs {EXTRA}") from None
    if backend not in names or backend == LOCAL:
        raise ConfigError(f"backend: {backend} is none of {', '.join(sorted(set(names) - {LOCAL}))}")
    name = "".join(map(str.capitalize, backend.split("-"))) + "SignerConfig"
    try:
        return getattr(importlib.import_module(f"{PACKAGE}.{backend.replace('-', '_')}"), name)
    except ImportError:
        raise ConfigError(f"backend: {backend} needs {EXTRA}, as solana-keychain[{backend}]") from None


def _known(fields: Mapping[str, Any]) -> list[str]:
    return sorted(set(fields) - {"http_client", "public_key"})


def _is_required(field: Any) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _secret_of(name: str, where: Hidden, read_secret: Callable[[Path], Secret]) -> Secret:
    if where.file is not None and where.env is None:
        return read_secret(Path(os.path.expanduser(where.file)))
    if where.env is not None and where.file is None:
        if not os.environ.get(where.env):
            raise ConfigError(f"settings.{name}: the variable {where.env} is not set")
        return Secret(os.environ[where.env].encode())
    raise ConfigError(f'settings.{name}: expected {{"file": PATH}} or {{"env": NAME}}')


def _revealed(secrets: Mapping[str, Secret]) -> dict[str, str]:
    return {name: one.reveal().decode(errors="replace").strip() for name, one in secrets.items()}


def _asking(
    backend: str, kind: Any, plain: Mapping[str, object], secrets: Mapping[str, Secret]
) -> Callable[[bytes], Awaitable[bytes | str]]:
    """Return what asks a service for a signature, and answers with words where there is none."""
    made: list[Any] = []  # The signer, once it was asked for: it belongs to the loop that signs.

    async def ask(message: bytes) -> bytes | str:
        keychain = importlib.import_module(PACKAGE)
        try:
            if not made:
                made.append(await keychain.create_keychain_signer(backend, kind(**plain, **_revealed(secrets))))
            if not isinstance(made[0], keychain.TransactionSigner):
                return "it changes what it signs, or sends it itself, and here the bytes are decided before"
            transaction = VersionedTransaction.populate(from_bytes_versioned(message), [Signature.default()])
            return bytes((await made[0].sign_transaction(transaction)).signature)
        except keychain.SignerError as error:
            status = f", HTTP status {error.status_code}" if error.status_code else ""
            return f"{str(error.code.value).removeprefix('SIGNER_').lower().replace('_', ' ')}{status}"
        except Exception as error:  # A provider's own library raises what it likes.
            return f"its client fails ({type(error).__name__})"

    return ask
