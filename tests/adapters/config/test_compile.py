"""What the core is told, in whole numbers."""

from pathlib import Path

import numpy as np
import pytest

from bmv.adapters.config import compile, load
from bmv.adapters.sim.params import LATENCY_RANDOM
from bmv.core.params import PIVOT_GRID
from bmv.ports.errors import ConfigError


def test_every_unit_is_turned(good: Path) -> None:
    sets = ["pivot.window_s=0.1", "risk.breaker={halt_pct=2.5, max_loss=10}", "requote.min_interval_ms=0.5"]
    config = load(good, [*sets, "inventory.price_skew_bps=5", "risk.max_order_notional=1.5"], {})
    market = compile.market(config)

    p = compile.params(config, market)

    assert (p.half, p.min_size, p.maker_fee_e8, p.taker_fee_e8) == (5, 1, -5000, 40_000)
    assert (p.window_ns, p.min_interval_ns, p.max_age_ns) == (100_000_000, 500_000, 0)
    assert (p.start_position, p.target, p.max_position) == (10_000, 10_000, 5_000)
    assert (p.start_cash, p.max_order_notional, p.max_loss) == (2_000_000_000, 1_500_000, 10_000_000)
    assert (p.halt_ppm, p.warn_ppm, p.max_open_orders, p.strategy) == (25_000, 0, 128, PIVOT_GRID)
    assert p.price_skew == 0.0005


def test_the_ladder_is_the_one_of_the_formula(good: Path) -> None:
    config = load(good, (), {})

    rungs = compile.rungs(config, compile.market(config))

    assert rungs[0, :3].tolist() == [[0.0010, 1000.0], [0.0015, 2000.0], [0.0025, 4000.0]]
    assert rungs[1, 0].tolist() == [0.0010, 1500.0]
    assert not rungs[0, 3:].any()
    assert not rungs[1, 1:].any()


def test_a_venue_has_its_own_cap_of_open_orders(good: Path) -> None:
    assert compile.max_open_orders(load(good, ["market.venue=openbook-v2"], {})) == 24
    assert compile.max_open_orders(load(good, ["market.venue=openbook-v1"], {})) == 128
    with pytest.raises(ConfigError, match="25 levels in all, but at most 24"):
        load(good, ["market.venue=openbook-v2", "grid.bid.levels=1", "grid.ask.levels=24"], {})


def test_the_median_and_the_99th_percentile_of_a_random_latency_are_those_asked_for(good: Path) -> None:
    config = load(good, ['simulation.entry_latency_ms={model="random", median_ms=20, p99_ms=100}'], {})

    entry = compile.venue(config, compile.market(config)).entry_quantiles

    assert entry.shape == (4096,)
    assert (np.diff(entry) >= 0).all()
    assert np.median(entry) == pytest.approx(20e6, rel=1e-3)
    assert np.quantile(entry, 0.99) == pytest.approx(100e6, rel=1e-2)


def test_a_landing_latency_is_drawn_from_the_model_by_the_seed_and_a_tip_shortens_it(good: Path) -> None:
    def table(tip: int, seed: int = 1) -> list[int]:
        delay = f'simulation.entry_latency_ms={{model="landing", tip_lamports={tip}}}'
        config = load(good, [delay, f"simulation.seed={seed}"], {})
        made = compile.venue(config, compile.market(config))
        assert made.entry_model == LATENCY_RANDOM
        return made.entry_quantiles.tolist()

    free, small, large = table(0), table(1_000), table(50_000)

    assert free[0] > 2 * 200e6
    assert free[-1] <= 3 * 200e6, "a node takes two slots, and the rest of the one in which it was decided"
    assert np.mean(large) < np.mean(small)
    assert np.median(large) < np.median(free)
    assert max(large) <= 11 * 200e6, "after eight slots a node has it too"
    assert large == table(50_000) == sorted(large) != table(50_000, seed=2)


def test_a_recorded_latency_is_read_from_csv(good: Path) -> None:
    file = good.parent / "latency.csv"
    file.write_text("ts_ns,latency_ms\n1000,1.5\n2000,0.25\n")
    good.write_text(good.read_text() + '[simulation]\nentry_latency_ms = {model="recorded", file="latency.csv"}\n')

    config = load(good, (), {})
    tables = compile.venue(config, compile.market(config))

    assert tables.entry_recorded[: tables.n_entry_recorded].tolist() == [[1000, 1_500_000], [2000, 250_000]]
    assert tables.n_response_recorded == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ts_ns,latency_ms\n1,1\n2,1\n2,1\n", r"strictly ascending \(ns\), found 2 after 2"),
        ("ts_ns,latency_ms\n", "at least one row"),
        ("ts_ns,latency_ms\n1,-1\n", r"from 0 to 3600000 \(ms\), found -1"),
        ("ts_ns,latency_ms\n1,nan\n", r"from 0 to 3600000 \(ms\), found nan"),
        ("ts_ns,latency_ms\n1,\n", "no empty ts_ns or latency_ms, found 1"),
        ("ts,latency_ms\n1,1\n", "expected CSV or Parquet"),
        ("", "expected CSV or Parquet"),
        (None, "expected CSV or Parquet"),
    ],
)
def test_a_bad_recording_is_refused(good: Path, text: str | None, told: str) -> None:
    file = good.parent / "latency.csv"
    if text is not None:
        file.write_text(text)
    config = load(good, [f'simulation.entry_latency_ms={{model="recorded", file="{file}"}}'], {})

    with pytest.raises(ConfigError, match=told):
        compile.venue(config, compile.market(config))


@pytest.mark.parametrize("key", ["pivot.reference_weight=0.5", "pivot.max_deviation_bps=5", "risk.max_reference_bps=5"])
def test_a_key_that_needs_a_reference_price_is_refused_for_a_tape(good: Path, key: str) -> None:
    compile.refuse_without_reference(load(good, (), {}))

    with pytest.raises(ConfigError, match=key.partition("=")[0]):
        compile.refuse_without_reference(load(good, [key], {}))
