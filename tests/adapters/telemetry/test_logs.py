"""The log: nothing secret in it, and nobody waits for it."""

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import base58
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair

from bmv.adapters.config.masking import Masked, mask_text
from bmv.adapters.telemetry.keys import mask_keys
from bmv.adapters.telemetry.logs import Logs
from bmv.adapters.telemetry.masking import TEXT_MAX, Masker

KEY = Keypair.from_seed(bytes(range(100, 132)))
SEED = bytes(KEY)[:32]
MNEMONIC = "legal winner thank year wave sausage worth useful legal winner thank yellow"
FORMS = {
    "id.json": json.dumps(list(bytes(KEY))),
    "id.json, laid out": json.dumps(list(bytes(KEY)), indent=1),
    "seed as JSON": json.dumps(list(SEED)),
    "base58": base58.b58encode(bytes(KEY)).decode(),
    "hexadecimal": bytes(KEY).hex(),
    "seed, hexadecimal": SEED.hex().upper(),
    "mnemonic": MNEMONIC,
}


def logged(*calls: Callable[[Any], object], form: Any = "json", mask: Callable[[str], str] = mask_text) -> list[str]:
    """Return the lines that some calls of a logger left."""
    stream = io.StringIO()
    with Logs(stream, mask, form):
        for call in calls:
            call(structlog.get_logger())
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("kind", FORMS)
def test_no_form_of_a_key_comes_out_of_the_log_wherever_it_stands(kind: str, form: str) -> None:
    text = FORMS[kind]
    odd = type("Odd", (), {"__repr__": lambda _: f"<Odd {text}>"})()

    def fail(log: Any) -> None:
        try:
            raise ValueError(f"can't read {text}")
        except ValueError:
            log.exception("it failed")

    out = "\n".join(
        logged(
            lambda log: log.info(f"read {text} now"), lambda log: log.info("read", of=text),
            lambda log: log.info("read", inner={"a": [text, {"b": (text,)}]}), lambda log: log.info("read", odd=odd),
            lambda log: log.info("read", array=list(bytes(KEY)), raw=bytes(KEY)), lambda log: log.info("read", **{text: 1}),
            lambda _: logging.getLogger("bmv.x").warning("read %s", text), fail, form=form,
        )
    )  # fmt: skip

    flat = "".join(out.split())
    assert "".join(text.split()) not in flat
    assert json.dumps(list(bytes(KEY)), separators=(",", ":"))[1:-1] not in flat
    assert "hunter" not in flat
    assert out.count("***") >= 7
    assert "ValueError" in out


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_of_a_url_or_a_setting_comes_out_of_the_log(form: str) -> None:
    canary = "c4n4ry-0123456789"
    mask = Masked([f"https://rpc.example/?api-key={canary}"])

    out = logged(
        lambda log: log.info(f"https://me:{canary}@rpc.example is down"),
        lambda log: log.info("down", url=f"wss://rpc.example/?token={canary}"),
        lambda log: log.info("down", dsn=f"postgresql://me:{canary}@db/bmv", more=[f"host=db password={canary}"]),
        lambda log: log.info("read", passphrase=canary, api_key=canary, auth_token=canary, inner={"secret": [canary]}),
        lambda log: log.info(f"it said {canary}, without the URL around it"),
        form=form,
        mask=mask,
    )

    assert len(out) == 5
    assert all("***" in line for line in out)
    assert canary not in "".join(out)


@given(st.integers(0, 2**32))
def test_signatures_and_addresses_stay_readable_and_the_key_that_made_them_does_not(number: int) -> None:
    key = Keypair.from_seed(number.to_bytes(32, "little"))
    signature, address = str(key.sign_message(b"m")), str(key.pubkey())

    assert mask_keys(f"{signature} by {address}") == f"{signature} by {address}"
    assert mask_keys(f"by {base58.b58encode(bytes(key)).decode()}!") == "by ***!"


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary() | st.sets(st.integers()),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_whatever_is_logged_is_made_a_line_of_json(event: dict[str, Any]) -> None:
    import orjson

    line = orjson.dumps(Masker(mask_text)(event))

    assert isinstance(orjson.loads(line), dict)
    assert b"\n" not in line


