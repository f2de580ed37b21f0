"""Which versions of transactions a client is ready to read."""

from bmv.adapters.sandbox.jsonrpc import UNSUPPORTED_VERSION, Json, RpcError
from bmv.adapters.sandbox.ledger import Landed
from bmv.adapters.sandbox.rules import version_of


def refuse_unasked_version(landed: Landed, config: Json) -> None:
    """Refuse to show a transaction of a version that a call's `maxSupportedTransactionVersion` leaves out."""
    version = version_of(landed.transaction.message)
    most = (config or {}).get("maxSupportedTransactionVersion")
    if isinstance(version, int) and (most is None or most < version):
        raise RpcError(
            UNSUPPORTED_VERSION,
            f"Transaction version ({version}) is not supported by the requesting client. Please try the request again "
            f'with the following configuration parameter: "maxSupportedTransactionVersion": {version}',
        )
