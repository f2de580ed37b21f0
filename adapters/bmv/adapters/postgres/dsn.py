"""Where a database is, as it may be shown: nobody reads a password in what we print."""

import re
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus, urlencode, urlsplit, urlunsplit

from bmv.ports.errors import ConfigError

MASK = "***"
SCHEMES = ("postgresql", "postgres")
SECRET = re.compile("pass(?!file)|pwd", re.IGNORECASE)  # The name of a password in a query has it in it.
# What else a query may say is shown; a word that nobody knows may be the rest of a password with an `&` in it.
_PLAIN = (
    "host hostaddr port user dbname database passfile service options application_name sslmode sslcert sslkey "
    "sslrootcert sslcrl sslnegotiation ssl_min_protocol_version ssl_max_protocol_version target_session_attrs "
    "connect_timeout krbsrvname gsslib market source"
)
PLAIN = set(_PLAIN.split())
WRONG = (
    "expected postgresql://USER@HOST:PORT/DATABASE, found something else (not shown: secrets); "
    "percent-encode the password: %40 for @, %23 for #, %2F for /, %3F for ?, %20 for a space"
)


def checked(dsn: str) -> str:
    """Return `dsn`, or raise `ConfigError` if it is not the URL of a database.

    A `#`, and an `@` anywhere but before the host, end a password too early: what is left of it would be taken for a
    host, a port or a database, and be shown; so would be what follows an `&` in one.

    >>> checked("postgresql://me@db.example/bmv")
    'postgresql://me@db.example/bmv'
    """
    if not _fits(dsn):
        raise ConfigError(WRONG)
    return dsn


def _fits(dsn: str) -> bool:
    if "#" in dsn or any(letter.isspace() or not letter.isprintable() for letter in dsn):
        return False
    try:
        parts = urlsplit(dsn)
        whole = parts.port is None or parts.port > 0
    except ValueError:  # Its text may repeat what stands in the DSN, a password too.
        return False
    named = all(word.partition("=")[0] and "=" in word for word in parts.query.split("&") if parts.query)
    return whole and named and parts.scheme in SCHEMES and "://" in dsn and "@" not in f"{parts.path}{parts.query}"


def is_database(name: object) -> bool:
    """Say whether `name` is the URL of a database, a right one or not.

    >>> is_database("postgresql://me@db.example/bmv"), is_database("s3://bucket/lake"), is_database("lake")
    (True, False, False)
    """
    scheme, colon, _ = str(name).partition(":")
    return bool(colon) and scheme.lower() in SCHEMES


def masked(dsn: str) -> str:
    """Return `dsn` without its passwords; of one that is not right, nothing.

    >>> masked("postgresql://me:p%40ss@db.example/bmv?password=x&host=h")
    'postgresql://me:***@db.example/bmv?password=***&host=h'
    """
    if not _fits(dsn):
        return f"{SCHEMES[0]}://{MASK}"
    parts = urlsplit(dsn)
    user, at, place = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    words = [_shown(*word) for word in parse_qsl(parts.query, keep_blank_values=True)]
    return urlunsplit(
        parts._replace(netloc=f"{name}{colon and f':{MASK}'}{at}{place}", query=urlencode(words, safe="/*"))
    )


def _shown(key: str, value: str) -> tuple[str, str]:
    if _secret(key):
        return key, MASK
    return (key, value) if key.lower() in PLAIN else (MASK, MASK)


def _secret(key: str) -> bool:
    return SECRET.search(key) is not None


def without_password(dsn: str) -> str:
    """Return `dsn` as it may stand on a command line.

    >>> without_password("postgresql://me:secret@db.example/bmv?password=x&host=h")
    'postgresql://me@db.example/bmv?host=h'
    """
    parts = urlsplit(dsn)
    user, at, place = parts.netloc.rpartition("@")
    words = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key.lower() in PLAIN]
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{place}", query=urlencode(words, safe="/")))


def passwords(dsn: str) -> list[str]:
    """Return the passwords of `dsn`, as written and as meant, and what may be one where it is not right.

    >>> passwords("postgresql://me:12/3@db/bmv"), passwords("postgresql://me@db:5432/bmv")
    (['12%2F3', '12/3'], [])
    """
    # Taken apart by hand, since a password with odd letters makes any parser see something else, or raise.
    found = [dsn.partition(":")[2].rpartition("@")[0].lstrip("/").partition(":")[2]]
    for word in dsn.partition("?")[2].split("&"):
        key, _, value = word.partition("=")
        found += [value] if _secret(unquote_plus(key)) else []
    for word in dsn.rpartition("@")[2].partition("?")[2].split("&"):
        key, _, value = word.partition("=")
        if unquote_plus(key).lower() not in PLAIN and not _secret(unquote_plus(key)):
            found += [key, value]  # The rest of a password with an `&` in it.
    return sorted({form for word in found if word for form in _forms(word)})


def _forms(word: str) -> set[str]:
    """Return a password in every spelling in which a message may have it."""
    meant = {word, unquote(word), unquote_plus(word)}
    written = {spell(form) for form in meant for spell in (quote, quote_plus)} | {quote(form, "") for form in meant}
    return meant | written | {repr(form)[1:-1] for form in meant}


def password(dsn: str) -> str | None:
    """Return the password of `dsn`, None if it has none.

    >>> password("postgresql://me:p%40ss@db/bmv"), password("postgresql://me@db/bmv")
    ('p@ss', None)
    """
    parts = urlsplit(dsn)
    inside = {key.lower(): value for key, value in parse_qsl(parts.query)}.get("password")
    return inside or unquote(parts.netloc.rpartition("@")[0].partition(":")[2]) or None


def silenced(text: object, dsn: str) -> str:
    """Return `text` in one line, with what is secret in `dsn` made unreadable wherever it stands.

    >>> silenced("no route to postgresql://me:pw1@db", "postgresql://me:pw1@db")
    'no route to postgresql://me:***@db'
    """
    line = str(text).replace(dsn, masked(dsn))  # As a whole first: of one that is not right nobody knows the parts.
    for word in sorted(passwords(dsn), key=len, reverse=True):
        line = line.replace(word, MASK)
    return " ".join(line.split())


def database(dsn: str) -> str:
    """Return the name of the database of `dsn`, that of its user if it names none.

    >>> database("postgresql://me@db/bmv"), database("postgresql://me@db")
    ('bmv', 'me')
    """
    parts = urlsplit(dsn)
    return unquote(parts.path.lstrip("/") or (parts.username or ""))


def elsewhere(dsn: str, name: str) -> str:
    """Return `dsn` with another database.

    >>> elsewhere("postgresql://me@/bmv?host=here", "postgres")
    'postgresql://me@/postgres?host=here'
    """
    parts = urlsplit(dsn)
    return f"{parts.scheme}://{parts.netloc}/{quote(name)}{parts.query and f'?{parts.query}'}"
