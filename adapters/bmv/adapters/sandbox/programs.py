"""OpenBook's programs on the chain: played by a double, or the genuine ones where their files are named."""

import os
from pathlib import Path

from bmv.adapters.openbook.v1.instructions import PROGRAM_ID as V1
from bmv.adapters.openbook.v2.codes import Build
from bmv.adapters.openbook.v2.market import PROGRAM_ID as V2
from bmv.adapters.sandbox.openbook_v1.program import OpenBookV1
from bmv.adapters.sandbox.openbook_v2.program import OpenBookV2
from bmv.adapters.sandbox.parts import Doubles
from bmv.ports.errors import ConfigError

VENUES = ("openbook-v1", "openbook-v2")
PROGRAMS = {"openbook-v1": V1, "openbook-v2": V2}
VARIABLES = {"openbook-v1": "BMV_OPENBOOK_V1_SO", "openbook-v2": "BMV_OPENBOOK_V2_SO"}


def install(runtime: Doubles, venue: str, build: Build) -> bool:
    """Put the program of a venue on the chain; return whether it is the genuine one, named by the environment.

    Args:
        build: Of version 2, which the double plays.
    """
    name = VARIABLES[venue]
    file = os.environ.get(name)
    if not file:
        runtime.play(OpenBookV1() if venue == "openbook-v1" else OpenBookV2(build))
        return False
    if not Path(file).is_file():
        raise ConfigError(f"{name}: expected the file of a compiled program, found none at {file}")
    try:
        runtime.svm.add_program_from_file(PROGRAMS[venue], Path(file))
    except Exception as error:  # solders raises a kind of its own.
        raise ConfigError(f"{name}: {file} is no program that the chain can load: {error}") from error
    return True
