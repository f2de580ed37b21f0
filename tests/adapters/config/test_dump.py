"""A configuration written out is the same configuration."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bmv.adapters.config import build, digest, dump, load, masked
from bmv.adapters.config.dump import flat


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_subnormal=False)


def amounts(low: str, high: str) -> st.SearchStrategy[str]:
    return st.decimals(low, high, places=3).map(lambda each: f"{each:f}")


SIDE = st.fixed_dictionaries(
    {"levels": st.integers(1, 12), "total_size": amounts("500", "1000"), "first_bps": numbers(0, 50)},
    optional={"step_bps": numbers(0, 40), "step_ratio": numbers(0.5, 1.5), "size_ratio": numbers(0.7, 1.4)},
)
LATENCY = st.one_of(
    numbers(0, 1000),
    st.fixed_dictionaries({"model": st.just("random"), "median_ms": numbers(1, 10), "p99_ms": numbers(10, 100)}),
    st.fixed_dictionaries({"model": st.just("recorded"), "file": st.text(min_size=1)}),
)
CONFIGS = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "market": st.fixed_dictionaries(
            {
                "symbol": st.text(min_size=1, max_size=64),
                "tick_size": st.sampled_from(["0.01", "0.5", "0.00001"]),
                "lot_size": st.sampled_from(["0.001", "1"]),
                "maker_fee_bps": st.decimals(-10, 10, places=4),
                "taker_fee_bps": st.integers(0, 10),
            },
        ),
        "grid": st.fixed_dictionaries({"bid": SIDE, "ask": SIDE}),
        "inventory": st.fixed_dictionaries(
            {"start_base": st.integers(0, 100), "start_quote": amounts("1", "1e6"), "max_position": st.integers(1, 100)}
        ),
    },
    optional={
        "pivot": st.fixed_dictionaries({"window_s": numbers(0.001, 80_000)}),
        "risk": st.fixed_dictionaries(
            {}, optional={"max_orders_per_minute": st.integers(1, 4096), "min_sol": amounts("1", "2")}
        ),
        "simulation": st.fixed_dictionaries(
            {}, optional={"entry_latency_ms": LATENCY, "fill_on_quotes": st.booleans()}
        ),
        "live": st.fixed_dictionaries({"endpoints": st.lists(st.text())}),
        "sweep": st.fixed_dictionaries(
            {
                "parameters": st.dictionaries(
                    st.text(), st.one_of(st.lists(st.integers()), st.just({"low": 1, "high": 2.5, "log": True}))
                )
            }
        ),
    },
)


@given(CONFIGS)
def test_any_configuration_survives_being_written_and_read(sections: dict[str, Any]) -> None:
    config = build(**sections)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.resolved.toml"
        file.write_text(dump(config), encoding="utf-8", newline="")
        again = load(file, (), {})

    assert again == config
    assert dump(again) == dump(config)
    assert digest(again) == digest(config)


def test_the_hash_tells_values_and_not_their_spelling(good: Path) -> None:
    config = load(good, (), {})

    assert digest(load(good, ["market.tick_size='0.010'"], {})) == digest(config)
    assert digest(load(good, ["market.tick_size=0.02"], {})) != digest(config)


def test_what_a_url_hides_is_masked_before_it_is_shown_or_hashed(good: Path) -> None:
    config = load(good, ["live.endpoints=['https://rpc.example/?api-key=abc']"], {})

    assert "abc" in dump(config)
    assert "abc" not in dump(masked(config))
    assert "abc" not in str(flat(config))
    assert digest(config) == digest(masked(config))
