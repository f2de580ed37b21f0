"""What must not be read by whoever looks over a shoulder: passwords and keys that a URL may carry."""

import re

MASK = "***"
PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]+(?=@)")
QUERY = re.compile(r"(?<=[?&])([^=&]*)=[^&]*")


def mask_url(text: str) -> str:
    """Return `text` with what a URL may hide made unreadable; what is no URL stays as it is.

    >>> mask_url("https://rpc.example.com/?api-key=abc")
    'https://rpc.example.com/?api-key=***'
    >>> mask_url("postgresql://me:secret@db/bmv")
    'postgresql://me:***@db/bmv'
    """
    return QUERY.sub(rf"\1={MASK}", PASSWORD.sub(rf"\1:{MASK}", text)) if "://" in text else text


def has_password(text: str) -> bool:
    """Tell whether a URL carries a password that is not masked.

    >>> has_password("postgresql://me:secret@db/bmv"), has_password("postgresql://me@db/bmv")
    (True, False)
    """
    found = PASSWORD.search(text)
    return found is not None and not found.group().endswith(f":{MASK}")
