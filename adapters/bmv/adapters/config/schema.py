"""Every key of the configuration file, with its unit, its range and what it is when it is not given.

One class is one table. The reference table in `docs/configuration.md`, the JSON schema and the messages about a wrong
value are all made from here.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from bmv.adapters.config.fields import Amount, Number, Section, key
from bmv.core.params import LEVELS_MAX, ORDERS_MAX, RATE_MAX

DAY_S = 86_400
ORDER_LIFE_S_MAX = 65_535  # OpenBook v2 counts no further.
ADDRESS = r"^[1-9A-HJ-NP-Za-km-z]{32,44}$"

REPLACED = {  # Keys of before, and what stands in their place; where units differ, nobody should have to guess.
    "live.priority_fee_cap": (
        "live.max_priority_fee_lamports took its place, in lamports for a whole transaction and no longer in"
        " micro-lamports for a compute unit"
    ),
    "live.jito.endpoint": 'a table [[live.routes]] of kind "jito" took its place',
}


class Contract(Section):
    """What a unit of size is where it is a contract and no coin."""

    size: Amount = key("Base in one contract (linear), or quote (inverse).", unit="base or quote", gt=0)
    payoff: Literal["linear", "inverse"] = key(
        "linear: worth size · price, in quote. inverse (coin-margined): worth size / price, and paid in base."
    )


CONTRACT_FORM = "{size, payoff}"


class Market(Section):
    """The instrument, and what it costs to trade it."""

    symbol: str = key("Name of the market, as the venue writes it.", min_length=1, max_length=64)
    tick_size: Amount = key("Smallest step of price.", unit="quote per base", gt=0)
    lot_size: Amount = key("Smallest step of size.", unit="base", gt=0)
    min_size: Amount | None = key("Smallest order the venue takes; one lot if absent.", None, unit="base", gt=0)
    maker_fee_bps: Amount = key(
        "Fee of a fill that made liquidity; negative is a rebate. Steps of 0.0001.", unit="bps", ge=-1000, le=1000
    )
    taker_fee_bps: Amount = key(
        "Fee of a fill that took liquidity; negative is a rebate. Steps of 0.0001.", unit="bps", ge=-1000, le=1000
    )
    venue: Literal["sim", "openbook-v1", "openbook-v2"] = key("Where the market is; says how many orders fit.", "sim")
    address: str | None = key(
        "Address of the market's account on the chain.", None, form="32 to 44 letters of base58", pattern=ADDRESS
    )
    quote_step: Amount = key(
        "Smallest step of quote that the venue books; an inverse contract is paid in steps of 0.00000001 base.",
        Decimal("0.000001"),
        unit="quote",
        gt=0,
    )
    contract: Contract | None = key(
        "What a unit of size is, if it is a contract: sizes, lots and positions are then numbers of contracts.",
        None,
        form=CONTRACT_FORM,
    )


class Pivot(Section):
    """The price everything is anchored to: a volume-weighted mean of a long and a short window of trades."""

    window_s: Number = key("Length of the short window.", 300.0, unit="s", ge=0.001, le=30 * DAY_S)
    history_s: Number = key(
        "Length of the long window; trades before the start fill it.", float(DAY_S), unit="s", ge=0.001, le=30 * DAY_S
    )
    reference_weight: Number = key(
        "Share of the outside reference price in the pivot; a backtest has none.", 0.0, unit="fraction", ge=0, le=1
    )
    max_deviation_bps: Number | None = key(
        "Quote nothing while the pivot is further than this from the reference; off if absent.",
        None,
        unit="bps",
        gt=0,
        le=10_000,
    )


class Side(Section):
    """The ladder of one side of the grid. Bids and asks carry their own."""

    levels: int = key("How many orders; 0 leaves this side empty.", 3, unit="orders", ge=0, le=LEVELS_MAX)
    first_bps: Number = key("Distance of the nearest level from the centre.", 10.0, unit="bps", ge=0, lt=10_000)
    step_bps: Number = key("Distance between the first level and the second.", 10.0, unit="bps", ge=0, lt=10_000)
    step_ratio: Number = key("Each further step is this many times the one before.", 1.0, unit="ratio", gt=0, le=100)
    total_size: Amount = key("Size of all levels together; needed unless levels = 0.", unit="base", ge=0)
    size_ratio: Number = key("Each level's size is this many times the nearer one's.", 1.0, unit="ratio", gt=0, le=100)

    @model_validator(mode="before")
    @classmethod
    def _an_empty_side_needs_no_size(cls, data: Any) -> Any:  # Any: whatever stood in the file.
        if isinstance(data, Mapping) and data.get("levels") == 0 and data.get("levels") is not False:
            return {"total_size": 0, **data}
        return data


class Grid(Section):
    """Both ladders."""

    bid: Side = key("The ladder below the centre.")
    ask: Side = key("The ladder above the centre.")


def with_empty_sides(grid: Any) -> Any:  # Any: whatever stood in the file.
    """Return the table `grid` with both sides; one that it leaves out has no levels."""
    return {"bid": {"levels": 0}, "ask": {"levels": 0}, **grid} if isinstance(grid, Mapping) else grid


class Inventory(Section):
    """What is held at the start, what is wanted, and how the grid leans towards it."""

    start_base: Amount = key("Base held at the start of a simulation.", Decimal(0), unit="base", ge=0)
    start_quote: Amount = key("Quote held at the start of a simulation.", Decimal(0), unit="quote", ge=0)
    target: Amount | None = key("Base that is wanted; start_base if absent.", None, unit="base", ge=0)
    max_position: Amount = key("Furthest the base held may go from the target, either way.", unit="base", gt=0)
    price_skew_bps: Number = key("How far the centre moves against a full inventory.", 0.0, unit="bps", ge=0, lt=10_000)
    size_skew: Number = key(
        "How much a full inventory shrinks the side that would add to it; the other side grows.",
        0.0,
        unit="fraction",
        ge=0,
        le=1,
    )


class Requote(Section):
    """When resting orders are replaced, and when they are close enough to stay."""

    threshold_bps: Number = key("Move of the centre that makes a new grid.", 5.0, unit="bps", ge=0, lt=10_000)
    tolerance_bps: Number = key(
        "An order this close to the wanted price, in bps of that price, stays.", 1.0, unit="bps", ge=0, lt=10_000
    )
    tolerance_size: Number = key(
        "An order whose remaining size is this close to the wanted size stays.", 0.1, unit="fraction", ge=0, le=1
    )
    min_interval_ms: Number = key("Shortest time between two requotes.", 500.0, unit="ms", ge=0, le=DAY_S * 1000)
    max_age_s: Number | None = key(
        "Orders older than this are placed anew; never if absent.", None, unit="s", gt=0, le=30 * DAY_S
    )
    fill_delay_s: Number = key("Wait after a fill before its level is placed anew.", 0.0, unit="s", ge=0, le=DAY_S)


class Breaker(Section):
    """The circuit breaker: falls of the known equity that warn, only reduce, or halt. An absent tier is off."""

    warn_pct: Amount | None = key("Fall from the peak that warns.", None, unit="%", gt=0, le=100)
    reduce_pct: Amount | None = key("Fall from the peak that only lets inventory shrink.", None, unit="%", gt=0, le=100)
    halt_pct: Amount | None = key("Fall from the peak that halts.", None, unit="%", gt=0, le=100)
    daily_pct: Amount | None = key("Fall from the UTC day's first equity that halts.", None, unit="%", gt=0, le=100)
    max_loss: Amount | None = key("Loss since the start that halts.", None, unit="quote", gt=0)
    on_halt: Literal["cancel", "flatten"] = key("Cancel everything, or also trade back to the target.", "cancel")
    flatten_bps: Number = key("How far beyond the touch a flattening order may go.", 50.0, unit="bps", ge=0, lt=10_000)


class Risk(Section):
    """Limits that stand between what the grid wants and what is sent. An absent limit is off."""

    max_position: Amount | None = key("Most base that may be held.", None, unit="base", gt=0)
    max_open_orders: int | None = key(
        "Most orders at once; the venue's cap if absent (sim and openbook-v1 128, openbook-v2 24).",
        None,
        unit="orders",
        ge=1,
        le=ORDERS_MAX,
    )
    max_order_notional: Amount | None = key("Largest price times size of one order.", None, unit="quote", gt=0)
    max_total_notional: Amount | None = key("Largest price times size of all open orders.", None, unit="quote", gt=0)
    max_orders_per_minute: int | None = key("Most orders placed in a minute.", None, unit="orders", ge=1, le=RATE_MAX)
    max_cancels_per_minute: int | None = key("Most cancels asked in a minute.", None, unit="cancels", ge=1, le=RATE_MAX)
    max_reference_bps: Number | None = key(
        "Furthest an order may be from the reference price; a backtest has none.", None, unit="bps", gt=0, le=100_000
    )
    max_last_trade_bps: Number | None = key(
        "Furthest an order may be from the last trade.", None, unit="bps", gt=0, le=100_000
    )
    stale_after_s: Number | None = key(
        "Market data of this age or older is not quoted on.", None, unit="s", gt=0, le=30 * DAY_S
    )
    stale_after_slots: int | None = key(
        "Market data more slots behind than this is not quoted on (live).", None, unit="slots", ge=1, le=1_000_000
    )
    min_sol: Amount | None = key("Least SOL kept for fees (live).", None, unit="SOL", gt=0)
    max_fees_sol_per_day: Amount | None = key(
        "Most paid to the chain in any 24 hours: base fees, priority and tips together (live).", None, unit="SOL", gt=0
    )
    max_fees_sol_per_hour: Amount | None = key("The same in any hour (live).", None, unit="SOL", gt=0)
    breaker: Breaker = key("The circuit breaker.", Breaker())


class ConstantLatency(Section):
    """Always the same delay."""

    model: Literal["constant"] = key("Which model.", "constant")
    ms: Number = key("The delay.", unit="ms", ge=0, le=3_600_000)


class RandomLatency(Section):
    """A log-normal delay with the given median and 99th percentile."""

    model: Literal["random"] = key("Which model.")
    median_ms: Number = key("Half of the delays are shorter.", unit="ms", gt=0, le=3_600_000)
    p99_ms: Number = key("One in a hundred is longer; not under the median.", unit="ms", gt=0, le=3_600_000)


class RecordedLatency(Section):
    """Delays that were measured: a CSV or Parquet file with `ts_ns` (strictly ascending) and `latency_ms`."""

    model: Literal["recorded"] = key("Which model.")
    file: str = key("Path of the file.", min_length=1)


class LandingLatency(Section):
    """Until a block has it, by the model of landing: leaders, auctions, what is dropped, and a node after a while."""

    model: Literal["landing"] = key("Which model.")
    tip_lamports: int = key("What each batch tips Jito; 0: it goes by a node alone.", unit="lamports", ge=0, le=10**9)
    units: int = key("That a batch asks for: what is tipped for each of them counts.", 250_000, ge=1, le=1_400_000)
    slot_ms: Number = key("Length of a slot.", 200.0, unit="ms", ge=10, le=10_000)
    jito_share: Number = key("Of the leaders, those that run Jito's software.", 0.9, unit="fraction", ge=0, le=1)
    crowd: Number = key("Of the slots, those in which others bid for the market.", 0.6, unit="fraction", ge=0, le=1)
    dropped: Number = key("Of what the engine takes, what it forgets.", 0.05, unit="fraction", ge=0, le=1)
    after_slots: int = key("A node has it too after so many.", 8, unit="slots", ge=0, le=100)
    node_slots: int = key("A node takes so many.", 2, unit="slots", ge=1, le=100)


def _plain_number_is_constant(value: object) -> object:
    plain = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return {"model": "constant", "ms": value} if plain else value


Latency = Annotated[
    ConstantLatency | RandomLatency | RecordedLatency | LandingLatency,
    Field(discriminator="model"),
    BeforeValidator(
        _plain_number_is_constant,
        json_schema_input_type=float | ConstantLatency | RandomLatency | RecordedLatency | LandingLatency,
    ),
]
LATENCY_FORMS = (
    'a number, {model="random", median_ms, p99_ms}, {model="recorded", file} or {model="landing", tip_lamports}'
)


class Simulation(Section):
    """The simulated venue: how far away it is, and how long the queue."""

    entry_latency_ms: Latency = key(
        f"From a decision to its arrival at the venue: {LATENCY_FORMS}.", ConstantLatency(ms=200.0), unit="ms"
    )
    response_latency_ms: Latency = key(
        f"From the venue's report to our knowing it: {LATENCY_FORMS}.", ConstantLatency(ms=200.0), unit="ms"
    )
    queue: Literal["front", "back", "power", "log"] = key(
        "How the queue ahead of an order shrinks; front is the most hopeful, back the least.", "back"
    )
    queue_power: int = key("Exponent of the power model.", 3, ge=1, le=8)
    fill_on_quotes: bool = key("Whether a quote that crosses an order fills it without a print.", True)
    seed: int = key("Start of the random delays.", 1, ge=1, le=2**31 - 2)


class Data(Section):
    """How a tape is read, and how finely equity is kept."""

    max_bad_share: Number = key("A tape with a larger share of bad rows is refused.", 0.01, unit="fraction", ge=0, le=1)
    equity_sample_s: Number = key("Tape time between two rows of equity.", 1.0, unit="s", ge=0.001, le=DAY_S)


class Storage(Section):
    """Where things are kept."""

    ticks: str | None = key("Path or URL of the tick lake; what a run reads without --data.", None, min_length=1)
    journal: str | None = key(
        "Where live sessions are kept; never with a password in it.",
        None,
        form="sqlite:… or postgresql:…",
        pattern=r"^(sqlite|postgresql):.+$",
    )


class Span(Section):
    """A range that a sweep draws a key from, both ends included."""

    low: Amount = key("Smallest value.")
    high: Amount = key("Largest value.")
    step: Amount | None = key("Distance between values; any value if absent.", None, gt=0)
    factor: Amount | None = key("Each value is this many times the one before; in place of step.", None, gt=1)
    log: bool = key("Whether to draw the logarithm evenly.", False)
    also: list[str] = key("Other keys that take the same value.", [])


class Choice(Section):
    """Values that a sweep draws a key from, with what moves along."""

    values: list[Any] = key("The values.", min_length=1)  # Any: a value of whatever key is swept.
    also: list[str] = key("Other keys that take the same value.", [])


def _form_of(given: Any) -> str:  # Any: whatever stood in the file.
    """Return which of the forms of an axis is meant, so that what is wrong with it is said of that form alone."""
    if isinstance(given, Choice) or (isinstance(given, Mapping) and "values" in given):
        return "the values"
    return "the range" if isinstance(given, Span | Mapping) else "the list"


SweptBy = Annotated[
    Annotated[list[Any], Tag("the list")]  # Any: values of whatever key is swept.
    | Annotated[Choice, Tag("the values")]
    | Annotated[Span, Tag("the range")],
    Discriminator(_form_of),
]


class Constraints(Section):
    """What a set must keep to, or it is never chosen. An absent one is off."""

    max_drawdown: Number | None = key("Deepest fall of equity from its peak.", None, unit="fraction", ge=0, le=1)
    min_fills: int | None = key("Least fills.", None, unit="fills", ge=0)
    max_position: Amount | None = key("Furthest from zero that the run may end with.", None, unit="base", ge=0)
    min_uptime: Number | None = key(
        "Least share of the time with orders on both sides.", None, unit="fraction", ge=0, le=1
    )


class Validation(Section):
    """How what was found is tried on data that it was not chosen on, and against luck."""

    holdout: Number = key("Last share of each tape that the search never sees.", 0.25, unit="fraction", ge=0, le=0.9)
    periods: int = key("Stretches that the rest is cut into for the statistics.", 240, ge=16, le=10_000)
    blocks: int = key(
        "Blocks of periods whose halves are set against each other (CSCV); even.", 16, ge=4, le=20, multiple_of=2
    )
    folds: int = key("Steps of the walk forward; 0 for none.", 5, ge=0, le=100)
    anchored: bool = key("Whether each step learns from the beginning on, or from a window that rolls along.", True)
    purge: int = key(
        "Periods left out between what a step learns from and what it is tried on.", 1, unit="periods", ge=0, le=1000
    )
    embargo: int = key("Periods left out behind what a step was tried on.", 1, unit="periods", ge=0, le=1000)


class TapeOf(Section):
    """One of several tapes that each set is run on."""

    name: str = key("What the report calls it.", min_length=1, max_length=64)
    data: list[str] = key("Files or folders, as --data takes them.", min_length=1)
    timerange: str | None = key("The part that is run, as --timerange takes it.", None)
    set: dict[str, Any] = key("Keys that are different on this tape, such as market.tick_size.", {})  # Any: as above.


SAMPLERS = ("grid", "random", "sobol", "tpe", "cmaes", "nsga2", "nsga3")


class Sweep(Section):
    """Many runs over a space of keys. Not read by a single backtest."""

    parameters: dict[str, SweptBy] = key(
        "Dotted key → list of values, {low, high, step, factor, log, also}, or {values, also}.", {}
    )
    sampler: Literal["grid", "random", "sobol", "tpe", "cmaes", "nsga2", "nsga3"] = key(
        "How sets are chosen; the last four learn from those that were run.", "grid"
    )
    trials: int | None = key(
        "How many sets to try; a grid is tried whole, the others 100 if absent.", None, unit="runs", ge=1, le=1_000_000
    )
    seed: int = key("Start of the sampler's dice.", 1, ge=0, le=2**31 - 1)
    objective: str | list[str] = key(
        "What is made large: net_vs_hold, net, quoting, net_per_drawdown, sharpe, sortino, markout_adjusted, a dotted "
        "name in summary.json, or path.py:name. With - in front it is made small. Several make a Pareto front.",
        "net_vs_hold",
    )
    across: Literal["mean", "worst", "sum"] = key("How the objectives of several tapes become one.", "mean")
    pruning: Literal["none", "hopeless", "median"] = key(
        "When a run is given up halfway: never, when it breaks a constraint for good, or also below the median.",
        "hopeless",
    )
    batch: int = key("Sets that are chosen before the sampler hears how they did.", 16, unit="runs", ge=1, le=1024)
    split: Literal["none", "day"] = key("Whether each UTC day of the data is a tape by itself.", "none")
    tapes: list[TapeOf] = key("Several tapes, days or markets, each set run on all; --data if absent.", [])
    constraints: Constraints = key("What a set must keep to.", Constraints())
    validation: Validation = key("How the result is tried.", Validation())


LAMPORTS_MAX = 1_000_000_000  # A whole SOL, for one transaction.
TIPS_MAX = 1_000 * LAMPORTS_MAX


class Jito(Section):
    """Tips: what is paid to routes that want one, beside the chain's own fees."""

    floor: str | None = key("Where to ask what others tip; nobody is asked if absent.", None, min_length=1)
    floor_stream: str | None = key("Websocket that tells it as it changes.", None, min_length=1)
    tip_lamports: int = key(
        "Tip of a transaction while nobody says what others tip.", 10_000, unit="lamports", ge=1000, le=LAMPORTS_MAX
    )
    max_tip_lamports: int = key("Largest tip ever paid.", 100_000, unit="lamports", ge=1000, le=LAMPORTS_MAX)
    max_tip_lamports_per_hour: int | None = key(
        "Most tipped in any hour; then nothing is placed, and cancels go without a tip.",
        None,
        unit="lamports",
        ge=1000,
        le=TIPS_MAX,
    )
    max_tip_lamports_per_day: int | None = key(
        "Most tipped in any 24 hours.", None, unit="lamports", ge=1000, le=TIPS_MAX
    )
    cancel_percentile: Number = key(
        "What a cancel tips, as a percentile of what others do.", 75.0, unit="%", ge=0, le=100
    )
    recentre_percentile: Number = key("What replacing orders tips.", 50.0, unit="%", ge=0, le=100)
    refill_percentile: Number = key("What placing missing orders tips.", 25.0, unit="%", ge=0, le=100)
    split: bool = key("What is too large for a route goes in parts by it; else whole, by the others alone.", False)


