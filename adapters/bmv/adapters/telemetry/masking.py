"""What is logged, made plain and without secrets: the last thing that is done to it."""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from bmv.adapters.telemetry.keys import MASK, mask_keys

SECRET = re.compile(
    r"passw(?:or)?d|passphrase|pwd|secret|mnemonic|private|token$|api_?key|authorization", re.IGNORECASE
)  # In the name of a value.
TEXT_MAX = 8_192  # Characters of one value.
DEPTH_MAX, ITEMS_MAX = 6, 200
Plain = dict[str, Any]  # Any: whatever is logged.


class Masker:
    """Makes an event of the log plain: text, numbers, lists and tables, with nothing secret in any of them.

    Args:
        mask: Hides what is secret in URLs and settings, and whatever words it was told of.
    """

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask

    def __call__(self, event: Mapping[str, Any]) -> Plain:
        """Return an event without secrets; whatever its values are, it does not raise."""
        return {self.text(str(name)): self._named(str(name), value, DEPTH_MAX) for name, value in event.items()}

    def text(self, text: str) -> str:
        """Return a text without secrets, cut where it is too long: after it was masked, or a cut could hide one."""
        masked = self._mask(mask_keys(text))
        return masked if len(masked) <= TEXT_MAX else f"{masked[:TEXT_MAX]}… ({len(masked)} characters)"

    def _named(self, name: str, value: Any, depth: int) -> Any:  # Any: as above.
        if SECRET.search(name) and value is not None and not isinstance(value, bool):
            return MASK
        return self._plain(value, depth)

    def _plain(self, value: Any, depth: int) -> Any:  # Any: as above.
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return value if -(2**63) <= value < 2**64 else str(value)  # JSON's writer takes no other.
        if isinstance(value, str):
            return self.text(value)
        if depth and isinstance(value, Mapping):
            inner = list(value.items())[:ITEMS_MAX]
            return {self.text(str(name)): self._named(str(name), each, depth - 1) for name, each in inner}
        if depth and isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray):
            return self._list(value, depth)
        return self._repr(value)

    def _list(self, value: Sequence[Any] | Set[Any], depth: int) -> Any:  # Any: as above.
        items = list(value)[:ITEMS_MAX]
        if all(isinstance(each, int | str) for each in items):  # A key may be an array of numbers, or a list of words.
            numbers, words = (between.join(map(str, items)) for between in (",", " "))
            if numbers != mask_keys(numbers) or words != mask_keys(words):
                return MASK
        return [self._plain(each, depth - 1) for each in items]

    def _repr(self, value: object) -> str:
        if isinstance(value, bytes | bytearray):  # It may be a key, and nobody reads bytes.
            return f"<{len(value)} bytes>"
        try:
            return self.text(repr(value))
        except Exception as error:
            return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
