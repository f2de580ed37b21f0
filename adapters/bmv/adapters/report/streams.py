"""What is printed, on a terminal that can't write all of it: each character it lacks becomes one that it has.

Old consoles, some services and Windows write ASCII, Latin-1 or cp1252. The command gives its two streams an error
handler at its door, so that nothing which prints has to know, libraries included. Files are written in UTF-8 whatever
the streams are.
"""

import codecs
import json
import re
import sys
import unicodedata
from io import TextIOWrapper

HANDLER = "bmv.likeness"
# ASCII under a name of our own: Click takes a stream that calls itself ASCII for a mistake, and writes UTF-8 to it.
ASCII = "bmv_ascii"

ALIKE = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": "x", "·": ".", "…": "...", "→": "->", "←": "<-", "±": "+-",
    "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "√": "sqrt ", "∞": "inf", "µ": "u", "μ": "u", "°": " deg",
    "✓": "v", "✗": "x",
    "‹": "<", "›": ">", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "«": '"', "»": '"', "•": "*", "\u00a0": " ",
    "█": "#", "▏": "|", "╸": "-", "╺": "-",
}  # fmt: skip
BOX = range(0x2500, 0x2580)
BRAILLE = range(0x2800, 0x2900)  # What spinners are drawn with.


def likeness(character: str) -> str:
    """Return what stands for a character in ASCII; of one without any likeness, its number as Python writes it.

    >>> [likeness(each) for each in "−×…é┃━²γ中"]
    ['-', 'x', '...', 'e', '|', '-', '2', 'gamma', '\\\\u4e2d']
    """
    if character.isascii():
        return character
    if character in ALIKE:
        return ALIKE[character]
    if ord(character) in BOX:
        return _line(character)
    if ord(character) in BRAILLE:
        return "*"
    return _letters(character)


def _line(character: str) -> str:
    name = unicodedata.name(character)
    if "HORIZONTAL" in name and "VERTICAL" not in name and not {"UP", "DOWN"} & set(name.split()):
        return "-"
    return "|" if "VERTICAL" in name and "HORIZONTAL" not in name and not {"LEFT", "RIGHT"} & set(name.split()) else "+"


def _letters(character: str) -> str:
    """Return a letter without its accents, a Greek one by its name."""
    apart = unicodedata.normalize("NFKD", character)
    if apart != character and (plain := "".join(map(likeness, apart))).isascii() and "\\" not in plain:
        return plain
    if unicodedata.combining(character):
        return ""
    name = unicodedata.name(character, "")
    if name.startswith("GREEK") and "LETTER " in name:
        word = name.rpartition(" ")[2].lower()
        return word.capitalize() if "CAPITAL" in name else word
    return character.encode("ascii", "backslashreplace").decode("ascii")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(likeness, error.object[error.start : error.end])), error.end


def _find(name: str) -> codecs.CodecInfo | None:
    """Return ASCII when it is asked for by our name for it."""
    if name != ASCII:
        return None
    known = codecs.lookup("ascii")
    return codecs.CodecInfo(
        known.encode, known.decode, known.streamreader, known.streamwriter,
        known.incrementalencoder, known.incrementaldecoder, ASCII,
    )  # fmt: skip


def make_legible() -> None:
    """Let standard output and standard error replace what they can't write, in place of raising."""
    codecs.register_error(HANDLER, _replace)
    codecs.register(_find)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            plain = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=ASCII if plain else stream.encoding, errors=HANDLER)


def say_json(written: bytes) -> None:
    """Print JSON; where standard output is not UTF-8, what is not ASCII by its number, so that nothing is lost.

    Args:
        written: The JSON as UTF-8, without an end of line.
    """
    text = written.decode()
    if not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf"):
        text = re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text)
    print(text, flush=True)
