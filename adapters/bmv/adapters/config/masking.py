"""What must not be read by whoever looks over a shoulder: passwords and keys that a URL may carry."""

import re
from urllib.parse import unquote_plus

MASK = "***"
# Up to the last `@`, wherever it stands: a password may hold `/`, `?` and `#`, which nobody has percent-encoded.
PASSWORD = re.compile(r"(:/+[^/@:]*):.+(?=@)", re.DOTALL)
QUERY = re.compile(r"(?<=[?&])([^=&]*)=([^&]*)")
SECRET = re.compile("pass(?!file)|pwd", re.IGNORECASE)  # The name of a password in a query has it in it.


def mask_url(text: str) -> str:
    """Return `text` with what a URL may hide made unreadable; what is no URL stays as it is.

    >>> mask_url("https://rpc.example.com/?api-key=abc")
    'https://rpc.example.com/?api-key=***'
    >>> mask_url("postgresql://me:12#3@db/bmv")
    'postgresql://me:***@db/bmv'
    """
    if ":/" not in text:
        return text
    place, mark, query = PASSWORD.sub(rf"\1:{MASK}", text).partition("?")
    return f"{place}{mark}{_masked_query(query)}" if mark else place


def _masked_query(query: str) -> str:
    """Return a query with its values hidden; behind a password, and without a name, what follows may be its rest."""
    shown, hidden = list[str](), False
    for word in query.split("&"):
        name, equals, _ = word.partition("=")
        hidden = hidden or not equals
        shown.append(MASK if hidden else f"{name}={MASK}")
        hidden = hidden or SECRET.search(unquote_plus(name)) is not None
    return "&".join(dict.fromkeys(shown))


def has_password(text: str) -> bool:
    """Tell whether a URL carries a password that is not masked, before its host or in its query.

    >>> has_password("postgresql://me:secret@db/bmv"), has_password("postgresql://me@db/bmv")
    (True, False)
    >>> has_password("postgresql://me@db/bmv?password=secret"), has_password("postgresql://me@db/bmv?password=***")
    (True, False)
    """
    if ":/" not in text:
        return False
    found = PASSWORD.search(text)
    if found is not None and not found.group().endswith(f":{MASK}"):
        return True
    words = QUERY.findall(text)
    return any(SECRET.search(unquote_plus(key)) and value not in ("", MASK) for key, value in words)
