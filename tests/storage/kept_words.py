"""Words of sessions, drawn by chance or counted."""

from hypothesis import strategies as st

from bmv.ports.messages import Event, Intent
from bmv.ports.storage import Note, SessionStore, Word

INT64 = st.integers(-(2**63), 2**63 - 1)
NOTES = st.builds(Note, INT64, st.text(max_size=8), st.text(max_size=20))
WORDS = st.one_of(
    st.lists(INT64, min_size=2, max_size=13).map(lambda fields: Event(*fields)),
    st.lists(INT64, min_size=2, max_size=8).map(lambda fields: Intent(*fields)),
    NOTES,
)


def counted(start: int, stop: int) -> list[Word]:
    """Return words of every sort, each told from every other by its number."""
    sorts = (lambda n: Event(1, n, price=n), lambda n: Intent(1, n, n, level=2), lambda n: Note(n, "why", f"{n} ½\0"))
    return [sorts[number % 3](number) for number in range(start, stop)]


async def told(store: SessionStore, session: str = "s", first: int = 0) -> list[Word]:
    """Return the words of a session from a number on."""
    return [word async for page in store.read(session, first) for word in page]
