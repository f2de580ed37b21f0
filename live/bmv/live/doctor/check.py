"""A line of the doctor's: what was looked at, how it is, what was found, what to do."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from bmv.adapters.solana.errors import EndpointError, Json
from bmv.ports.errors import BmvError, ConfigError, Refused

SEVERITY = (EndpointError, Refused, ConfigError)  # The first of these among what is wrong gives the exit code.


class State(StrEnum):
    """How what was looked at is."""

    OK = "ok"
    NOTE = "note"  # Nothing is refused for it, and an operator should know.
    WRONG = "wrong"
    UNKNOWN = "unknown"  # It could not be told.


class Check(NamedTuple):
    """One thing that was looked at.

    Args:
        name: What it is.
        state: How it is.
        found: What was found, in one sentence.
        advice: What to do; "": nothing.
        error: Why it matters, where it is wrong: `Refused`: trading would be unsafe; `ConfigError`: the configuration
            is at fault; `EndpointError`: there is nothing to trade through.
    """

    name: str
    state: State
    found: str
    advice: str = ""
    error: type[BmvError] = Refused


def exit_code(checks: Sequence[Check]) -> int:
    """Return how the command ends.

    >>> exit_code([Check("disk", State.NOTE, "little is free"), Check("crank", State.UNKNOWN, "nobody knows")])
    0
    >>> exit_code([Check("crank", State.WRONG, "it stands still"), Check("wallet", State.WRONG, "", "", ConfigError)])
    5
    """
    errors = {check.error for check in checks if check.state is State.WRONG}
    return next((error.exit_code for error in SEVERITY if error in errors), 0)


def checks_json(checks: Sequence[Check]) -> Json:
    """Return the lines as JSON; `ok` is whether nothing is wrong."""
    rows = [{"name": one.name, "state": str(one.state), "found": one.found, "advice": one.advice} for one in checks]
    return {"ok": exit_code(checks) == 0, "checks": rows}
