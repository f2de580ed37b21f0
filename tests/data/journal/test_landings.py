"""How transactions landed and what a session paid, by the words of a journal."""

from dataclasses import replace
from fractions import Fraction
from random import Random

from bmv.data.journal.attempts import Attempted, Fated
from bmv.data.journal.costs import ChainCosts, chain_costs, rent_note
from bmv.data.journal.landing_page import SAMPLES_MIN, SHOWN, SPANS_MAX, landings_json, next_step_json
from bmv.data.journal.landings import Landings
from bmv.ports.messages import Event, Kind
from bmv.ports.storage import Word

BASE = 5_000


def attempt(name: str, places: int = 0, cancels: int = 0, tip: int = 0, priority: int = 0, **more: object) -> Attempted:
    return Attempted(
        signature=name,
        transaction=b"\x01" * 900,
        last_height=9,
        ways=("jito", "rpc"),
        epoch=1,
        urgent=not places,
        places=tuple((number, number) for number in range(1, places + 1)),
        cancels=tuple(range(101, 101 + cancels)),
        lamports=BASE + tip + priority,
        tip=tip,
        tip_route="jito" if tip else "",
        priority=priority,
        **{"units": 250_000, "purpose": "recentre", "slot": 1_000, "next_tip": 0, **more},  # type: ignore[arg-type]
    )


def fate(name: str, state: str, slot: int | None = None, *handed: str) -> Fated:
    more: dict[str, object] = {} if slot is None else {"slot": slot, "commitment": "finalized"}
    return Fated(name, state, {**more, "handed": dict.fromkeys(handed, 1)} if handed else more)


def told(*words: Attempted | Fated | Word, at: int = 5) -> list[Word]:
    return [word.note(at) if isinstance(word, Attempted | Fated) else word for word in words]


WORDS = told(
    attempt("a", places=3, tip=10_000, priority=7),
    fate("a", "landed", 1_002, "jito"),
    fate("a", "finalized", 1_002, "jito"),
    attempt("b", places=1, tip=20_000),
    fate("b", "failed", 1_009, "jito", "rpc"),
    attempt("c", cancels=2, purpose="cancel"),
    fate("c", "finalized", 1_001, "rpc"),
    attempt("d", places=1, tip=9_000),
    fate("d", "expired"),
    attempt("e", tip=1_000),
    Event(Kind.FILLED, 6, order=1, size=1),
    Event(Kind.FILLED, 7, order=2, size=1),
    rent_note(8, 1_488_440, "us"),
    rent_note(9, -400_000, "us"),
)


def test_a_failed_transaction_costs_no_tip_and_one_that_never_landed_nothing() -> None:
    costs = chain_costs(WORDS)

    assert (costs.base, costs.priority, costs.tips) == (3 * BASE, 7, 10_000)
    assert (costs.rent_out, costs.rent_in) == (1_488_440, 400_000)
    assert costs.pending == BASE + 1_000
    assert costs.lamports == 25_007 + 1_488_440 - 400_000
    assert (costs.orders, costs.fills, costs.transactions) == (3, 2, 3)


def test_what_orders_cost_adds_up_to_the_lamport() -> None:
    costs = chain_costs(WORDS)

    assert costs.by_order[101] == costs.by_order[102] == 2_500
    assert costs.by_order[1] - costs.by_order[3] == 5_000 + 1
    assert sum(costs.by_order.values()) + costs.others == costs.fees


def test_costs_of_random_sessions_add_up_over_orders() -> None:
    dice, words, paid = Random(4), list[Word](), 0
    for number in range(300):
        one = attempt(
            str(number),
            dice.randint(0, 5),
            dice.randint(0, 3),
            tip=dice.choice([0, 1_000, 777]),
            priority=dice.randint(0, 999),
        )
        state = dice.choice(["finalized", "failed", "expired"])
        words += told(one, fate(str(number), state, 1_000 + number))
        paid += {"finalized": one.lamports, "failed": one.lamports - one.tip, "expired": 0}[state]

    costs = chain_costs(words)

    assert costs.lamports == paid == sum(costs.by_order.values()) + costs.others, "dice of 4"