def test_what_can_not_be_shown_is_said_and_a_long_text_is_cut_after_it_was_masked() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    circle: list[Any] = []
    circle.append(circle)
    masked = Masker(mask_text)({"broken": Broken(), "circle": circle, "long": "x " * TEXT_MAX, "huge": 2**70})

    assert masked["broken"] == "<Broken, whose repr raises RuntimeError>"
    assert masked["long"].endswith(f"… ({2 * TEXT_MAX} characters)")
    assert masked["huge"] == str(2**70)
    assert "..." in str(masked["circle"])


def test_a_secret_beside_another_one_is_masked_as_well() -> None:
    masked = Masker(mask_text)({"of": [{"password": "hunter2"}, "https://me:hunter2@h/", MNEMONIC.split(), [5, 6]]})

    assert masked == {"of": [{"password": "***"}, "https://me:***@h/", "***", [5, 6]]}


def test_a_line_says_when_how_grave_and_what_and_an_exception_shows_no_variables() -> None:
    def fail(log: Any) -> None:
        secret_in_a_variable = "hunter2-in-a-variable"
        try:
            raise KeyError("x")
        except KeyError:
            log.error("it failed", exc_info=True, slot=5)
        assert secret_in_a_variable

    (line,) = logged(fail)
    table = json.loads(line)

    assert list(table)[:3] == ["time", "level", "event"]
    assert (table["level"], table["event"], table["slot"]) == ("error", "it failed", 5)
    assert table["time"].endswith("+00:00")
    assert "KeyError: 'x'" in table["exception"]
    assert "hunter2-in" not in line


def test_a_terminal_is_given_no_signs_to_obey() -> None:
    lines = logged(lambda log: log.info("a\x1b[2Jb\nc", market="SOL\x1b]0;x\x07\n"), form="console")

    assert len(lines) == 1
    assert lines[0].endswith("info     a?[2Jb?c  market=SOL?]0;x??")


def test_a_pipe_that_nobody_reads_holds_up_nobody_and_what_was_dropped_is_counted_and_told() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    told = list[str]()

    def read_on() -> None:
        with os.fdopen(reading) as pipe:
            told.extend(pipe)

    reader = threading.Thread(target=read_on)
    with Logs(stream, mask_text, lines_max=50) as logs:
        for number in range(5_000):
            structlog.get_logger().info("x" * 200, number=number)
        dropped = logs.dropped
        reader.start()
        while logs._waiting.qsize():
            pass
        structlog.get_logger().info("the last")
    stream.close()
    reader.join()

    tables = [json.loads(line) for line in told]
    assert dropped > 4_000
    assert sum(table.get("lines", 0) for table in tables) == dropped
    assert len([table for table in tables if "number" in table]) == 5_000 - dropped
    assert tables[-1]["event"] == "the last"


def test_a_session_ends_though_nobody_takes_its_lines() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")

    with Logs(stream, mask_text, lines_max=10) as logs:
        for _ in range(500):
            structlog.get_logger().info("x" * 1_000)

    assert logs.dropped > 300
    os.close(reading)  # Its thread ends with a broken pipe.
    logs._thread.join()
    with suppress(BrokenPipeError):
        stream.close()


def test_a_stream_that_breaks_ends_nothing(tmp_path: Path) -> None:
    stream = (tmp_path / "log").open("w")
    stream.close()

    with Logs(stream, mask_text) as logs:
        structlog.get_logger().info("nobody hears it")

    assert (logs.written, logs.failed) == (0, 1)


def test_what_modules_tell_logging_is_in_the_log_and_the_loggers_are_given_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logging.getLogger("bmv")
    before = log.handlers, log.level, log.propagate

    lines = logged(
        lambda _: logging.getLogger("bmv.adapters.x").warning("slot %s", 5), lambda _: log.debug("not this"),
        lambda _: logging.getLogger("bmv.y").error("two %s %s", 1), lambda log: log.debug("nor this"),
    )  # fmt: skip

    assert [json.loads(line)["event"] for line in lines] == ["slot 5", "two %s %s"]
    assert json.loads(lines[0])["logger"] == "bmv.adapters.x"
    assert (log.handlers, log.level, log.propagate) == before
    assert not structlog.is_configured()
    assert capsys.readouterr() == ("", "")


def test_a_level_below_the_least_costs_no_line() -> None:
    stream = io.StringIO()
    with Logs(stream, mask_text, level="warning"):
        structlog.get_logger().info("not this")
        structlog.get_logger().warning("this")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["this"]
    assert sys.exc_info() == (None, None, None)
