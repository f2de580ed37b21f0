"""What a session counts and measures, as Prometheus reads it."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

EVENT_TO_INTENT_S = (2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.25, 1.0)
SLOTS_TO_LAND = (1, 2, 3, 4, 6, 8, 12, 20, 40, 80, 150)


class Meters:
    """The numbers of one session, in a registry of their own; any thread may set them and read them.

    Names end in their unit. Position and sizes are base, money is quote, as floats: for pictures, not for accounts.
    Labels take words of ours, a closed set each: kinds of events and intents, sides, codes, states.

    Args:
        mode, market, session: What it is; of `bmv_session_info`.
    """

    def __init__(self, mode: str, market: str, session: str) -> None:
        self.registry = registry = CollectorRegistry()
        info = Gauge("bmv_session_info", "What runs: always 1.", ["mode", "market", "session"], registry=registry)
        info.labels(mode, market, session).set(1)
        self._events = Counter("bmv_events", "Events that the engine was told.", ["kind"], registry=registry)
        self._intents = Counter("bmv_intents", "Intents that it asked for.", ["kind"], registry=registry)
        self._refusals = Counter("bmv_refusals", "Orders that risk refused.", ["code"], registry=registry)
        self._fills = Counter("bmv_fills", "Fills of ours.", ["side", "liquidity"], registry=registry)
        self._attempts = Counter("bmv_attempts", "Transactions, by what became of them.", ["state"], registry=registry)
        self._fees = Counter("bmv_chain_fees_lamports", "Paid to the chain.", ["kind"], registry=registry)
        self._trips = Counter("bmv_guard_trips", "Guards that acted.", ["code"], registry=registry)
        self._open = Gauge("bmv_orders_open", "Orders of ours whose end is not known.", ["side"], registry=registry)
        self._pnl = Gauge("bmv_pnl_quote", "Profit since the start, by part.", ["part"], registry=registry)
        self.position = Gauge("bmv_position_base", "Base held.", registry=registry)
        self.equity = Gauge("bmv_equity_quote", "Worth of all that is held.", registry=registry)
        self.breaker = Gauge("bmv_breaker_tier", "0 clear, 1 warn, 2 reduce, 3 halt.", registry=registry)
        self.quoting = Gauge("bmv_quoting", "1 while it quotes.", registry=registry)
        self.feed_up = Gauge("bmv_feed_up", "1 while market data come.", registry=registry)
        self.data_age = Gauge("bmv_data_age_seconds", "Age of the newest market data.", registry=registry)
        self.slot_lag = Gauge(
            "bmv_slot_lag_slots", "Slots that the market data are behind the chain.", registry=registry
        )
        self.unknown = Gauge("bmv_attempts_unknown", "Transactions whose end is not known.", registry=registry)
        self.sol = Gauge("bmv_wallet_sol", "SOL for fees.", registry=registry)
        self.log_lines_dropped = Gauge(
            "bmv_log_lines_dropped", "Lines of the log that found no room.", registry=registry
        )
        self.event_to_intent = Histogram(
            "bmv_event_to_intent_seconds",
            "From an event's coming in to its intents' going out.",
            buckets=EVENT_TO_INTENT_S,
            registry=registry,
        )
        self.slots_to_land = Histogram(
            "bmv_slots_to_land", "Slots from sending to landing.", buckets=SLOTS_TO_LAND, registry=registry
        )

    def event(self, kind: str) -> None:
        """Count an event told."""
        self._events.labels(kind).inc()

    def intents(self, kinds: Iterable[str]) -> None:
        """Count intents of one step."""
        for kind in kinds:
            self._intents.labels(kind).inc()

    def refusal(self, code: str) -> None:
        """Count an order that risk refused."""
        self._refusals.labels(code).inc()

    def fill(self, side: str, liquidity: str) -> None:
        """Count a fill: `bid` or `ask`; `maker` or `taker`."""
        self._fills.labels(side, liquidity).inc()

    def attempt(self, state: str, slots: int | None = None) -> None:
        """Count a transaction in its new state; one that landed, after how many slots."""
        self._attempts.labels(state).inc()
        if slots is not None:
            self.slots_to_land.observe(slots)

    def fee(self, kind: str, lamports: int) -> None:
        """Count what was paid: `base`, `priority` or `tip`."""
        self._fees.labels(kind).inc(lamports)

    def trip(self, code: str) -> None:
        """Count a guard that acted."""
        self._trips.labels(code).inc()

    def orders(self, bids: int, asks: int) -> None:
        """Set how many orders of ours are open, those whose end is not known included."""
        self._open.labels("bid").set(bids)
        self._open.labels("ask").set(asks)

    def pnl(self, **parts: float) -> None:
        """Set the parts of the profit in quote: `net`, `spread`, `inventory`, `fees`, `tips`, `rounding`."""
        for part, value in parts.items():
            self._pnl.labels(part).set(value)

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self.registry)
