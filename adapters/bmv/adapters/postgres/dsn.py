"""Where a database is, as it may be shown: nobody reads a password in what we print."""

from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlencode, urlsplit, urlunsplit

from bmv.ports.errors import ConfigError

MASK = "***"
SCHEMES = ("postgresql", "postgres")
SECRET = ("password", "sslpassword")  # Of the query of a DSN.


def checked(dsn: str) -> str:
    """Return `dsn`, or raise `ConfigError` if it is not the URL of a database.

    >>> checked("postgresql://me@db.example/bmv")
    'postgresql://me@db.example/bmv'
    """
    try:
        parts = urlsplit(dsn)
        fits = parts.scheme in SCHEMES and (parts.port is None or parts.port > 0)
    except ValueError:  # Its text may repeat what stands in the DSN, a password too.
        fits = False
    if not fits:
        raise ConfigError("expected postgresql://USER@HOST:PORT/DATABASE, found something else (not shown: secrets)")
    return dsn


def is_database(name: object) -> bool:
    """Say whether `name` is the URL of a database.

    >>> is_database("postgresql://me@db.example/bmv"), is_database("s3://bucket/lake"), is_database("lake")
    (True, False, False)
    """
    return str(name).partition("://")[0] in SCHEMES and "://" in str(name)


def masked(dsn: str) -> str:
    """Return `dsn` without its passwords.

    >>> masked("postgresql://me:p%40ss@db.example/bmv?password=x&host=h")
    'postgresql://me:***@db.example/bmv?password=***&host=h'
    """
    parts = urlsplit(dsn)
    user, at, place = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    words = [(key, MASK if key in SECRET else value) for key, value in parse_qsl(parts.query, keep_blank_values=True)]
    return urlunsplit(
        parts._replace(netloc=f"{name}{colon and f':{MASK}'}{at}{place}", query=urlencode(words, safe="/*"))
    )


def without_password(dsn: str) -> str:
    """Return `dsn` as it may stand on a command line.

    >>> without_password("postgresql://me:secret@db.example/bmv?password=x&host=h")
    'postgresql://me@db.example/bmv?host=h'
    """
    parts = urlsplit(dsn)
    user, at, place = parts.netloc.rpartition("@")
    words = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in SECRET]
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}{at}{place}", query=urlencode(words, safe="/")))


def passwords(dsn: str) -> list[str]:
    """Return the passwords of `dsn`, as written and as meant."""
    parts = urlsplit(dsn)
    found = [parts.netloc.rpartition("@")[0].partition(":")[2]]
    found += [value for key, value in parse_qsl(parts.query) if key in SECRET]
    return sorted({form for word in found if word for form in (word, unquote(word), quote(word), quote_plus(word))})


def password(dsn: str) -> str | None:
    """Return the password of `dsn`, None if it has none.

    >>> password("postgresql://me:p%40ss@db/bmv"), password("postgresql://me@db/bmv")
    ('p@ss', None)
    """
    parts = urlsplit(dsn)
    inside = dict(parse_qsl(parts.query)).get("password")
    return inside or unquote(parts.netloc.rpartition("@")[0].partition(":")[2]) or None


def silenced(text: object, dsn: str) -> str:
    """Return `text` in one line, with what is secret in `dsn` made unreadable wherever it stands.

    >>> silenced("no route to postgresql://me:pw1@db", "postgresql://me:pw1@db")
    'no route to postgresql://me:***@db'
    """
    line = " ".join(str(text).split())
    for word in sorted(passwords(dsn), key=len, reverse=True):
        line = line.replace(word, MASK)
    return line


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
