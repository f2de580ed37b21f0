"""Digests of fixed seeds, kept: a change of them is a change of what the engine says, and must be meant.

Renew them with `python tests/parity/test_golden.py` and say in the commit why they changed.
"""

import json
from pathlib import Path

import pytest

from bmv.adapters.config import load
from bmv.backtest import Backtest
from bmv.data.ticks.synth.synth import BENIGN, synth

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors" / "digests.json"
ROWS = 20_000
CASES = {
    "demo": (1, ()),
    "back of the queue, constant latency": (
        2,
        ("simulation.queue=back", "simulation.entry_latency_ms=5", "simulation.response_latency_ms=5"),
    ),
    "log queue, no interval, small limits": (
        3,
        (
            "simulation.queue=log",
            "requote.min_interval_ms=0",
            "risk.max_orders_per_minute=30",
            "requote.fill_delay_s=0",
        ),
    ),
    "breaker": (4, ("risk.breaker.warn_pct=0.01", "risk.breaker.reduce_pct=0.02", "risk.breaker.halt_pct=0.05")),
}


def digest(name: str, folder: Path) -> str:
    seed, sets = CASES[name]
    tape = synth(folder / str(seed), seed=seed, rows=ROWS, shape=BENIGN)
    return Backtest(load(ROOT / "docs" / "examples" / "demo.toml", sets, {}), tape).run().digest


@pytest.mark.parametrize("name", CASES)
def test_a_fixed_seed_says_the_same_words_as_ever(name: str, tmp_path: Path) -> None:
    kept = json.loads(VECTORS.read_text("utf-8"))

    assert digest(name, tmp_path) == kept[name]


def test_no_two_of_the_kept_digests_are_alike() -> None:
    kept = json.loads(VECTORS.read_text("utf-8"))

    assert set(kept) == set(CASES)
    assert len(set(kept.values())) == len(CASES)


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        found = {name: digest(name, Path(folder)) for name in CASES}
    VECTORS.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
