"""What a backtest can't know, said in the report where its numbers are read."""

from bmv.adapters.report.markup import Html, element
from bmv.data.runs.folder import Run
from bmv.data.runs.numbers import at, finite
from bmv.data.runs.wording import percent

QUEUES = {
    "front": "Queue model “front”: nobody is ever ahead of us. An upper bound on fills.",
    "back": "Queue model “back”: everything shown is ahead of us, and only prints shorten it. A lower bound on fills.",
    "power": "Queue model “power”: cancels shorten the queue ahead of us by a power of where we stand. A guess.",
    "log": "Queue model “log”: cancels shorten the queue ahead of us by the logarithm of the sizes. A guess.",
}


LIVE = [
    (
        "Fills are booked when we learnt of them",
        "At the finalized slot and on our clock: a chain tells whole seconds of a clock of its own. Markouts begin "
        "there, and the mid of that moment parts spread from inventory.",
    ),
    (
        "The book is shown without our orders",
        "As a backtest's tape is. Prints that we took part in are among the prints.",
    ),
    ("What the chain was paid stands beside the profit", "Fees, tips and rent go out of the wallet in SOL."),
]


def confessions(run: Run) -> Html:
    """Return the simplifications behind this run as a list, with the settings that it used."""
    return _listed(LIVE if at(run.summary, "engine") == "live" else _simulated(run))


def _simulated(run: Run) -> list[tuple[str, str]]:
    return [
        ("Our fills take nothing from the tape", "What we trade stays there for others, and nobody reacts to our "
         f"orders. The larger our size beside that of the market, the less is to be believed{_share(run)}."),
        ("Our place in the queue is assumed", _queue(run)),
        ("Fills by quotes alone", _by_quotes(run)),
        ("Market data arrives at its own time", "The delay of the feed is 0; it belongs in "
         f"simulation.entry_latency_ms, which was {_latency(run, 'entry')}. Reports took {_latency(run, 'response')}."),
        ("Perpetuals are run as spot", "There is no funding, no leverage, no liquidation; we sell only what we hold."),
        ("Beyond the best price the book is unknown", "Unless depth was recorded, an order behind the touch fills only "
         "by prints through it, and a taker gets no more than the size shown."),
        ("The chain is left out", "No dropped or reordered transactions, no priority fees or tips, no rent."),
    ]  # fmt: skip


def _listed(items: list[tuple[str, str]]) -> Html:
    return element("ul", *(element("li", element("b", title), element("span", text)) for title, text in items),
                   css="confess")  # fmt: skip


def _share(run: Run) -> str:
    figures = at(run.summary, "statistics", "participation")
    share, largest = finite(at(figures, "share")), finite(at(figures, "largest", "share"))
    if share is None:
        return ""
    return f": here it came to {percent(share)} of the volume" + (
        "" if largest is None else f", and to {percent(largest)} in one hour"
    )


def _queue(run: Run) -> str:
    name = str(at(run.config, "simulation", "queue"))
    return QUEUES.get(name, f"Queue model “{name}”.") + (
        " Run front and back as well: our place lies between them, and as a rule our volume does; the profit need not."
    )


def _by_quotes(run: Run) -> str:
    share = finite(at(run.summary, "statistics", "activity", "quote_ratio"))
    if at(run.config, "simulation", "fill_on_quotes") is False:
        return "Off: only prints filled us (simulation.fill_on_quotes = false)."
    if share is None:
        return "None: there were no fills."
    return f"{percent(share)} of the fills had no print at our price: a quote crossed it, and we took that for a trade."


def _latency(run: Run, way: str) -> str:
    """Return the delay in words; the configuration has a number, or a table that names its model."""
    value = at(run.config, "simulation", f"{way}_latency_ms")
    match at(value, "model"):
        case "landing":
            tip = (
                f"a tip of {value['tip_lamports']:,} lamports"
                if value["tip_lamports"]
                else "a node alone, without a tip"
            )
            return f"that of the model of landing, with {tip}, drawn anew for each batch"
        case "random":
            return f"random, {value['median_ms']} ms at the median and {value['p99_ms']} ms at the 99th percentile"
        case "recorded":
            return f"that recorded in {value['file']}"
        case "constant":
            return f"{value['ms']} ms"
    return "not set" if value is None else f"{value} ms"
