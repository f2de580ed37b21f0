"""Which sort of rows a file of named columns holds: prints, quotes, changes of depth, or something that is not read.

Whatever says of a row what it is, or of which market, is either understood here or ends in a refusal that says what the
file may be and how its owner can say so. The order of the questions is that of `sort_of`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bmv.data.ticks.importers.form import Options
from bmv.data.ticks.importers.meaning import BOOK_SIDES, PRINT_SIDES, Values, is_of, meaning_of, plain, role_of
from bmv.data.ticks.importers.signs import Signs
from bmv.data.ticks.importers.text import FALSE, TRUE
from bmv.ports.errors import DataError

PRINTS = "prints"
QUOTES = "quotes"
MET = "prints, and before each the quote that it met"
ONE_SIDED = "quotes, each row moving one side of the top"
CHANGES = "changes of depth"
TOP = "quotes, the top of a book by level"
RUNGS = "changes of depth, from a book by level"
MIXED = "rows of several kinds"

KIND_OF = {"trade": "trade", "quote": "quote", "depth": "depth", "snap": "depth", "set": "depth", "gone": "depth"}
ALLOWED = {
    "trade": {"trade"}, "quote": {"quote"}, "depth": {"depth", "snap", "set", "gone", "change"},
}  # fmt: skip
OWN_EXPORT = {"kind", "side", "price", "size", "bid", "bid_size", "ask", "ask_size"}
ONE, BOOK = ("side", "buyer_maker", "price", "size", "signed_size"), ("bid", "bid_size", "ask", "ask_size")
OF_VENUES = ("exchange", "exchangeid", "venue", "publisherid")
OF_PRINTS = ("aggressor", "taker_side", "aggressor_side", "trade_side", "trade_price", "trade_size", "buyer_maker")
BARS = 3  # Of open, high, low and close; so many make a bar.
EXECUTED = ("execute", "executed", "filled", "f")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows of a file are read.

    Args:
        sort: One of the sorts above.
        found: Our name of a column -> its name in the file; beside those of `KNOWN` perhaps `level`, `snapshot`
            (true or false), `what`, and `update` (the last update that a row tells of).
        words: Of the column `what`, each word -> its meaning, a key of `WORDS`.
        top: The number of the best level.
        notes: What was taken for what, in words.
        unused: Columns that say nothing to us.
        market: The market that all rows are of, where a column says it.
    """

    sort: str
    found: Mapping[str, str]
    words: Mapping[str, str] = field(default_factory=dict)
    top: int = 0
    notes: Sequence[str] = ()
    unused: Sequence[str] = ()
    market: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a file before its rows are read.

    Args:
        names: All columns of the file.
        found: Our name of a column -> its name in the file, as named or known.
        columns: Each column that is not one of numbers of ours -> what stands in it.
        advice: How the options that a refusal names are given; empty where the command that reads the file has them.
    """

    path: Path
    options: Options
    names: Sequence[str]
    found: Mapping[str, str]
    columns: Mapping[str, Values]
    signs: Signs
    advice: str = ""

    def of_role(self, role: str) -> list[str]:
        """Return the columns whose name says that they have a role, those aside that are found as one of ours."""
        taken = {theirs for ours, theirs in self.found.items() if ours != "kind"}
        return [name for name in self.columns if role_of(name) == role and name not in taken]

    def error(self, what: str) -> DataError:
        """Return an error about the file."""
        return DataError(f"{self.path}: {what}")


def sort_of(facts: Facts) -> Reading:
    """Return how a file is read; `DataError` where it is not sure what its rows are."""
    _refuse_bars(facts)
    _refuse_markets(facts)
    _refuse_orders(facts)
    what, words, side = _what(facts)
    found = {ours: theirs for ours, theirs in facts.found.items() if ours != "kind"}
    if side and "side" not in found:
        found["side"] = side
    level = _level(facts)
    _refuse_unknown(facts, {what, side, level} - {None}, "for some of the rows, or --column OURS={}")
    kinds = {KIND_OF.get(meaning, "depth") for meaning in words.values()}
    kind = facts.options.kind or (kinds.pop() if len(kinds) == 1 else None)
    if kinds and kind is None:
        sort, more = _mixed(facts, found), {"what": what}
    elif level is not None and facts.columns[level].varies():
        sort, more = _by_level(facts, found, kind), {"level": level}
    else:
        sort, more = _plain_sort(facts, found, kind, words), {"what": what if words else None}
    if sort in (CHANGES, MIXED):
        more |= _marks(facts)
    needed = _needed(sort, found)
    found = {ours: theirs for ours, theirs in found.items() if ours in needed}
    found |= {ours: theirs for ours, theirs in more.items() if theirs is not None}
    top = min(int(float(word)) for word in facts.columns[level].words) if level and "level" in found else 0
    named = [name for name in facts.of_role("market") if plain(name) not in OF_VENUES]
    market = next((word for name in named for word in facts.columns[name].words if word), "")
    return Reading(sort, found, words, top, list(_notes(facts, sort, found, top)), _unused(facts, found), market)


def _needed(sort: str, found: Mapping[str, str]) -> set[str]:
    """Return our names of the columns that rows of a sort are made of."""
    ts = {"ts", "date"}
    if sort in (MET, MIXED):
        return ts | {*ONE, *BOOK}
    wide = sort == QUOTES or (sort in (TOP, RUNGS) and {"bid", "ask"} <= set(found))
    return ts | {*(BOOK if wide else ONE)}


def refuse_more(facts: Facts) -> None:
    """Refuse a file whose form says what each row is, but whose other columns say more than the form has room for.

    It names no option but `--only` and `--ignore`: such a form heeds no other.
    """
    _refuse_markets(facts)
    for name in facts.of_role("order"):
        raise facts.error(
            f"column '{name}' is of single orders, whose messages are not read: say --ignore '{name}' if it says "
            f"nothing{facts.advice}"
        )
    for name in (*facts.of_role("what"), *facts.of_role("level"), *facts.of_role("snapshot")):
        if (values := facts.columns[name]).varies():
            raise facts.error(
                f"column '{name}' holds {values} and says of a row more than this form does: say --ignore '{name}' if "
                f"it says nothing, or --only '{name}={_first(values)}'{facts.advice}"
            )
    _refuse_unknown(facts, set(), f"for some of the rows{facts.advice}")


def _refuse_bars(facts: Facts) -> None:
    bars = facts.of_role("bar")
    if len(bars) >= BARS:
        raise facts.error(f"columns {', '.join(bars)}: bars are no ticks and are not read")


def _refuse_markets(facts: Facts) -> None:
    for name in facts.of_role("market"):
        values = facts.columns[name]
        if values.varies():
            first = min(values.words - {""})
            raise facts.error(
                f"column '{name}' holds {values}; a tape is of one market: say which with --only '{name}={first}', or "
                f"--ignore '{name}' if that is no market{facts.advice}"
            )


def _what(facts: Facts) -> tuple[str | None, Mapping[str, str], str | None]:
    """Return the column that says what each row is, its words with their meanings, and one that turns out a side."""
    mapped = facts.found.get("kind")
    names = list(dict.fromkeys([*([mapped] if mapped else []), *facts.of_role("what")]))
    understood: list[tuple[str, Mapping[str, str]]] = []
    side: str | None = None
    for name in names:
        values = facts.columns[name]
        if (is_of(values.words, PRINT_SIDES) or is_of(values.words, BOOK_SIDES)) and not is_of(values.words, ("a",)):
            if side or "side" in facts.found:
                raise facts.error(
                    f"column '{name}' holds {values}, words of a side, and so does "
                    f"'{side or facts.found['side']}': --ignore one of them, or say --column side={name}"
                )
            side = name
            continue
        if (words := _meanings(facts, values)) is not None:
            understood.append((name, words))
    telling = [(name, words) for name, words in understood if words]
    if len({frozenset(words.values()) for _, words in telling}) > 1 or sum(len(words) > 1 for _, words in telling) > 1:
        both = " and ".join(f"'{name}' ({facts.columns[name]})" for name, _ in telling)
        raise facts.error(f"columns {both} both say what a row is: --ignore all but one of them")
    return (*telling[0], side) if telling else (None, {}, side)


def _meanings(facts: Facts, values: Values) -> Mapping[str, str] | None:
    """Return the meanings of the words of a column; none where `--kind` or `--only` says all that it could."""
    kind, name = facts.options.kind, values.name
    words = {word: meaning_of(word) for word in values.words}
    if kind is not None and set(words.values()) <= ALLOWED[kind]:
        return {} if kind != "depth" else {w: "set" if m == "change" else str(m) for w, m in words.items()}
    if not values.varies() and (kind is not None or plain(name) in map(plain, facts.options.only)):
        return {}
    if None in words.values() or values.many:
        raise facts.error(
            f"column '{name}' holds {values} and may say what a row is: say --only '{name}={_first(values)}' and "
            f"--kind for rows of one sort, or --ignore '{name}' if it says nothing"
        )
    if kind is not None:
        raise facts.error(
            f"column '{name}' holds {values}, which is not all {kind}: say --only '{name}={_first(values)}', or "
            f"--ignore '{name}' if it says nothing"
        )
    if set(words.values()) & {"change", "order"}:
        raise facts.error(
            f"column '{name}' holds {values}: messages of single orders are not read. If each size is what its level "
            f"now holds, say --kind depth{_prints_alone(values)}"
        )
    return {word: str(meaning) for word, meaning in words.items()}


def _first(values: Values) -> str:
    """Return the word of a column to name in an example: one of prints, if there is one."""
    words = sorted(values.words - {""})
    return next((word for word in words if meaning_of(word) == "trade"), words[0] if words else "")


def _prints_alone(values: Values) -> str:
    """Say how the prints among messages are taken, where a word says which they are."""
    words = [word for word in sorted(values.words) if meaning_of(word) == "trade" or plain(word) in EXECUTED]
    return f"; prints alone are taken by --kind trade --only '{values.name}={words[0]}'" if words else ""


def _refuse_orders(facts: Facts) -> None:
    orders = facts.of_role("order")
    if orders and facts.options.kind != "trade":
        prints = "".join(_prints_alone(facts.columns[name]) for name in facts.of_role("what"))
        raise facts.error(
            f"column '{orders[0]}' is of single orders, whose messages are not read{prints}; if all rows are prints, "
            f"say --kind trade; if the column says nothing, --ignore '{orders[0]}'"
        )


def _level(facts: Facts) -> str | None:
    """Return the column of levels; refuse one that is no count from 0 or 1, or that a print can't have."""
    levels = facts.of_role("level")
    if not levels:
        return None
    name = levels[0]
    values = facts.columns[name]
    if len(levels) > 1:
        raise facts.error(f"columns {', '.join(levels)} may all be the level of a book: --ignore all but one of them")
    if not values.rows or (not values.varies() and plain(name) in map(plain, facts.options.only)):
        return name
    whole = values.numbers and not values.many and "" not in values.words
    if not whole or min(map(float, values.words)) not in (0, 1) or any(float(word) % 1 for word in values.words):
        raise facts.error(
            f"column '{name}' holds {values}; expected the level of a book, counted from 0 or from 1: --ignore "
            f"'{name}' if it is none"
        )
    if values.varies() and facts.options.kind == "trade":
        raise facts.error(f"column '{name}' holds {values}, and a print has no level: --ignore '{name}' if it is none")
    return name


