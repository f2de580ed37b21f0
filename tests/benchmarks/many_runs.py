"""A script: sweep a small tape, and print the resident memory (MB) after so many trials and after so many more."""

import sys
from itertools import count
from pathlib import Path

from bmv.adapters.config import load
from bmv.backtest.sweep import api
from bmv.backtest.sweep.trials.row import TrialRow
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
    plan = api.make_plan(
        load(maker, sets), ["grid.bid.first_bps=1:20", "grid.ask.first_bps=1:20"], [str(place / "lake")]
    )
    found, done = dict[int, float](), count(1)

    class Measuring(api.Monitor):
        def trial(self, row: TrialRow) -> None:
            if (number := next(done)) in (int(few), int(many)):
                found[number] = resident_mb()

    api.begin(place / "sweep", plan)
    api.run(place / "sweep", plan, monitor=Measuring(), report=False)
    print(*found.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
