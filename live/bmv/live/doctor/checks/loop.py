"""Which event loop a session would run on."""

import sys

from bmv.live.doctor.check import Check, State
from bmv.live.eventloop import loop_name


def check_loop() -> Check:
    """Say which, and how to have the quicker one."""
    name = loop_name()
    if name.startswith("uvloop") or sys.platform == "win32":
        return Check("event loop", State.OK, name)
    return Check("event loop", State.NOTE, name, "`pip install uvloop`: it answers sooner")
