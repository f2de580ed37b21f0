"""What was seen of endpoints, judged."""

from collections.abc import Iterator, Sequence
from statistics import median

from bmv.adapters.openbook.feed.feed import Limits
from bmv.adapters.solana.clock import SLOWEST_SLOT_NS
from bmv.adapters.solana.consensus import Consensus
from bmv.adapters.solana.endpoints import READ, SEND
from bmv.adapters.solana.errors import EndpointError
from bmv.data.runs.wording import span
from bmv.live.doctor.check import Check, State
from bmv.live.doctor.seen import EndpointSeen, SocketSeen, Taken, Tick
from bmv.ports.errors import ConfigError, Refused

SLOW_S = 2 * SLOWEST_SLOT_NS / 1e9
FINAL_NOTED, FINAL_MAX = 16, 64  # Slots beyond those of the rule; a node learns of finality a little later.
LAG_NOTED = 5  # Slots.
LAG_MAX = Limits().stale_slots
CLUSTERS = {  # By genesis hash, as Solana's documentation of clusters has them.
    "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d": "mainnet",
    "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG": "devnet",
}
SKEW_S = 2  # The chain's clock has whole seconds, and is that of the block before.


def check_endpoints(seen: Sequence[EndpointSeen], cluster: str | None = None) -> list[Check]:
    """Judge all endpoints; `cluster` is the chain that they are to be of, None: any."""
    answering = [one for one in seen if not one.failure]
    return [
        *_reachable(seen),
        *map(_version, answering),
        _chain(answering, cluster),
        _consensus(answering),
        _finality(answering),
        _slot_time(answering),
        _slot_lag(answering),
        _skew(answering),
        _limits(seen),
        *(_socket(one.socket, one.name) for one in answering if one.socket is not None),
        *map(_version_one, answering),
        *_mixed_versions(answering),
    ]


def _reachable(seen: Sequence[EndpointSeen]) -> Iterator[Check]:
    none_reads = all(one.failure for one in seen if READ in one.roles)
    for one in seen:
        what = f"{one.name} ({' and '.join(one.roles)})"
        if not one.failure:
            slots = [slot for slot in one.slots if slot is not None]
            at = f"at slot {max(slots):,}" if slots else "and does not say at which slot"
            yield Check("endpoint", State.OK, f"{what} answers, {at}")
            continue
        found = f"{what} does not answer: {one.failure.removeprefix(f'{one.name}: ')}"
        lost = none_reads and READ in one.roles
        advice = "look whether it runs, whether the network leads there, and whether its key in live.endpoints is good"
        yield Check("endpoint", State.WRONG, found, advice, EndpointError if lost else Refused)


def _version(one: EndpointSeen) -> Check:
    if one.version is None:
        return Check("version", State.UNKNOWN, f"{one.name} does not say which software it runs")
    return Check("version", State.OK, f"{one.name} runs {one.version}")


def _chain(answering: Sequence[EndpointSeen], cluster: str | None) -> Check:
    """Judge whether all endpoints are of one chain, and whether it is the one that is wanted."""
    by_hash = dict[str, list[str]]()
    for one in answering:
        if one.genesis is not None:
            by_hash.setdefault(one.genesis, []).append(one.name)
    if not by_hash:
        found = "no endpoint says its genesis hash, so nobody knows whether they are of one chain"
        return Check("chain", State.UNKNOWN, found, "add an endpoint that answers getGenesisHash")
    if len(by_hash) > 1:
        each = "; ".join(f"{' and '.join(names)} {_known(genesis)}" for genesis, names in by_hash.items())
        advice = "leave those of the wrong chain out of live.endpoints and live.send_endpoints"
        return Check("chain", State.WRONG, f"endpoints are of different chains: {each}", advice)
    (genesis,) = by_hash
    if cluster is not None and cluster not in (genesis, CLUSTERS.get(genesis)):
        found = f"endpoints are of {_known(genesis)}, and live.cluster is {cluster}"
        advice = "point live.endpoints at that chain, or change live.cluster; a sandbox started anew is another chain"
        return Check("chain", State.WRONG, found, advice, ConfigError)
    silent = sum(one.genesis is None for one in answering)
    others = f"; {silent} of {len(answering)} endpoints do not say" if silent else ""
    return Check("chain", State.OK, f"{_known(genesis)}{others}")


