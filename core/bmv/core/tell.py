"""The way of every event, in every mode: kept, decided upon, asked for."""

from bmv.core.engine import Engine
from bmv.ports.execution import Execution
from bmv.ports.messages import Event
from bmv.ports.storage import Journal


def tell(engine: Engine, execution: Execution, journal: Journal, event: Event) -> None:
    """Tell the engine `event`, and the world what the engine asks for in answer.

    Nothing here waits: what becomes of an intent is a later event. Every intent is kept before any of them is sent.
    """
    journal.event(event)
    batch = engine.on(event)
    for intent in batch:
        journal.intent(intent)
    if batch:
        execution.submit(batch)