def _refuse_unknown(facts: Facts, understood: set[str | None], rest: str) -> None:
    """Refuse columns of unknown names that may say what a row is; `rest` ends the advice, `{}` is the column's name."""
    for name, values in facts.columns.items():
        role = role_of(name)
        known = name in understood or name in facts.found.values() or role not in (None, "beside")
        if known or (not values.varies() and plain(name) in map(plain, facts.options.only)):
            continue
        if values.speaks() if role == "beside" else values.tells_rows_apart():
            raise facts.error(
                f"column '{name}' holds {values} and may say what a row is, or of which market: say --ignore '{name}' "
                f"if it says nothing, --only '{name}={_first(values)}' {rest.replace('{}', name)}"
            )


def _mixed(facts: Facts, found: Mapping[str, str]) -> str:
    """Say that a column tells the kind of each row, and refuse where a kind lacks what it needs."""
    if not {"bid", "ask"} <= set(found) and not {"price", "side"} <= set(found):
        raise facts.error(
            "rows are said to be of several kinds, but there is no side, and no bid and ask, to read them by"
        )
    return MIXED


def _by_level(facts: Facts, found: Mapping[str, str], kind: str | None) -> str:
    if not {"bid", "ask"} <= set(found) and not {"price", "side"} <= set(found):
        raise facts.error("a book by level needs a bid and an ask, or a price and a side: name them with --column")
    return RUNGS if kind == "depth" else TOP


