"""One of three venues does whatever it likes, for long, over real sockets; the price is never its."""

import asyncio
from fractions import Fraction
from random import Random

import pytest
from exchange import binance, coinbase, kraken, until
from test_reference import ALL, Scene, play, three

from bmv.adapters.prices.consensus import ReferencePrice
from bmv.adapters.prices.settings import BPS

STEPS = 60


@pytest.mark.parametrize("seed", range(9))
def test_whatever_one_of_three_venues_does_the_price_is_that_of_the_others_or_none(seed: int) -> None:
    dice = Random(seed)
    bad = ALL[seed % 3]
    right = [name for name in ALL if name != bad]
    told, priced = set[str](), 0

    async def scene(at: Scene) -> None:
        nonlocal priced
        await at.ready(*ALL)
        mid = 15_000
        for _ in range(STEPS):
            mid += dice.randint(-40, 40)
            mids = [mid + dice.randint(-10, 10) for _ in right]
            for name, ticks in zip(right, mids, strict=True):
                await at.say(name, f"{ticks / 100:.2f}")
            misdeed = dice.choice(sorted(MISDEEDS))
            told.add(misdeed)
            await misbehave(at, bad, misdeed, f"{mid / 100:.2f}", dice)

            price = at.prices.price
            if isinstance(price, ReferencePrice):
                priced += 1
                assert min(mids) <= price.mid * 100 <= max(mids), (misdeed, price, mids)
            await at.move(dice.choice([0.1, 0.5, 2.0]))

        assert set(at.told) <= set(range(mid - 40 * STEPS - 10, mid + 40 * STEPS + 11)) | {0}

    play(scene, three, rules={"max_jump": Fraction(200, BPS)})

    assert priced > STEPS // 2
    assert told == MISDEEDS


MISDEEDS = {"jump", "unit", "repeat", "silence", "garbage", "cut", "another pair", "no market", "right"}


async def misbehave(at: Scene, venue: str, misdeed: str, price: str, dice: Random) -> None:
    """Let a venue do one thing, and wait until it has been heard, if anybody listens."""
    if not at.exchange.listeners(venue):
        await at.move(1)
        await asyncio.sleep(0.01)
        return
    state = at.prices.states[f"{venue} SOL/USD"]
    if misdeed == "silence":
        return
    if misdeed == "cut":
        for client in list(at.exchange.clients(venue)):
            client.transport.abort()
        await until(lambda: not at.exchange.listeners(venue))
        return
    before = state.messages
    await at.exchange.say(venue, message(at, venue, misdeed, price, dice))
    await until(lambda: state.messages > before)
    if misdeed in ("garbage", "another pair"):
        await until(lambda: not at.exchange.listeners(venue))


def message(at: Scene, venue: str, misdeed: str, price: str, dice: Random) -> str:
    at.updates += misdeed != "repeat"
    symbol = {"binance": "SOLUSD", "coinbase": "SOL-USD", "kraken": "SOL/USD"}[venue]
    bid = ask = price
    if misdeed == "jump":
        bid = ask = f"{float(price) * dice.choice([0.5, 0.97, 1.03, 2, 10]):.2f}"
    elif misdeed == "unit":
        bid = ask = f"{float(price) * dice.choice([0.01, 0.92, 100, 149.2]):.2f}"
    elif misdeed == "another pair":
        symbol = symbol.replace("USD", "EUR")
    elif misdeed == "no market":
        bid, ask = dice.choice([("0", price), (price, "0"), (price, "1"), ("1", price)])
    elif misdeed == "garbage":
        return dice.choice(["", "{", "[]", "null", '{"u":1}', '{"channel":"ticker"}', '{"type":"ticker"}', "\x00"])
    if venue == "binance":
        return binance(symbol, bid, ask, at.updates)
    if venue == "coinbase":
        return coinbase(symbol, bid, ask, at.updates, at.stamp())
    return kraken(symbol, bid, ask, at.stamp())
