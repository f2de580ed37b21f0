"""Steps in order, cut into as few transactions as hold them; the venue renders each run of steps as instructions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from solders.hash import Hash
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from bmv.adapters.openbook.planning.budget import LIMITING, Fee, Head, Shape, loaded_limit, size_of, units_limit
from bmv.adapters.openbook.planning.orders import Cancel, Place
from bmv.adapters.openbook.planning.plan import Part
from bmv.adapters.openbook.planning.routes import LOCKS_MAX, TRACE_MAX, UNITS_MAX, Form
from bmv.adapters.openbook.planning.tipping import Tipping

_ANY_HASH = Hash.default()


class TooLarge(ValueError):
    """A single step that fits into no transaction."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is done in one go, and never cut.

    Args:
        cancels: Orders that it cancels.
        places: Orders that it places, each with the client id that it gets.
        cranks: Events it takes.
        owners: Traders' accounts that it names, beside ours.
        settles: Whether it is the settlement.
        rendered: What does it; None: the venue puts it together with the steps beside it.
    """

    cancels: tuple[Cancel, ...] = ()
    places: tuple[tuple[Place, int], ...] = ()
    cranks: int = 0
    owners: tuple[Pubkey, ...] = ()
    settles: bool = False
    rendered: "Rendered | None" = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """Steps as a venue does them.

    Args:
        instructions: In order.
        units: Compute units as measured.
        calls: Instructions of other programs that those call, at most: a transfer for each order that a wallet pays.
    """

    instructions: tuple[Instruction, ...]
    units: int
    calls: int = 0


def together(rendered: Iterable[Rendered]) -> Rendered:
    """Return one after the other."""
    each = list(rendered)
    instructions = tuple(one for some in each for one in some.instructions)
    return Rendered(instructions, sum(some.units for some in each), sum(some.calls for some in each))


Render = Callable[[Sequence[Step]], Rendered]


@dataclass(frozen=True, slots=True)
class Frame:
    """What every part has in common.

    Args:
        form: Version and size.
        payer: Pays, and signs.
        fee: For priority.
        shape: What the venue's steps take.
        tipping: A tip, behind the instructions of every part that cancels or places; None: none.
    """

    form: Form
    payer: Pubkey
    fee: Fee
    shape: Shape
    tipping: Tipping | None = None


def pack(steps: Sequence[Step], render: Render, frame: Frame) -> list[Part]:
    """Return the fewest parts that hold the steps in their order; each takes as many steps as fit."""
    parts = []
    at = 0
    while at < len(steps):
        part, n = _longest(steps[at:], render, frame)
        parts.append(part)
        at += n
    return parts


def _longest(steps: Sequence[Step], render: Render, frame: Frame) -> tuple[Part, int]:
    """Return a part of as many of the first steps as fit. Bisection: more steps never make a smaller part."""
    whole = part_of(steps, render, frame)
    if whole is not None:
        return whole, len(steps)
    fits, fails, best = 0, len(steps), None
    while fails - fits > 1:
        middle = (fits + fails) // 2
        part = part_of(steps[:middle], render, frame)
        if part is None:
            fails = middle
        else:
            fits, best = middle, part
    if best is None:
        raise TooLarge(f"{steps[0]} does not fit into {frame.form.bytes_max} bytes of version {frame.form.version}")
    return best, fits


def part_of(steps: Sequence[Step], render: Render, frame: Frame) -> Part | None:
    """Return one transaction of these steps; None where it would be too large for the chain or a route."""
    rendered = render(steps)
    units = frame.shape.base + rendered.units
    tipping = frame.tipping if any(step.cancels or step.places for step in steps) else None
    tips = [] if tipping is None else [tipping.instruction(frame.payer, units_limit(units))]
    instructions = [*rendered.instructions, *tips]
    owners = {owner for step in steps for owner in step.owners}
    traced = len(instructions) + LIMITING[frame.form.version] + rendered.calls
    if units_limit(units) >= UNITS_MAX or traced > TRACE_MAX:
        return None
    limit = units_limit(units)
    loaded = loaded_limit(frame.shape.loaded + frame.shape.loaded_each * len(owners))
    head = Head(frame.form.version, frame.payer, limit, loaded, frame.fee.price(limit), frame.fee.lamports(limit))
    message = head.message(instructions, _ANY_HASH)
    size = size_of(message)
    if size > frame.form.bytes_max or len(message.account_keys) > LOCKS_MAX:
        return None
    return Part(
        head=head,
        instructions=tuple(instructions),
        size=size,
        cancels={
            (one.intent, one.order.order_id if one.order else 0): one.client_id
            for step in steps
            for one in step.cancels
        },
        places={one.intent: client_id for step in steps for one, client_id in step.places},
        cranks=sum(step.cranks for step in steps),
        settles=any(step.settles for step in steps),
        tip=0 if tipping is None else tipping.lamports(limit),
        tip_route="" if tipping is None else tipping.route,
    )