def _known(genesis: str) -> str:
    """Return a genesis hash with the name of its cluster, where that is known."""
    name = CLUSTERS.get(genesis)
    return f"{name} ({genesis})" if name else f"the chain with genesis hash {genesis}"


def _consensus(answering: Sequence[EndpointSeen]) -> Check:
    known = {one.consensus for one in answering if one.consensus is not Consensus.UNKNOWN}
    if not known:
        found = "no endpoint says by which rule the chain agrees, so the slower one is reckoned with: 31 slots"
        return Check("consensus", State.UNKNOWN, found, "add an endpoint that answers getAgGenesisCert")
    if len(known) > 1:
        found = "some endpoints have the certificate of Alpenglow, and others say that there is none"
        advice = "look at them again; if it stays so, they are of different chains: leave one kind out"
        return Check("consensus", State.WRONG, found, advice)
    (rule,) = known
    why = {Consensus.ALPENGLOW: "there is a certificate", Consensus.TOWER: "there is no certificate"}[rule]
    plural = "" if rule.final_slots == 1 else "s"
    return Check("consensus", State.OK, f"{rule.label}: {why}; final is {rule.final_slots} slot{plural} behind")


def _finality(answering: Sequence[EndpointSeen]) -> Check:
    known = [(lag - one.consensus.final_slots, lag) for one in answering if (lag := one.final_lag) is not None]
    if not known:
        return Check("finality", State.UNKNOWN, "no endpoint says which slot is final")
    beyond, slots = min(known)
    found = f"the newest final slot is {slots:,} behind the newest"
    if beyond > FINAL_MAX:
        found += ": blocks do not become final"
        return Check("finality", State.WRONG, found, "don't trade before they do: what is done may be undone")
    if beyond > FINAL_NOTED:
        return Check("finality", State.NOTE, found, "expect to wait for certainty of fills and money")
    return Check("finality", State.OK, found)


def slot_time_s(ticks: Sequence[Tick]) -> float | None:
    """Return how long a slot takes, by the times at which the chain's clock came; None: too few came.

    >>> slot_time_s([Tick(10, 0, 0), Tick(11, 0, 200_000_000), Tick(13, 0, 600_000_000)])
    0.2
    """
    if len(ticks) < 2 or ticks[-1].slot <= ticks[0].slot:
        return None
    return (ticks[-1].received_ns - ticks[0].received_ns) / (ticks[-1].slot - ticks[0].slot) / 1e9


def _slot_times(answering: Sequence[EndpointSeen]) -> list[float]:
    times = [slot_time_s(one.socket.ticks) for one in answering if one.socket is not None]
    return [time for time in times if time is not None]


def _slot_time(answering: Sequence[EndpointSeen]) -> Check:
    times = _slot_times(answering)
    if not times:
        return Check("slot time", State.UNKNOWN, "the chain's clock was not heard often enough to measure it")
    seconds = median(times)
    found = f"{seconds * 1000:.0f} ms a slot"
    if seconds <= SLOW_S:
        return Check("slot time", State.OK, found)
    return Check("slot time", State.NOTE, f"{found}: the chain is slow", "expect orders and cancels to land late")


def lags(reading: Sequence[EndpointSeen]) -> list[int | None]:
    """Return by how many slots each endpoint is behind the foremost, the least of all rounds; None: it never said.

    >>> seen = [EndpointSeen(name=name, roles=(READ,), slots=slots) for name, slots in (("a", (10, 12)), ("b", (4, 9)))]
    >>> lags(seen)
    [0, 3]
    """
    rounds = list(zip(*(one.slots for one in reading), strict=True))
    foremost = [max((slot for slot in slots if slot is not None), default=0) for slots in rounds]
    behind = [
        [best - slot for best, slot in zip(foremost, one.slots, strict=True) if slot is not None] for one in reading
    ]
    return [min(each, default=None) for each in behind]