class Route(Section):
    """One way to send transactions."""

    name: str = key("What it is called.", form="small letters, digits, - and _", pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    kind: Literal["rpc", "jito", "relay"] = key(
        "A node; a block engine, which takes bundles; or a relay, which is sent to as a node is, and wants a tip."
    )
    url: str | None = key("Where it is; of jito without a region.", None, min_length=1)
    regions: dict[str, str] = key("Of jito: URLs by the names of regions, of which the quickest is used.", {})
    header: str | None = key(
        "Name of the header that carries the key.",
        None,
        form="such as x-jito-auth",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
    )
    key_env: str | None = key(
        "Name of the environment variable that holds the key; the key itself never stands here.",
        None,
        form="capital letters, digits and _",
        pattern=r"^[A-Z_][A-Z0-9_]{0,63}$",
    )
    max_bytes: int | None = key(
        "Of the largest transaction it takes; rpc 4096, others 1232 if absent.",
        None,
        unit="bytes",
        ge=200,
        le=4096,
    )
    versions: list[int] | None = key("Of transactions that it takes; rpc [0, 1], others [0] if absent.", None)
    tip_accounts: list[str] = key("Whom its tip is paid to; those of jito are known.", [])
    least_tip_lamports: int | None = key(
        "Least tip that it takes; of jito 1000 if absent.", None, unit="lamports", ge=1, le=LAMPORTS_MAX
    )
    rate: Number | None = key("Calls that it takes; jito 1, others 10 if absent.", None, unit="per s", gt=0, le=1_000)
    after_slots: int = key(
        "Placements go by the routes before it first, and by it after so many slots,", 0, unit="slots", ge=0, le=150
    )
    after_s: Number = key("or so many seconds, whichever is sooner. Cancels never wait.", 0.0, unit="s", ge=0, le=60)
    no_revert: bool | None = key(
        "Whether it promises that what would fail never lands; of jito true if absent, and asked for.", None
    )


PAIR_FORM = "BASE/QUOTE, as in SOL/USDT"
PAIR = r"^[A-Z0-9]{1,15}/[A-Z0-9]{1,15}$"


class PriceLeg(Section):
    """A price that turns another into the wanted unit."""

    name: Literal["binance", "coinbase", "kraken"] = key("Which venue.")
    pair: str = key("From one of the two units to the other, either way round.", form=PAIR_FORM, pattern=PAIR)
    max_age_s: Number = key("An older price does not count.", 300.0, unit="s", gt=0, le=DAY_S)
    symbol: str | None = key("What the venue calls the pair; its custom if absent.", None, min_length=1, max_length=100)
    url: str | None = key("Another address of the venue.", None, min_length=1)


class PriceSource(Section):
    """One place that prices come from."""

    name: Literal["binance", "coinbase", "kraken", "coingecko", "pyth"] = key(
        "Which venue; the last two may only veto."
    )
    pair: str | None = key("What it prices; live.prices.pair if absent.", None, form=PAIR_FORM, pattern=PAIR)
    leg: PriceLeg | None = key(
        "Turns its price into the wanted unit.", None, form="{name, pair, max_age_s, symbol, url}"
    )
    par_bps: Number | None = key(
        "In place of a leg: take its unit for the wanted one, and allow for so much between them.",
        None,
        unit="bps",
        gt=0,
        le=1_000,
    )
    max_age_s: Number | None = key(
        "An older price does not count; live.prices.max_age_s if absent, of coingecko 180, of pyth 30.",
        None,
        unit="s",
        gt=0,
        le=DAY_S,
    )
    poll_s: Number | None = key(
        "How often coingecko (60 if absent) or pyth (5) is asked.", None, unit="s", ge=0.5, le=3_600
    )
    symbol: str | None = key("What the venue calls the pair; its custom if absent.", None, min_length=1, max_length=100)
    url: str | None = key("Another address of the venue.", None, min_length=1)


def _a_name_is_a_source(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


AnySource = Annotated[PriceSource, BeforeValidator(_a_name_is_a_source, json_schema_input_type=str | PriceSource)]
SOURCE_FORMS = "names, or tables {name, pair, …}"


class Prices(Section):
    """Outside prices that the reference is made of."""

    sources: list[AnySource] = key("Which sources.", [], form=SOURCE_FORMS)
    pair: str | None = key(
        "What the reference is the price of; market.symbol if absent.", None, form=PAIR_FORM, pattern=PAIR
    )
    quorum: int = key("Least sources that must agree.", 1, unit="sources", ge=1, le=16)
    max_age_s: Number = key("Older prices do not count.", 10.0, unit="s", gt=0, le=DAY_S)
    max_spread_bps: Number = key("A source with a wider spread does not count.", 50.0, unit="bps", gt=0, le=10_000)
    max_deviation_bps: Number = key(
        "A source farther than this from the middle of all does not count.", 50.0, unit="bps", gt=0, le=10_000
    )
    max_veto_bps: Number = key(
        "No price is farther than this from one of coingecko or pyth.", 300.0, unit="bps", gt=0, le=10_000
    )
    max_jump_bps: Number = key("No price is farther than this from the last,", 200.0, unit="bps", gt=0, le=10_000)
    jump_growth_bps: Number = key(
        "and than so much more for each second since.", 10.0, unit="bps per s", gt=0, le=10_000
    )
    min_interval_ms: Number = key(
        "Shortest time between two reference prices; that there is none is said at once.",
        100.0,
        unit="ms",
        ge=0,
        le=60_000,
    )
    coingecko_key_file: str | None = key(
        "File that holds the key of CoinGecko, mode 0600; BMV_COINGECKO_KEY comes before it.", None, min_length=1
    )
    pyth_key_file: str | None = key(
        "File that holds the key of Pyth, mode 0600; BMV_PYTH_KEY comes before it.", None, min_length=1
    )


class Api(Section):
    """The REST interface."""

    host: str = key("Address to listen on.", "127.0.0.1", min_length=1)
    port: int = key("Port to listen on.", 8787, ge=1, le=65_535)
    token_file: str | None = key("File that holds the token of operators; mode 0600.", None, min_length=1)


class Live(Section):
    """Trading for real, and on paper. Not read by a backtest."""

    endpoints: list[str] = key("RPC endpoints, most trusted first.", [])
    send_endpoints: list[str] = key(
        "Endpoints that transactions are sent to, and nothing is read from; where none is given, all of endpoints.", []
    )
    cluster: str | None = key(
        "Chain of the endpoints, which `bmv doctor` checks: mainnet, devnet, or a genesis hash; any chain if absent.",
        None,
        form="mainnet, devnet, or 32 to 44 letters of base58",
        pattern=f"^(mainnet|devnet|{ADDRESS.strip('^$')})$",
    )
    websocket: str | None = key("Websocket endpoint; made from the first RPC endpoint if absent.", None, min_length=1)
    wallet: str | None = key("Path of the key file; its content never stands here.", None, min_length=1)
    max_priority_fee_lamports: int = key(
        "Most paid for the priority of one transaction, whatever its version; the fee of signatures comes on top.",
        50_000,
        unit="lamports",
        ge=0,
        le=1_000_000_000,
    )
    order_life_s: int = key(
        "How long an order is good for. openbook-v1: no later is it placed; openbook-v2: no longer does it rest.",
        60,
        unit="s",
        ge=5,
        le=ORDER_LIFE_S_MAX,
    )
    open_orders: str | None = key(
        "Our account on the market, where several of ours are there.",
        None,
        form="32 to 44 letters of base58",
        pattern=ADDRESS,
    )
    owner: str | None = key(
        "Whose account is traded for (openbook-v2), where wallet is the key of a delegate; the wallet's own if absent.",
        None,
        form="32 to 44 letters of base58",
        pattern=ADDRESS,
    )
    delegate: str | None = key(
        "Who else may trade for our account (openbook-v2), set by `bmv chain setup`.",
        None,
        form="32 to 44 letters of base58",
        pattern=ADDRESS,
    )
    metrics_port: int | None = key(
        "Port on this machine for /metrics, /health and /ready; off if absent.", None, ge=1, le=65_535
    )
    traces_url: str | None = key(
        "Collector of OpenTelemetry that traces go to, by OTLP over HTTP; off if absent. Needs the extra otel.",
        None,
        form="http(s)://HOST:PORT/v1/traces",
        pattern=r"^https?://.+$",
    )
    deposit_base: Amount = key(
        "Base that `bmv chain setup` brings our account to (openbook-v2): what a delegate trades with.",
        Decimal(0),
        unit="base",
        ge=0,
    )
    deposit_quote: Amount = key("Quote likewise.", Decimal(0), unit="quote", ge=0)
    routes: list[Route] = key(
        "Ways to send, in order; where none is given, send_endpoints or endpoints.",
        [],
        form="tables {name, kind, url, …}",
    )
    jito: Jito = key("Tips.", Jito())
    prices: Prices = key("Outside prices.", Prices())
    api: Api = key("The REST interface.", Api())


class Config(Section):
    """The whole file."""

    version: Literal[1] = key("Version of this format.")
    strategy: str | None = key(
        "A strategy of your own; the pivot grid if absent.", None, form="path.py:name", pattern=r"^.+\.py:[A-Za-z_]\w*$"
    )
    market: Market = key("The instrument.")
    pivot: Pivot = key("The anchor.", Pivot())
    grid: Grid = key("The ladders.")
    inventory: Inventory = key("What is held.")
    requote: Requote = key("When orders are replaced.", Requote())
    risk: Risk = key("Limits.", Risk())
    simulation: Simulation = key("The simulated venue.", Simulation())
    data: Data = key("The tape.", Data())
    storage: Storage = key("Where things are kept.", Storage())
    sweep: Sweep = key("Many runs.", Sweep())
    live: Live = key("Trading.", Live())

    @model_validator(mode="before")
    @classmethod
    def _a_strategy_of_ones_own_needs_no_grid(cls, data: Any) -> Any:  # Any: whatever stood in the file.
        if isinstance(data, Mapping) and data.get("strategy"):
            return {**data, "grid": with_empty_sides(data.get("grid", {}))}
        return data
