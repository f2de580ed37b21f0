"""A script: sweep a small tape, and print the resident memory (MB) after so many trials and after so many more."""

import sys
from pathlib import Path
from typing import Any

from bmv.adapters.config import load
from bmv.backtest.sweep import api
from bmv.data.ticks.synth.synth import BENIGN, synth


def resident_mb() -> float:
    """Return the memory of this process that is resident now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))


def main(maker: str, folder: str, rows: str, few: str, many: str) -> None:
    """Run the sweep and print both figures."""
    place = Path(folder)
    synth(place / "lake", 5, int(rows), shape=BENIGN)
    sets = ["sweep.sampler=random", f"sweep.trials={many}", "data.equity_sample_s=1"]
    plan = api.planned(load(maker, sets), ["grid.bid.first_bps=1:20", "grid.ask.first_bps=1:20"], [str(place / "lake")])
    found, done = dict[int, float](), 0

    def told(what: str, content: dict[str, Any]) -> None:
        nonlocal done
        if what == "trial":
            done += 1
            if done in (int(few), int(many)):
                found[done] = resident_mb()

    api.begin(place / "sweep", plan)
    api.go_on(place / "sweep", plan, told=told, report=False)
    print(*found.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
