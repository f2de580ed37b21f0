"""Whatever the bytes of queue, heap and logs: our fills, or a declared error, and then nothing was counted."""

from base64 import b64decode, b64encode
from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from tests.rigs.fills import FloodGame, Game

from bmv.adapters.openbook.errors import Malformed
from bmv.adapters.openbook.fills.fill import Logged, Read
from bmv.adapters.openbook.fills.v1 import OwnFillsV1
from bmv.adapters.openbook.logs import PREFIX
from bmv.adapters.openbook.v1.events import EventQueue
from bmv.adapters.openbook.v2.heap import EventHeap
from bmv.adapters.openbook.v2.open_orders import OpenOrdersAccount

TRIES = 300


def damaged(data: bytes, dice: Random, within: int) -> bytes:
    """Return bytes of which a few of the first `within` are others."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        changed[dice.randrange(min(within, len(data)))] = dice.choice((0, 1, 2, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    return bytes(changed)


def damaged_line(line: str, dice: Random) -> str:
    """Return a line of a log with other data, or cut, or doubled."""
    roll = dice.random()
    if line.startswith(PREFIX) and roll < 0.7:
        data = b64decode(line.removeprefix(PREFIX))
        data = damaged(data, dice, len(data)) if roll < 0.6 else data[: dice.randrange(len(data))]
        return PREFIX + b64encode(data).decode()
    at = dice.randrange(len(line) + 1)
    return line[:at] + dice.choice(("", "é", "\n", PREFIX, line)) + line[at + dice.randrange(3) :]


def damaged_logs(logs: list[Logged], dice: Random) -> list[Logged]:
    """Return logs of which one has a line damaged, lost, doubled or cut short."""
    changed = list(logs)
    number = dice.choice([at for at, one in enumerate(logs) if one.logs.lines])
    slot, one = logs[number]
    lines = list(one.lines)
    at = dice.randrange(len(lines))
    ways = ([damaged_line(lines[at], dice)], [], ["Log truncated"], [lines[at]] * 2)
    lines[at : at + 1] = dice.choice((ways[0], ways[0], ways[0], *ways[1:]))
    changed[number] = Logged(slot, replace(one, lines=tuple(lines)))
    return changed


def lively(game: Game) -> Game:
    """Return a game in which much happened since its mark."""
    for _ in range(40):
        game.quote()
        game.others_take()
        game.take()
        game.crank()
        game.pass_slots()
    return game


def read_damaged(game: Game, dice: Random) -> Read:
    """Read what happened with something in it damaged."""
    stage, reader = game.stage, game.reader.reader
    logs, slot = game.reader.logs(), stage.world.chain.slot
    logs = [one for one in logs if one.slot > reader.mark.slot]
    hurt = dice.choice(("events", "account", "logs", "logs"))
    logs = damaged_logs(logs, dice) if hurt == "logs" else logs
    state = stage.state
    if isinstance(reader, OwnFillsV1):
        data = stage.data(state.event_q)
        queue = EventQueue.decode(damaged(data, dice, 40_000) if hurt != "logs" else data)
        return reader.read(slot, queue, logs)
    events, account = stage.data(state.event_heap), stage.data(stage.seat.open_orders)
    events = damaged(events, dice, 2_000) if hurt == "events" else events
    account = damaged(account, dice, 400) if hurt == "account" else account
    return reader.read(slot, EventHeap.decode(events), OpenOrdersAccount.decode(account), logs)


@pytest.mark.parametrize("venue", ["openbook-v1", "openbook-v2"])
def test_damaged_sources_give_fills_or_a_declared_error_that_counts_nothing(venue: str) -> None:
    game: Game
    if venue == "openbook-v1":
        game = FloodGame(venue, 1)
        game.flood()  # So that logs are looked at.
    else:
        game = lively(Game(venue, 1))
    mark, dice, ends = game.reader.reader.mark, Random(5), Counter[str]()

    for _ in range(TRIES):
        game.reader.restart(mark)
        reader = game.reader.reader
        before = reader.mark
        try:
            read_damaged(game, dice)
            ends["read"] += 1
        except Malformed:
            ends["refused"] += 1
            assert reader.mark is before

    assert min(ends["read"], ends["refused"]) > 5, ends
