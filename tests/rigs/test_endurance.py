"""The rig of long sessions, in short."""

import asyncio
from itertools import islice
from pathlib import Path

from tests.rigs.endurance import Taken, looped, paper, verdict

from bmv.adapters.cli.main import main
from bmv.ports.messages import Event, Kind

FLAT = [Taken(60.0 * n, 100.0, 9, 3, 20) for n in range(12)]


def test_what_stays_as_it_was_is_no_leak_and_what_grows_is_named() -> None:
    assert verdict(FLAT) == []
    assert verdict([*FLAT[:3], *(one._replace(mb=one.mb + 2 * one.second / 60) for one in FLAT[3:])]) == [
        "memory grew by 14.0 MB in 7.0 minutes"
    ]
    assert verdict([one._replace(tasks=9 + n) for n, one in enumerate(FLAT)]) == ["tasks: 16 at most before, 20 later"]
    assert verdict(FLAT[:2]) != []


def test_what_a_session_takes_at_first_is_no_leak() -> None:
    assert verdict([one._replace(mb=40.0 + 20 * n) if n < 3 else one for n, one in enumerate(FLAT)]) == []


def test_a_tape_is_played_again_and_again_each_time_later() -> None:
    rows = [Event(Kind.TRADE, ts_ns, price=5) for ts_ns in (1, 4)]

    played = [row.ts_ns for row in islice(looped(lambda: iter(rows), 10), 5)]

    assert played == [1, 4, 11, 14, 21]


def test_a_session_on_paper_is_watched_until_it_stops(tmp_path: Path) -> None:
    assert main(["data", "synth", str(tmp_path / "lake"), "--seed", "3", "--rows", "300"]) == 0

    watch = asyncio.run(paper(tmp_path, 1.0, 20.0))

    assert watch.counts
    assert all(one.mb > 10 and one.tasks > 1 and one.files > 3 for one in watch.counts)