def _slot_lag(answering: Sequence[EndpointSeen]) -> Check:
    reading = [one for one in answering if READ in one.roles]
    known = [(lag, one.name) for lag, one in zip(lags(reading), reading, strict=True) if lag is not None]
    if len(known) < 2:
        found = "no second endpoint answers: a node that stands still looks like a chain that does"
        return Check("slot lag", State.NOTE, found, "add a second endpoint, of another provider, to live.endpoints")
    slots, worst = max(known)
    times = _slot_times(answering)
    if slots <= LAG_NOTED:
        return Check("slot lag", State.OK, f"{slots} at most, between {len(known)} endpoints")
    seconds = f", {span(slots * median(times))}" if times else ""
    found = f"{worst} is {slots} slots behind{seconds}"
    if slots <= LAG_MAX:
        return Check("slot lag", State.NOTE, found, "put it behind the others in live.endpoints")
    return Check("slot lag", State.WRONG, found, "take it out of live.endpoints: what it tells is the past")


def skew_s(ticks: Sequence[Tick]) -> int | None:
    """Return by how many whole seconds our clock is ahead of the chain's; None: that was not heard.

    A tick comes somewhere in the chain's second that it names, or later, so the least of all is the nearest.
    """
    ahead = [tick.received_ns / 1e9 - tick.unix_timestamp for tick in ticks]
    return round(min(ahead)) if ahead else None


def _skew(answering: Sequence[EndpointSeen]) -> Check:
    known = [skew_s(one.socket.ticks) for one in answering if one.socket is not None]
    seconds = min((one for one in known if one is not None), key=abs, default=None)
    if seconds is None:
        return Check("clock", State.UNKNOWN, "the chain's clock was not heard")
    if abs(seconds) <= SKEW_S:
        return Check("clock", State.OK, f"ours and the chain's agree within {SKEW_S} s; the chain's has whole seconds")
    way = "ahead of" if seconds > 0 else "behind"
    found = f"ours is {abs(seconds):,} s ({span(abs(seconds))}) {way} the chain's, which has whole seconds"
    return Check("clock", State.NOTE, found, "set the clock of this machine by NTP; a sandbox's own time is no fault")


def _limits(seen: Sequence[EndpointSeen]) -> Check:
    refusing = [f"{one.name} ({one.limited}×)" for one in seen if one.limited]
    if not refusing:
        return Check("rate limits", State.OK, "none was met with the few requests of this look")
    found = f"too many requests, said {', '.join(refusing)}"
    return Check("rate limits", State.NOTE, found, "get a plan with more requests, or put another endpoint before it")


def _socket(socket: SocketSeen, endpoint: str) -> Check:
    advice = "name another in live.websocket, or put another endpoint first"
    if socket.failure:
        return Check("websocket", State.WRONG, f"{socket.name} {socket.failure}", advice)
    if not socket.ticks:
        found = f"{socket.name} confirms a subscription, and the chain's clock does not tick on it"
        return Check("websocket", State.WRONG, found, advice)
    found = f"{socket.name} opens and confirms; the chain's clock ticked {len(socket.ticks)} times on it"
    return Check("websocket", State.OK, found)


def _version_one(one: EndpointSeen) -> Check:
    told = one.version_one
    if told is None:
        return Check("version 1", State.UNKNOWN, f"{one.name} was not asked")
    found = f"transactions of version 1 at {one.name}: {told.text.removeprefix(f'{one.name}: ')}"
    if told.taken is Taken.YES:
        return Check("version 1", State.OK, found)
    if told.taken is Taken.NO:
        advice = "transactions go out in version 0 there, and hold 1,232 bytes; ask the provider for a newer node"
        return Check("version 1", State.NOTE, found, advice)
    return Check("version 1", State.UNKNOWN, found, "configure a wallet that has some SOL, and look again")


def _mixed_versions(answering: Sequence[EndpointSeen]) -> Iterator[Check]:
    """Yield a line where endpoints that are sent to differ: a transaction in two versions is two that may both land."""
    senders = [one.version_one.taken for one in answering if SEND in one.roles and one.version_one is not None]
    if Taken.YES in senders and Taken.NO in senders:
        found = "some endpoints that are sent to take version 1, and others don't: sent in both, a transaction is two"
        yield Check(
            "version 1", State.NOTE, found, "leave the others out of live.send_endpoints, or send version 0 only"
        )