def _plain_sort(facts: Facts, found: Mapping[str, str], kind: str | None, words: Mapping[str, str]) -> str:
    """Return the sort of a file whose rows are all of one."""
    book, price = {"bid", "ask"} <= set(found), "price" in found
    if kind == "trade":
        return _prints(facts, found)
    if kind == "depth":
        return _changes(facts, found, words)
    if kind == "quote":
        return QUOTES if book else _one_sided(facts, found, sure=facts.options.kind is not None)
    if book and price:
        return _met(facts, found)
    if book:
        return QUOTES
    if "bid" in found or "ask" in found:
        one, other = ("bid", "ask") if "bid" in found else ("ask", "bid")
        raise facts.error(
            f"there is a column for the {one} and none for the {other}: name it with --column {other}=NAME"
        )
    return _by_side(facts, found, words)


def _by_side(facts: Facts, found: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Return the sort of rows of a price, a size and a side, by what else there is, and by the words of the side."""
    prints = _of_prints(facts, found)
    updates = [*facts.of_role("update"), *facts.of_role("snapshot")]
    if prints and updates:
        raise facts.error(
            f"columns '{prints[0]}' and '{updates[0]}' speak of prints and of changes of a book: say --kind trade or "
            "--kind depth"
        )
    if prints:
        return _prints(facts, found)
    if updates:
        return _changes(facts, found, words)
    side = facts.columns[found["side"]] if "side" in found else None
    if side is None or not is_of(side.words, (*BOOK_SIDES, *PRINT_SIDES)):
        return _prints(facts, found)  # A word that is no side is refused by its line.
    if is_of(side.words, PRINT_SIDES) and not is_of(side.words, ("b",)):
        return _prints(facts, found)
    if is_of(side.words, BOOK_SIDES) and not is_of(side.words, ("b",)):
        return _one_sided(facts, found, sure=False)
    raise facts.error(
        f"column '{side.name}' holds {side}: neither buy and sell alone, as of prints, nor bid and ask alone, as of "
        "a book: say --kind trade, quote or depth"
    )


def _of_prints(facts: Facts, found: Mapping[str, str]) -> list[str]:
    """Return the columns that only prints have."""
    named = [theirs for theirs in found.values() if plain(theirs) in map(plain, OF_PRINTS)]
    return [*facts.of_role("print"), *named, *([found["buyer_maker"]] if "buyer_maker" in found else [])]


def _prints(facts: Facts, found: Mapping[str, str]) -> str:
    """Refuse prints that have no price, or whose sides are not sure, or stand as those of a book do."""
    for name in ("price", "size"):
        if name not in found and not (name == "size" and "signed_size" in found):
            raise facts.error(
                f"has no column for the {name} of its prints among {', '.join(facts.names)}: name it with --column "
                f"{name}=NAME"
            )
    _refuse_numbered_sides(facts, found)
    if facts.options.kind is None and facts.signs.mostly(below=True, share=0.9):
        raise facts.error(
            f"what '{found['side']}' calls bought lies below what it calls sold in nearly all rows: a book, or prints "
            "with the side of the maker: say --kind quote (each row moves one side of the top), --kind depth (each row "
            f"says what its level now holds), or --kind trade, with --ignore {found['side']} if it is the maker's"
        )
    return PRINTS


def _refuse_numbered_sides(facts: Facts, found: Mapping[str, str]) -> None:
    """Refuse sides of 1 without -1: where 0 and 1 tell the sides, one of them means sold, and which is not said."""
    if "side" not in found or set(facts.found) >= OWN_EXPORT or "side" in facts.options.columns:
        return
    side = facts.columns[found["side"]]
    if side.numbers and "1" in side.words and "-1" not in side.words:
        raise facts.error(
            f"column '{side.name}' holds {side}: whether 1 is bought is not said; expected 1 and -1, or words. Say "
            f"--column side={side.name} if it is (0 is then unknown), --ignore '{side.name}' if not"
        )


def _one_sided(facts: Facts, found: Mapping[str, str], sure: bool) -> str:
    if not {"price", "side"} <= set(found):
        raise facts.error("a quote needs a bid and an ask, or a price and a side: name them with --column")
    _refuse_numbered_sides(facts, found)
    signs, ask = facts.signs, "say --kind quote (each row moves one side of the top), --kind depth (each row says what "
    ask += "its level now holds), or --kind trade"
    if sure:
        return ONE_SIDED
    if signs.zero_sizes:
        raise facts.error(f"sides of a book and sizes of zero, as changes of depth have: {ask}")
    if signs.crowded:
        raise facts.error(f"one side of a book has several prices at one time, as changes of depth have: {ask}")
    if signs.mostly(below=False, share=0.5):
        raise facts.error(f"sides of a book, but bids lie above asks in most rows, as in prints: {ask}")
    return ONE_SIDED


def _met(facts: Facts, found: Mapping[str, str]) -> str:
    """Take a print with the quote that it met, if it is sure that the price is of a print."""
    if plain(found["price"]) in ("last", "lastprice") or "size" not in found:
        raise facts.error(
            f"has '{found['price']}' beside a bid and an ask: a print in each row, or the last one told again and "
            "again? Say --kind trade or --kind quote"
        )
    _refuse_numbered_sides(facts, found)
    return MET


def _changes(facts: Facts, found: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Refuse changes of depth that lack what a level is told by."""
    if missing := [name for name in ("price", "size", "side") if name not in found]:
        raise facts.error(
            f"changes of depth need a {missing[0]}: name it with --column {missing[0]}=NAME; "
            f"{_columns_with(words)}".removesuffix("; ")
        )
    _refuse_numbered_sides(facts, found)
    return CHANGES


def _columns_with(words: Mapping[str, str]) -> str:
    return f"its rows are {', '.join(sorted(words))}" if words else ""


def _marks(facts: Facts) -> dict[str, str | None]:
    """Return the columns that say where a snapshot begins: whether a row is of one, and which update it tells of."""
    marks: dict[str, str | None] = {}
    if snapshots := facts.of_role("snapshot"):
        name = snapshots[0]
        values = facts.columns[name]
        if values.rows and (not is_of(values.words, (*TRUE, *FALSE)) or "" in values.words):
            raise facts.error(
                f"column '{name}' holds {facts.columns[name]}; expected true and false: --ignore '{name}'"
            )
        marks["snapshot"] = name
    last = [name for name in facts.of_role("update") if plain(name) in ("lastupdateid", "finalupdateid", "updateid")]
    if last and facts.columns[last[0]].numbers:
        marks["update"] = last[0]
    return marks


def _notes(facts: Facts, sort: str, found: Mapping[str, str], top: int) -> Iterator[str]:
    """Say what was taken for what."""
    named = (ours if ours == theirs else f"{ours} from '{theirs}'" for ours, theirs in found.items())
    yield f"read as {sort}: {', '.join(named)}"
    if sort == TOP:
        yield f"level {top} is taken as the top, deeper ones are not: --kind depth takes all"
    if sort == PRINTS and "side" in found and is_of(facts.columns[found["side"]].words, BOOK_SIDES):
        yield "a print's bid is taken as bought, its ask as sold"
    if sort == MIXED and {"price", "bid"} <= set(found):
        yield "of a print its price, of a quote its bid and ask; what else stands in such a row is not taken"


def _unused(facts: Facts, found: Mapping[str, str]) -> list[str]:
    return [name for name in facts.names if name not in found.values()]
