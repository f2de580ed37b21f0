"""`python -m bmv.adapters.cli` is the command `bmv`."""

from bmv.adapters.cli.main import run

run()
