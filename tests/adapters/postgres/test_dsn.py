"""Where a database is: no password of it is ever read in what we print, however oddly it is spelt."""

import os
import string
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bmv.adapters.config.masking import has_password, mask_url
from bmv.adapters.postgres.dsn import checked, is_database, masked, passwords, silenced, without_password
from bmv.adapters.postgres.pool import Pool
from bmv.adapters.postgres.tape import PostgresSource
from bmv.ports.errors import BmvError, ConfigError, UsageError

DEMO = Path(__file__).parents[3] / "docs" / "examples" / "demo.toml"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("BMV_", "PG"))}
# A mark in the middle that stands nowhere else, so that a part of a password is found too.
ODD = st.text(string.digits + "/#?@:%&=+[]\\ '\"\t;,é", max_size=6)
SECRETS = st.builds(lambda before, after: f"{before}hunter2{after}", ODD, ODD)
FORMS = st.sampled_from(
    [
        "postgresql://me:{}@db/bmv?market=a/b",
        "postgres://me:{}@db:5432/bmv?market=a/b&host=/tmp",
        "POSTGRESQL://me:{}@/bmv?market=a/b",
        "postgresql:/me:{}@db/bmv?market=a/b",
        "postgresql://me@db/bmv?market=a/b&password={}",
        "postgresql://me@db/bmv?market=a/b&PassWord={}",
        "postgresql://me@db/bmv?pass%77ord={}&market=a/b",
    ]
)


def messages(dsn: str) -> list[str]:
    """Return all that is said of a DSN before anybody is asked."""
    said = [masked(dsn), silenced(f"cannot reach {dsn}", dsn), mask_url(dsn)]
    for made in (checked, Pool, PostgresSource):
        try:
            made_of_it = made(dsn)
            said += [] if made is checked else [repr(made_of_it)]
        except BmvError as error:
            said.append(str(error))
    return said


@given(FORMS, SECRETS, st.booleans())
@example("postgresql://me:{}@db/bmv", "12#34hunter2", False)
@example("postgresql://me:{}@db/bmv", "5432/hunter2", False)
@example("postgresql://me:{}@db/bmv", "123?hunter2", False)
@example("postgresql://me@db/bmv?market=a/b&password={}", "&hunter2", False)
@example("postgresql://me@db/bmv?market=a/b&password={}", "&=hunter2", False)
@example("postgresql://me@db/bmv?market=a/b&password={}", "1&hunter2=", False)
def test_no_password_is_ever_in_a_message(form: str, secret: str, encoded: bool) -> None:
    dsn = form.format(quote(secret, safe="") if encoded else secret)

    assert not [said for said in messages(dsn) if "hunter2" in said]


@given(st.text(min_size=1, max_size=12).filter(lambda text: "\0" not in text))
def test_a_password_that_is_percent_encoded_is_taken_whatever_is_in_it(secret: str) -> None:
    try:
        encoded = quote(secret, safe="")
    except UnicodeEncodeError:  # Half a character is no text.
        return
    dsn = f"postgresql://me:{encoded}@db/bmv"

    assert checked(dsn) == dsn
    assert secret in passwords(dsn)
    assert without_password(dsn) == "postgresql://me@db/bmv"
    assert has_password(dsn)
    assert not has_password(mask_url(dsn))


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:12#34@host/db",
        "postgresql://me:5432/xyz@host/db",
        "postgresql://me:123?abc@host/db",
        "postgresql://me:#x@host/db",
        "postgresql://me:1 2@host/db",
        "postgresql://me@host/db?user=a@b",
    ],
)
def test_a_password_that_ends_too_early_is_refused_and_how_it_is_spelt_is_told(dsn: str) -> None:
    with pytest.raises(ConfigError, match=r"percent-encode the password: %40 for @") as refused:
        checked(dsn)

    assert dsn.partition("me")[2] not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "has"),
    [
        ("postgresql://me@h/d?password=pw", True),
        ("postgresql://me@h/d?PASSWORD=pw", True),
        ("postgresql://me@h/d?sslpassword=pw", True),
        ("postgresql://me:12#34@h/d", True),
        ("postgresql://me:12/34@h/d", True),
        ("postgresql://me@h/d?passfile=/home/me/.pgpass", False),
        ("https://rpc.example.com/?api-key=abc", False),
        ("wss://rpc.example.com:443/path", False),
    ],
)
def test_a_password_of_a_configured_url_is_found_wherever_it_stands(url: str, has: bool) -> None:
    assert has_password(url) is has
    assert not has_password(mask_url(url))


def test_a_database_is_known_however_its_scheme_is_written() -> None:
    assert is_database("POSTGRESQL://me:pw@h/d")
    with pytest.raises(UsageError, match="a password in a URL can be read by others"):
        PostgresSource("postgresql://me:123/x@h/d?market=a/b")


@pytest.mark.parametrize("secret", ["12#pw1", "5432/pw1", "123?pw1", "1[pw1", "pw1#"])
@pytest.mark.parametrize("words", ["db status", "db init", "db backup x.dump", "backtest {demo} --data {dsn}"])
def test_no_command_shows_a_password_that_ends_too_early(tmp_path: Path, words: str, secret: str) -> None:
    dsn = f"postgresql://me:{secret}@127.0.0.1/db?market=a/b"
    command = [sys.executable, "-m", "bmv.adapters.cli", *(w.format(demo=DEMO, dsn=dsn) for w in words.split())]

    env = {**CLEAN, "BMV_POSTGRES": dsn, "BMV_DEBUG": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)

    assert done.returncode == (2 if "backtest" in words else 3), done.stderr
    assert "pw1" not in done.stdout + done.stderr
    assert not [word for word in ("Traceback", "a fault of bmv") if word in done.stderr]
