"""`bmv sandbox`: a chain of one's own with a living OpenBook market, without keys, coins or network."""

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import click

from bmv.adapters.cli.options import JSON, Local
from bmv.data.files.writing import whole_file
from bmv.ports.errors import UsageError

if TYPE_CHECKING:
    from bmv.adapters.openbook.book import Lots
    from bmv.adapters.sandbox.script import Row
    from bmv.adapters.sandbox.wiring import Sandbox, Settings

FOLDER = "sandbox"
PORT = 8899  # As a validator's; the websocket is on the next.
SYMBOL = "SOL/USDC"
SPEED_MAX = 1_000
NS = 10**9
OURS = "# The sandbox that wrote this."  # In each configuration, so that no wallet of another's is overwritten.


class Start(click.ParamType[int]):
    """A time, or "now", in ns UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return `value` as ns since 1970 UTC, or refuse it as wrong use."""
        if isinstance(value, int):
            return value
        if value == "now":
            return int(datetime.now(UTC).timestamp()) * NS
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; expected such as now, 2026-11-01 or 2026-11-01T12:00:00Z", param, ctx)
        return int(time.replace(tzinfo=time.tzinfo or UTC).timestamp()) * NS


@click.command()
@click.option("--venue", type=click.Choice(["openbook-v1", "openbook-v2"]), default="openbook-v2", show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True, help="Of keys, price and takers.")
@click.option("--tape", type=Local(), help="Ticks to trade along, again and again; a made-up market if absent.")
@click.option(
    "--speed",
    type=click.FloatRange(0, SPEED_MAX, min_open=True),
    default=1.0,
    show_default=True,
    help="How many times as fast as a real chain it goes.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_533),
    default=PORT,
    show_default=True,
    help="Of RPC; websocket and control are on the two after it. 0: any.",
)
@click.option(
    "--consensus",
    type=click.Choice(["alpenglow", "tower"]),
    default="alpenglow",
    show_default=True,
    help="When a block is final: one block later, or 31.",
)
@click.option("--slot-ms", type=click.IntRange(10, 10_000), default=200, show_default=True, help="Length of a slot.")
@click.option("--rent", type=click.IntRange(1, 100_000), default=5080, show_default=True, help="Lamports a byte.")
@click.option(
    "--landing",
    type=click.Choice(["calm", "busy"]),
    default="calm",
    show_default=True,
    help="How transactions land through Jito: all of them, or by auctions against others, some lost.",
)
@click.option("--start", type=Start(), help="The chain's time at its start, or now; the same each time if absent.")
@click.option(
    "--out", type=Local(), default=Path(FOLDER), show_default=True, help="Folder of configuration and wallet."
)
@JSON
def sandbox(
    venue: str,
    seed: int,
    tape: Path | None,
    speed: float,
    port: int,
    consensus: str,
    slot_ms: int,
    rent: int,
    landing: str,
    start: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Run a chain on this machine with an OpenBook market on it, until Ctrl-C.

    Makers and takers trade there along a tape or by a seed. The first line names where it is and what it has written:
    a configuration that every other command takes, and a funded wallet. BMV_OPENBOOK_V1_SO and BMV_OPENBOOK_V2_SO name
    the genuine programs, if you have them; else they are played by doubles.

    \b
    Examples:
      bmv sandbox
      bmv sandbox --venue openbook-v1 --speed 20 --json
      bmv sandbox --tape lake/SOL-USDC --consensus tower
    """
    from bmv.adapters.sandbox import clock, wiring

    _refuse_strange(out)
    lots, price, rows = _market_of(tape)
    settings = wiring.Settings(
        venue=venue,
        seed=seed,
        consensus=consensus,
        slot_ms=slot_ms,
        speed=speed,
        port=port,
        lamports_per_byte=rent,
        lots=lots or wiring.LOTS,
        start_ticks=price or wiring.START_TICKS,
        start_ns=clock.START_NS if start is None else start,
        rows=rows,
        landing=wiring.LANDINGS[landing],
        start=token_hex(16),
    )
    asyncio.run(_run(settings, out, as_json))


async def _run(settings: "Settings", out: Path, as_json: bool) -> None:
    """Start, write what others need, say so, and go on until broken off."""
    from bmv.adapters.sandbox.wiring import make_sandbox

    box = make_sandbox(settings)
    try:
        await box.start()
    except OSError as error:
        await box.stop()
        raise UsageError(
            f"port {settings.port}: can't be listened on ({error.strerror}); give another --port"
        ) from None
    try:
        facts = _facts(box, out)
        click.echo(json.dumps(facts) if as_json else "  ".join(f"{name} {fact}" for name, fact in facts.items()))
        await box.wait()
    finally:
        await box.stop()


def _facts(box: "Sandbox", out: Path) -> dict[str, str]:
    """Write wallet and configuration; return what the first line says."""
    wallet, config = out / "wallet.json", out / "bmv.toml"
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(config) as half_done:  # First: it marks the folder as a sandbox's.
            half_done.write_text(_configuration(box, wallet), encoding="utf-8")
        _write_secret(wallet, json.dumps(list(bytes(box.world.user.key))))
    except OSError as error:
        raise UsageError(f"{out}: can't be written: {error.strerror}") from None
    return {
        "rpc": box.node.rpc_url,
        "websocket": box.node.websocket_url,
        "market": str(box.world.market.address),
        "wallet": str(wallet),
        "config": str(config),
        "control": box.control.url,
        "venue": box.settings.venue,
        "program": "genuine" if box.world.genuine else "double",
    }


def _refuse_strange(out: Path) -> None:
    """Refuse a folder that holds a wallet or a configuration which no sandbox wrote: both would be overwritten."""
    wallet, config = out / "wallet.json", out / "bmv.toml"
    try:
        written = OURS in config.read_text(encoding="utf-8")
    except (OSError, ValueError):
        written = False
    for path in (wallet, config):
        if path.exists() and not written:
            raise UsageError(
                f"{path}: there already, and not a sandbox's, so it is not overwritten; give another --out"
            )


def _write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner reads."""
    half_done = path.with_suffix(".part")
    half_done.unlink(missing_ok=True)
    with os.fdopen(os.open(half_done, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    half_done.replace(path)


def _configuration(box: "Sandbox", wallet: Path) -> str:
    """Return a starter for the market, with the way to it."""
    from bmv.adapters.cli.starter import Guess, text
    from bmv.adapters.sandbox.market import MAKER_FEE_BPS, TAKER_FEE_BPS
    from bmv.adapters.sandbox.wiring import USER_BASE, USER_QUOTE

    lots = box.world.market.lots
    tick, lot = (Decimal(step.numerator) / Decimal(step.denominator) for step in (lots.tick, lots.lot))
    price = tick * box.settings.start_ticks
    fees = Decimal(MAKER_FEE_BPS), Decimal(TAKER_FEE_BPS)
    starter = text(Guess(SYMBOL, tick, lot, price, "the sandbox's market", *fees))
    venue = f'venue = "{box.settings.venue}"\naddress = "{box.world.market.address}"'
    ours = {
        'venue = "sim"': venue,
        "start_base ": f'start_base = "{USER_BASE}"         # base; what the wallet holds, and the target',
        "# target =": f'# target = "{USER_BASE}"           # base wanted; start_base if absent',
        "start_quote ": f'start_quote = "{USER_QUOTE}"      # quote; what the wallet holds',
    }
    lines = [next((ours[head] for head in ours if line.startswith(head)), line) for line in starter.splitlines()]
    return "\n".join([*lines, *_live(box, wallet)]) + "\n"


def _live(box: "Sandbox", wallet: Path) -> list[str]:
    return [
        "",
        f"[live]                      {OURS}",
        f"endpoints = [{json.dumps(box.node.rpc_url)}]",
        f"websocket = {json.dumps(box.node.websocket_url)}",
        f"wallet = {json.dumps(str(wallet.resolve()))}",
        *_routes(box),
        "",
        "[storage]",
        f"ticks = {json.dumps(str(wallet.resolve().parent / 'ticks'))}",
        'journal = "sqlite:sessions.sqlite"  # Beside this file; sessions on paper and live.',
    ]


def _routes(box: "Sandbox") -> list[str]:
    """Return the sandbox's Jito, relay and node as routes, each line behind a mark: they are there to be tried."""
    from bmv.adapters.sandbox.relay import LEAST_TIP, TIP_ACCOUNTS

    rpc, stream = box.node.rpc_url, f"{box.node.websocket_url}/api/v1/bundles/tip_stream"
    tables = [
        ["[live.jito]", f'floor = "{rpc}"', f'floor_stream = "{stream}"', "max_tip_lamports_per_hour = 5_000_000"],
        [
            "[[live.routes]]",
            'name = "jito"',
            'kind = "jito"',
            f'regions = {{ ny = "{rpc}/ny", tokyo = "{rpc}/tokyo" }}',
        ],
        ["[[live.routes]]", 'name = "rpc"', 'kind = "rpc"', f'url = "{rpc}"', "after_slots = 8", "after_s = 2"],
        [
            "[[live.routes]]",
            'name = "relay"',
            'kind = "relay"',
            f'url = "{rpc}/relay"',
            f"tip_accounts = {json.dumps([str(key) for key in TIP_ACCOUNTS])}",
            f"least_tip_lamports = {LEAST_TIP}",
        ],
    ]
    lines = [line for table in tables for line in ("", *table)]
    return ["", "# Routes to try; docs/landing.md says what each does.", *(f"# {line}".rstrip() for line in lines[1:])]


def _market_of(tape: Path | None) -> "tuple[Lots | None, int | None, Callable[[], Iterable[Row]] | None]":
    """Return the units and the first price of a tape's market, and its rows, made anew each time."""
    if tape is None:
        return None, None, None
    from bmv.adapters.cli.starter import guess
    from bmv.adapters.parquet.tape import ParquetTape
    from bmv.adapters.sandbox.script import along, lots_of
    from bmv.ports.market import Market

    found = guess(tape)
    lots, each = lots_of(found.tick, found.lot)
    market = Market(found.symbol, found.tick, found.lot)
    price = int(found.price / found.tick)
    return lots, price, lambda: along(ParquetTape([tape], market).batches(), each)
