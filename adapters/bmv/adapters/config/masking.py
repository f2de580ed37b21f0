"""What must not be read by whoever looks over a shoulder: passwords and keys that a URL may carry."""

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from bmv.adapters.postgres.dsn import PLAIN, SECRET, is_database

MASK = "***"
# Up to the last `@`, wherever it stands: a password may hold `/`, `?` and `#`, which nobody has percent-encoded.
PASSWORD = re.compile(r"((?::/|//)/*[^/@:]*):.+(?=@)", re.DOTALL)
QUERY = re.compile(r"(?<=[?&])([^=&]*)=([^&]*)")
KEYWORD = re.compile(r"\b((?:ssl)?password|passwd|pwd)(\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&'\"]+)", re.IGNORECASE)
NO_SLASH = re.compile(r"\b(postgres(?:ql)?:[^/@:\s\"']*):[^\s\"']+(?=@)", re.IGNORECASE)
# A user and a password before a host, without a scheme; `C:\a@b` and `sqlite:a@b` are paths.
BARE = re.compile(
    r"(?<![^\s\"'=,;(\[{<`])(?!(?:postgres(?:ql)?|sqlite):)([\w.+%~-]+):(?![/\\])[^\s\"'<>`]+(?=@[^\s@])", re.IGNORECASE
)
IN_TEXT = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{0,30}:/|//)[^\s\"'<>`]*")  # Where a URL may stand in a text.
KEY = re.compile("pass(?!file)|pwd|key|token|secret|auth|credential|signature|sig$", re.IGNORECASE)  # As SECRET.
USER = re.compile(r"(:/+)[^/@:?#]+(?=@)")  # Of what is no database it may be a token.
LEAST_SECRET = 6  # A shorter one is hidden where it stands in a URL only: elsewhere it may be any word.


def mask_url(text: str) -> str:
    """Mask the secrets of every URL in `text`.

    >>> mask_url("https://rpc.example.com/?api-key=abc")
    'https://rpc.example.com/?api-key=***'
    >>> mask_url("postgresql://me:12#3@db/bmv")
    'postgresql://me:***@db/bmv'
    """
    if ":/" not in text:
        return text
    place, mark, query = PASSWORD.sub(rf"\1:{MASK}", text).partition("?")
    return f"{place}{mark}{_masked_query(query)}" if mark else place


def mask_value(text: str) -> str:
    """Return a text that stands by itself, as a value of a configuration does, with what is secret made unreadable.

    >>> mask_value("postgresql:me:pw@db/bmv"), mask_value("postgresql://me:p w@db/bmv"), mask_value("host=db pwd=x")
    ('postgresql:me:***@db/bmv', 'postgresql://me:***@db/bmv', 'host=db pwd=***')
    """
    return mask_text(mask_url(text))  # As a whole first: a password may hold what ends a URL within a text.


def _meant(name: str) -> str:
    """Return the name of a word of a query as it is known by, however it is spelt."""
    return unquote_plus(name).lower()


def _words(text: str) -> list[tuple[str, str]]:
    """Return name, as it is known by, and value of the words of queries that have a value which is not masked."""
    return [(_meant(name), value) for name, value in QUERY.findall(text) if value not in ("", MASK)]


def _masked_query(query: str, plain: Collection[str] = ()) -> str:
    """Return a query with its values hidden, but for the plain ones.

    Behind a password, and without a name, what follows may be its rest.
    """
    shown, hidden = list[str](), False
    for word in query.split("&"):
        name, equals, _ = word.partition("=")
        hidden = hidden or not equals
        known = _meant(name) in plain
        shown.append(MASK if hidden else word if known else f"{name}={MASK}")
        hidden = hidden or SECRET.search(_meant(name)) is not None
    return "&".join(dict.fromkeys(shown))


def has_password(text: str) -> bool:
    """Tell whether a URL carries a password that is not masked, before its host or in its query.

    >>> has_password("postgresql://me:secret@db/bmv"), has_password("postgresql://me@db/bmv")
    (True, False)
    >>> has_password("postgresql://me@db/bmv?password=secret"), has_password("postgresql://me@db/bmv?password=***")
    (True, False)
    """
    if any(value != MASK for _, _, value in KEYWORD.findall(text)) or _unmasked(NO_SLASH.search(text)):
        return True
    if any(map(_unmasked, BARE.finditer(text))):
        return True
    if ":/" not in text and "//" not in text:
        return False
    found = PASSWORD.search(text)
    if _unmasked(found):
        return True
    return any(SECRET.search(name) for name, _ in _words(text))