def test_money_is_told_in_quote_at_the_rate_that_is_named_and_rounded_against_us() -> None:
    costs = chain_costs(WORDS)
    page = costs.to_json(Fraction(150))

    assert page["quote_per_sol"] == "150"
    assert page["quote"] == f"{costs.lamports * 150 / 10**9:.9f}"
    assert costs.in_quanta(Fraction(150 * 10**6)) == -(-costs.lamports * 150 * 10**6 // 10**9)
    assert costs.to_json()["quote"] is None


def test_the_parts_of_what_was_paid_sum_to_all_of_it_in_whole_quanta() -> None:
    dice = Random(7)
    for _ in range(200):
        parts = (dice.randrange(10**7) for _ in range(5))
        costs = ChainCosts(*parts)
        rate = Fraction(dice.randrange(1, 10**9), dice.randrange(1, 1_000))

        terms = costs.terms(rate)

        assert sum(terms.values()) == -costs.in_quanta(rate), "dice of 7"
        assert all(abs(terms[name] - exact * rate / 10**9) < 1 for name, exact in
                   (("tips", -costs.tips), ("rent_in", costs.rent_in)))  # fmt: skip


def test_landings_are_told_by_the_routes_that_had_them_before_they_landed() -> None:
    landings = Landings()
    landings.take(WORDS)
    page = landings_json(landings, rows=True)

    assert (page["sent"], page["landed"], page["failed"], page["expired"]) == (4, 2, 1, 1)
    assert page["by_route"]["jito"]["slots_median"] == 2
    assert page["by_route"]["jito+rpc"]["failed"] == 1
    assert page["by_route"]["rpc"]["landed"] == 1
    assert page["by_purpose"]["cancel"]["tips"] == 0
    assert page["lamports"] == 25_007
    assert page["lamports_per_fill"] == round(25_007 / 2, 1)
    assert (page["by_route"]["jito"]["fills"], page["by_route"]["jito+rpc"]["fills"]) == (1, 1), (
        "by who placed the order last"
    )
    assert (page["by_window"]["same window"]["sent"], page["by_window"]["in no block"]["expired"]) == (2, 1)
    assert {row["signature"]: row["window"] for row in page["transactions"]}["a"] == 250


def test_steps_of_the_tip_and_spans_of_windows_hold_each_transaction_once() -> None:
    dice, landings = Random(5), Landings()
    for number in range(500):
        one = attempt(str(number), places=1, tip=dice.choice([0, 1_000, 1_001, 30_000, dice.randrange(90_000)]))
        state = dice.choice(["finalized", "finalized", "failed", "expired", "forgotten"])
        slot = None if state in ("expired", "forgotten") else 1_000 + number * 3 + dice.randrange(30)
        landings.take(told(replace(one, slot=1_000 + number * 3), fate(str(number), state, slot, "jito"), at=number))
    page = landings_json(landings)

    for step in page["by_tip"]:
        assert sum(step["pace"]) == step["sent"]
    assert (
        sum(step["sent"] for step in page["by_tip"]) == sum(each["sent"] for each in page["by_window"].values()) == 500
    )
    assert [step["from"] for step in page["by_tip"]] == sorted(step["from"] for step in page["by_tip"])
    assert len(page["spans"]) <= SPANS_MAX
    assert sum(span[end] for span in page["spans"] for end in SHOWN) == 500
    assert sum(map(sum, page["slots"].values())) == page["landed"]


def test_what_is_told_in_two_sessions_counts_once_and_what_was_before_not() -> None:
    landings = Landings(since_ns=10)
    landings.take([*WORDS, *told(attempt("z", places=1), fate("z", "finalized", 1_003), at=20)])
    landings.take(told(attempt("z", places=1), fate("z", "finalized", 1_003), at=30))

    assert list(landings.ended) == ["z"]
    assert landings.fills == 0


def test_what_the_next_tip_buys_is_told_where_enough_have_tipped_so_much_and_unknown_elsewhere() -> None:
    landings = Landings()
    for number in range(2 * SAMPLES_MIN):
        dear = number % 2
        name = str(number)
        landings.take(told(attempt(name, places=1, tip=40_000 if dear else 10_000, next_tip=40_000)))
        landings.take(
            told(fate(name, "finalized" if dear or number % 4 else "expired", 1_001 + 3 * (1 - dear), "jito"))
        )
    known = next_step_json(list(landings.ended.values()))
    unknown = next_step_json(list(landings.ended.values())[:SAMPLES_MIN])

    assert known is not None
    assert (known["share_now"], known["share_then"]) == (0.5, 1.0)
    assert unknown is not None
    assert unknown["share_then"] is None
    assert next_step_json([]) is None
