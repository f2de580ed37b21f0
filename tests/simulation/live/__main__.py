"""`bmv live` in a simulated world: real service and adapters, time that jumps, and everything going wrong, by seed.

    python -m tests.simulation.live run --seeds 0:100 [--jobs N] [--only KIND]… [--verbose]
    python -m tests.simulation.live determinism --seeds 0:10
    python -m tests.simulation.live mutants [NAME]…

What is simulated and what is not is said in docs/seeds.md.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter

from tests.simulation.live.campaign import Table, run
from tests.simulation.live.faults import KINDS
from tests.simulation.live.seed import hand_of


def main() -> int:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parsers = parser.add_subparsers(dest="command", required=True)
    one = parsers.add_parser("run", help="play seeds, and say what is wrong")
    one.add_argument("--seeds", type=span, default=range(100), metavar="A:B")
    one.add_argument("--jobs", type=int, default=1)
    one.add_argument("--only", action="append", choices=sorted(KINDS), help="faults, in place of what is dealt")
    one.add_argument("--verbose", action="store_true")
    one.add_argument("--coverage", action="store_true", help="fail unless every kind of fault struck")
    one.add_argument("--heads", action="store_true", help="print the last hash of each session's words")
    one.set_defaults(do=run_seeds)
    two = parsers.add_parser("determinism", help="play seeds in two processes, and compare their journals")
    two.add_argument("--seeds", type=span, default=range(10), metavar="A:B")
    two.set_defaults(do=compare)
    three = parsers.add_parser("mutants", help="plant bugs, and see each of them found")
    three.add_argument("names", nargs="*")
    three.add_argument("--seeds", type=span, default=range(100), metavar="A:B")
    three.set_defaults(do=mutants)
    asked = parser.parse_args()
    logging.getLogger("bmv").addHandler(logging.NullHandler())
    logging.getLogger("bmv").propagate = False
    return int(asked.do(asked))


def span(text: str) -> range:
    """Return the seeds of `A:B`, or of one."""
    first, _, last = text.partition(":")
    return range(int(first), int(last) if last else int(first) + 1)


def run_seeds(asked: argparse.Namespace) -> int:
    """Play seeds, and print what came of them."""
    table, began_s, ended = Table(), time.monotonic(), Counter[str]()
    hands = (lambda seed: list(asked.only)) if asked.only else hand_of
    for report in run(asked.seeds, asked.jobs, hands, say=print if asked.verbose else None):
        table.reports.append(report)
        ended += report.ended
        for text in report.wrong:
            print(f"seed {report.seed} ({', '.join(hands(report.seed))}): {text}")
        if asked.verbose:
            print(report)
        if asked.heads:
            print(json.dumps([report.seed, report.heads]))
    missed = sorted(set(KINDS) - set(table.fired)) if asked.coverage else []
    if not asked.heads:
        counts = sum((report.counts for report in table.reports), Counter[str]())
        print(f"struck: {', '.join(f'{name} {count}' for name, count in sorted(table.fired.items()))}")
        print(f"{dict(counts)}; processes ended: {dict(ended)}")
        print(
            f"{len(table.reports)} seeds, {table.virtual_s / 60:.1f} minutes of theirs in {time.monotonic() - began_s:.0f} s;"
            f" {len(table.wrong)} of them wrong"
        )
    if missed:
        print(f"never struck: {', '.join(missed)}")
    return bool(table.wrong or missed)


def compare(asked: argparse.Namespace) -> int:
    """Play the same seeds in two processes whose hashes differ, and compare what was kept."""
    found = list[str]()
    for number in (1, 2):
        words = [sys.executable, "-m", "tests.simulation.live", "run", "--heads", "--seeds"]
        words.append(f"{asked.seeds.start}:{asked.seeds.stop}")
        environment = {**os.environ, "PYTHONHASHSEED": str(number)}
        found.append(subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=False).stdout)
    differ = [one for one, other in zip(*(text.splitlines() for text in found), strict=True) if one != other]
    print("\n".join(differ) or f"{len(asked.seeds)} seeds: the same journals, byte for byte")
    return bool(differ) or not found[0]


def mutants(asked: argparse.Namespace) -> int:
    """Plant bugs one by one, and say which seed finds each."""
    from tests.simulation.live.mutants import MUTANTS, caught

    missed = list[str]()
    for name in asked.names or MUTANTS:
        began_s = time.monotonic()
        seed, wrong = caught(name, asked.seeds)
        if seed is None:
            missed.append(name)
        said = "NOT FOUND" if seed is None else f"found by seed {seed}: {wrong[0]:.150}"
        print(f"{name:<24} {said} ({time.monotonic() - began_s:.0f} s)", flush=True)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
