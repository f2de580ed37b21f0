"""What was seen of the market, judged: whether it can be believed, whether the configuration fits, whether it lives."""

from collections.abc import Sequence

from bmv.adapters.openbook.inspection.records import Finding, Inspection
from bmv.adapters.report.market_text import second_text, spread_bps, spread_text, waiting_text
from bmv.data.runs.wording import span
from bmv.live.doctor.check import Check, State
from bmv.live.doctor.seen import LastTrade, MarketSeen, Touched
from bmv.ports.errors import ConfigError, DataError, Refused

QUIET_S = 3_600  # Nobody touched the market, or traded on it, for so long.
WAITING_S = 60  # Events wait for the crank for so long,
FULL_NOTED, FULL_MAX = 0.5, 0.9  # or fill so much of the room there is for them.
WIDE_BPS = 100.0
DEAD = "look for liquidity elsewhere before money goes in: nobody may be there to trade with"


def check_market(seen: MarketSeen) -> list[Check]:
    """Judge the market."""
    if seen.unknown:
        return [Check("market", State.UNKNOWN, f"it could not be read: {seen.unknown}", "mend the endpoints first")]
    checks = list(_believed(seen.findings))
    inspection = seen.inspection
    if inspection is None:
        return checks
    now = inspection.unix_timestamp
    return [
        *checks,
        _touched(seen.touched, now),
        _last_trade(seen.last_trade, now),
        _crank(inspection),
        _spread(inspection),
    ]


def _believed(findings: Sequence[Finding]) -> list[Check]:
    if not findings:
        return [Check("market", State.OK, "its accounts can be believed, and the configuration fits it")]
    return [Check("market", State.WRONG, finding.text, *_what_to_do(finding)) for finding in findings]


def _what_to_do(finding: Finding) -> tuple[str, type[ConfigError] | type[Refused]]:
    if finding.error is ConfigError:
        return "write what the market has into the configuration", ConfigError
    if finding.error is DataError:
        return "look whether market.address is the right one, and the chain the right one", Refused
    return "don't trade on this market", Refused


def _age(second: int, now: int) -> str:
    return f"{span(max(now - second, 0))} ago"


def _touched(touched: Touched | None, now: int | None) -> Check:
    name = "last transaction"
    if touched is None:
        advice = "an endpoint that keeps history answers getSignaturesForAddress"
        return Check(name, State.UNKNOWN, "the node does not say which transactions named the market", advice)
    if touched.looked == 0:
        return Check(name, State.NOTE, "the node knows of none that named the market", DEAD)
    if not touched.signatures:
        found = f"the last {touched.looked:,} that named the market all failed"
        return Check(name, State.WRONG, found, "don't trade before one succeeds: the program may no longer run")
    share = f"{touched.failed:,} of the last {touched.looked:,} failed"
    if touched.last_good is None or now is None:
        return Check(name, State.UNKNOWN, f"the last that succeeded is of a time that nobody says; {share}")
    found = f"the last that succeeded was {_age(touched.last_good, now)}; {share}"
    if now - touched.last_good > QUIET_S:
        return Check(name, State.NOTE, found, DEAD)
    return Check(name, State.OK, found)


def _last_trade(trade: LastTrade | None, now: int | None) -> Check:
    name = "last trade"
    if trade is None:
        advice = "watch for a while: bmv market CONFIG --watch"
        return Check(
            name, State.UNKNOWN, "none is in the market's accounts or the logs of its last transactions", advice
        )
    what = f"somebody {trade.taker} {trade.size} at {trade.price}"
    if trade.unix_timestamp is None or now is None:
        return Check(name, State.OK, f"{what}; when is {second_text(None)}: this version keeps no times")
    found = f"{what}, {_age(trade.unix_timestamp, now)}"
    if now - trade.unix_timestamp > QUIET_S:
        return Check(name, State.NOTE, found, DEAD)
    return Check(name, State.OK, found)


def _crank(inspection: Inspection) -> Check:
    backlog, now = inspection.backlog, inspection.unix_timestamp
    found = waiting_text(backlog, now)
    if backlog is None:
        return Check("crank", State.UNKNOWN, "how much waits could not be read")
    full = backlog.events / backlog.capacity
    if full > FULL_MAX:
        return Check("crank", State.WRONG, found, "run a crank: when there is no more room, no order is matched")
    late = backlog.oldest is not None and now is not None and now - backlog.oldest > WAITING_S
    if late or full > FULL_NOTED:
        return Check("crank", State.NOTE, found, "reckon with running a crank: until somebody does, no fill is booked")
    return Check("crank", State.OK, found)


def _spread(inspection: Inspection) -> Check:
    bids, asks, lots = inspection.bids, inspection.asks, inspection.lots
    if bids is None or asks is None or lots is None:
        return Check("spread", State.UNKNOWN, "the book could not be read")
    if not bids.levels or not asks.levels:
        empty = "both sides of the book are" if not bids.levels and not asks.levels else "one side of the book is"
        return Check("spread", State.NOTE, f"{empty} empty", DEAD)
    bid, ask = bids.levels[0].price_lots, asks.levels[0].price_lots
    found = spread_text(bid, ask, lots).removeprefix("spread ")
    if spread_bps(bid, ask) > WIDE_BPS:
        return Check("spread", State.NOTE, f"{found}: wide", DEAD)
    return Check("spread", State.OK, found)