def has_secret(text: str) -> bool:
    """Tell whether a text carries what should be read by nobody: a password, or a key or a token in a URL.

    >>> has_secret("https://rpc.example.com/?api-key=abc"), has_secret("https://rpc.example.com/?cluster=main")
    (True, False)
    """
    if has_password(text):
        return True
    if ":/" not in text:
        return False
    named = any(KEY.search(name) and name not in PLAIN for name, _ in _words(text))
    user = None if is_database(text) else USER.search(text)
    return named or (user is not None and not user.group().endswith(MASK))


def _unmasked(found: re.Match[str] | None) -> bool:
    return found is not None and not found.group().endswith(f":{MASK}")


def mask_text(text: str) -> str:
    """Return `text` with what is secret in the URLs and the settings of databases within it made unreadable.

    A user and a password before a host are known without a scheme too.

    >>> mask_text("no such file: postgresql://me:pw@db/bmv?market=a/b and host=db password=pw")
    'no such file: postgresql://me:***@db/bmv?market=a/b and host=db password=***'
    >>> mask_text("no such file: me:pw@db/bmv")
    'no such file: me:***@db/bmv'
    """
    text = KEYWORD.sub(rf"\1\2{MASK}", text) if "=" in text else text
    if "@" in text:
        text = BARE.sub(rf"\1:{MASK}", NO_SLASH.sub(rf"\1:{MASK}", text))
    return IN_TEXT.sub(lambda found: _masked_word(found.group()), text) if "//" in text or ":/" in text else text


def _masked_word(url: str) -> str:
    """Return a URL with password, values of its query and, where it is none of a database, user hidden."""
    place, mark, query = PASSWORD.sub(rf"\1:{MASK}", url).partition("?")
    if not is_database(place):
        place = USER.sub(rf"\1{MASK}", place)
    return f"{place}{mark}{_masked_query(query, PLAIN)}" if mark else place


class Masked:
    """A text on its way out, with the secrets of some words, as the command line or the environment had them, hidden.

    What a URL may be recognised by can be lost on the way, to whoever cuts it or spells it in another way: so each word
    is hidden as a whole too, and what is secret in it wherever it stands.
    """

    def __init__(self, words: Iterable[str]) -> None:
        told = sorted(
            {word for each in words for word in (each, each.partition("=")[2]) if word}, key=len, reverse=True
        )
        wholes = {form: mask_text(word) for word in told if mask_text(word) != word for form in _spelt(word)}
        parts = {form: MASK for word in told for secret in secrets(word) for form in _spelt(secret)}
        self.known = {**wholes, **{part: mask for part, mask in parts.items() if len(part) >= LEAST_SECRET}}

    def __call__(self, text: str) -> str:
        for form in self.known:
            text = text.replace(form, self.known[form])
        return mask_text(text)


def secrets(word: str) -> list[str]:
    """Return what is secret in a URL or the settings of a database, as written and as meant.

    >>> secrets("postgresql://me:p%40ss@db/bmv?market=a/b&sslpassword=two")
    ['p%40ss', 'p@ss', 'two']
    """
    found = [value.strip("'") for _, _, value in KEYWORD.findall(word)]
    matches = filter(None, (pattern.search(word) for pattern in (PASSWORD, NO_SLASH, BARE)))
    found += [match.group()[len(match.group(1)) + 1 :] for match in matches]
    if ":/" in word or "//" in word:
        found += [value for name, value in _words(word) if name not in PLAIN]
        if not is_database(word) and (user := USER.search(word)):
            found.append(user.group().lstrip(":/"))
    return sorted({form for secret in found for form in (secret, unquote(secret)) if form not in ("", MASK)})


def _spelt(word: str) -> set[str]:
    """Return a word as it may stand in a message: as a path, quoted by Python, in JSON."""
    forms = {word, str(Path(word))}
    return forms | {repr(form)[1:-1] for form in forms} | {json.dumps(form)[1:-1] for form in forms}
