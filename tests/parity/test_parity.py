"""Whatever the tape and the configuration, the compiled loop says the same words as the ports.

Two runs must agree in digest, tables, counts, money, and every number of the engine and the venue: over tapes and
configurations by chance, of which what occurred in them is counted, and over scenes made so that what seldom happens
does happen.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl
import pytest
from chance import SECOND, START_NS, cases
from hypothesis import HealthCheck, given, settings
from restless import COMPILED_STRATEGIES
from scenarios import SCENES, case
from twins import Case, MemoryTape, differences, fused, reference

from bmv.data.runs.outcome import Outcome
from bmv.ports.messages import Event, Intent, Kind, Verb

EXAMPLES = 200
QUEUES = ["front", "back", "power", "log"]
OCCURRED: Counter[str] = Counter()
DIGESTS: dict[str, tuple[int, ...]] = {}  # Of single rows.


@settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(cases())
def test_both_engines_say_the_same_words(case: Case) -> None:
    through_ports, words = reference(case.config, case.tape, case.strategy)

    compiled = fused(case.config, case.tape, case.strategy)

    assert "\n".join(differences(through_ports, compiled)) == ""
    OCCURRED["a run"] += 1
    OCCURRED.update(set(occurrences(case, through_ports.outcome, words)))


@pytest.mark.parametrize(
    "occurrence",  # What is rarer than these has its scene below.
    [
        "filled by print", "filled in part", "done filled", "done cancelled", "done end", "woken by a timer", "seeded",
        "reduced", "all cancelled with one word", "refused position", "refused balance", "refused no_pivot",
    ],
)  # fmt: skip
def test_the_random_runs_were_not_vacuous(occurrence: str) -> None:
    if OCCURRED["a run"] < EXAMPLES:
        pytest.skip("the random runs did not all take place")

    assert OCCURRED[occurrence] > 0, f"in {OCCURRED['a run']} runs it never was so: {occurrence}"


@pytest.mark.parametrize("name", SCENES)
def test_both_engines_play_a_scene_alike(name: str) -> None:
    scene = case(name)
    through_ports, words = reference(scene.config, scene.tape, scene.strategy)

    compiled = fused(scene.config, scene.tape, scene.strategy)

    assert "\n".join(differences(through_ports, compiled)) == ""
    assert SCENES[name].occurs - set(occurrences(scene, through_ports.outcome, words)) == set()


def test_the_queue_models_differ_where_queues_decide() -> None:
    scenes = [case(f"queue {queue}") for queue in QUEUES]

    digests = {fused(scene.config, scene.tape, scene.strategy).outcome.digest for scene in scenes}

    assert len(digests) == len(QUEUES)


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
@pytest.mark.parametrize("name", ["prints and quotes fill", "late", "depth", "a strategy in plain Python"])
def test_the_size_of_a_batch_changes_nothing(name: str, batch_rows: int) -> None:
    whole = case(name, length=1500)
    parts = case(name, length=1500, batch_rows=batch_rows)

    one, other = (fused(each.config, each.tape, each.strategy) for each in (whole, parts))

    assert "\n".join(differences(one, other)) == ""


@pytest.mark.parametrize("name", ["prints and quotes fill", "a strategy in machine code"])
def test_the_reference_run_hears_no_difference_between_batches_either(name: str) -> None:
    whole, parts = case(name), case(name, batch_rows=3)

    one, other = (reference(each.config, each.tape, each.strategy)[0] for each in (whole, parts))

    assert "\n".join(differences(one, other)) == ""


@settings(max_examples=EXAMPLES // 2, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(cases(strategies=False))
def test_a_market_that_stands_still_is_left_alone(case: Case) -> None:
    case.settings["requote"].pop("max_age_s", None)
    rest_ns = case.rows[-1][0] + 1_800 * SECOND
    last_ns = rest_ns + 1_800 * SECOND
    rows = [*case.rows, (last_ns, *case.rows[-1][1:])]
    # The longest history is an hour: then its oldest trade leaves it, and the pivot moves though the market does not.
    until_ns = (case.seed or case.rows)[0][0] + 3_600 * SECOND

    outcome = fused(case.config, MemoryTape(case.seed, rows)).outcome

    late = outcome.orders.filter(pl.col("decided_ns").is_between(rest_ns, until_ns, closed="left"))
    assert late.is_empty()


@pytest.mark.parametrize("name", ["prints and quotes fill", "history that runs out", "a strategy in machine code"])
def test_how_often_the_equity_is_looked_at_decides_nothing(name: str) -> None:
    scene = case(name)

    often, seldom = (fused(scene.config, scene.tape, scene.strategy, sample_ns) for sample_ns in (10**6, 10**15))

    assert often.outcome.digest == seldom.outcome.digest
    assert often.outcome.pnl == seldom.outcome.pnl
    assert len(often.outcome.equity) > len(seldom.outcome.equity)


def test_a_run_is_the_same_each_time() -> None:
    scene = case("late by chance")

    one, other = (fused(scene.config, scene.tape) for _ in range(2))

    assert "\n".join(differences(one, other)) == ""


def test_the_seed_of_chance_is_what_makes_random_latencies() -> None:
    scene = case("late by chance")
    settings = scene.settings | {"simulation": scene.settings["simulation"] | {"seed": 2}}

    one = fused(scene.config, scene.tape)
    other = fused(Case(settings, scene.seed, scene.rows).config, scene.tape)

    assert one.outcome.digest != other.outcome.digest


@pytest.mark.parametrize(
    "changed",
    [
        (START_NS + 1, 1, 1, 10_000, 3, 0, 0, 0, 0), (START_NS, 1, -1, 10_000, 3, 0, 0, 0, 0),
        (START_NS, 1, 1, 10_001, 3, 0, 0, 0, 0), (START_NS, 1, 1, 10_000, 4, 0, 0, 0, 0),
        (START_NS, 2, 0, 0, 0, 9_999, 5, 10_001, 6), (START_NS, 2, 0, 0, 0, 9_998, 5, 10_001, 6),
        (START_NS, 2, 0, 0, 0, 9_999, 4, 10_001, 6), (START_NS, 2, 0, 0, 0, 9_999, 5, 10_002, 6),
        (START_NS, 2, 0, 0, 0, 9_999, 5, 10_001, 7), (START_NS, 3, 1, 9_999, 5, 0, 0, 0, 0),
        (START_NS, 3, -1, 9_999, 5, 0, 0, 0, 0), (START_NS, 3, 1, 9_998, 5, 0, 0, 0, 0),
        (START_NS, 3, 1, 9_999, 6, 0, 0, 0, 0),
    ],
)  # fmt: skip
def test_no_two_rows_have_one_digest(changed: tuple[int, ...]) -> None:
    config = case("prints and quotes fill").config
    plain = fused(config, Case({}, [], [(START_NS, 1, 1, 10_000, 3, 0, 0, 0, 0)]).tape).outcome.digest

    digest = fused(config, Case({}, [], [changed]).tape).outcome.digest

    assert digest != plain
    assert DIGESTS.setdefault(digest, changed) == changed


def occurrences(case: Case, outcome: Outcome, words: Sequence[Event | Intent]) -> Iterator[str]:
    """Yield what happened in a run."""
    orders, fills = outcome.orders, outcome.fills
    yield from (f"filled by {cause}" for cause in fills["cause"])
    yield from (f"done {done}" for done in orders["done"])
    yield from (f"refused {code}" for code in outcome.refusals)
    yield from (f"tripped by {cause}" for cause in outcome.breaker["cause"])
    yield from (("", "warned", "reduced", "halted")[tier] for tier in outcome.breaker["tier"])
    yield from (name for name in ("seeded",) if case.seed)
    yield from (name for name in ("depth",) if outcome.counts["depths"] and len(fills))
    if fills.join(orders, on="order_id").filter(pl.col("size_lots") < pl.col("size_lots_right")).height:
        yield "filled in part"
    cancelled = {word.order for word in words if isinstance(word, Intent) and word.verb == Verb.CANCEL}
    if cancelled & set(orders.filter(done="filled")["order_id"]):
        yield "a cancel lost its race"
    if any(isinstance(word, Intent) and word.verb == Verb.CANCEL_ALL for word in words):
        yield "all cancelled with one word"
    if any(isinstance(word, Event) and word.kind == Kind.TIMER for word in words):
        yield "woken by a timer"
    if case.strategy is None and len(fills.filter(level=-1)):
        yield "flattened"
    if case.strategy is not None and len(fills):
        yield f"a {'compiled' if case.strategy in COMPILED_STRATEGIES else 'plain'} strategy traded"
