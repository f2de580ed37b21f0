"""Which routes get a batch, in which form, in which order, and whom its tip is for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bmv.adapters.openbook.planning.packing import TooLarge
from bmv.adapters.openbook.planning.plan import Part, Plan
from bmv.adapters.openbook.planning.routes import Form, Route, common_form
from bmv.adapters.openbook.planning.tipping import Purpose, Tipping, TipPolicy
from bmv.adapters.solana.sending.attempt import Leg
from bmv.data.landing.model import UNITS
from bmv.data.landing.tips import PERCENTILES, TipFloor


@dataclass(frozen=True, slots=True)
class Course:
    """What a batch is built for.

    Args:
        routes: Those that it may go by, in order. Empty: by all ways there are, at once.
        form: That all of them take.
        tipping: For the one that is tipped; None: nobody is.
        urgent: Whether all of them get it at once.
    """

    routes: tuple[Route, ...]
    form: Form
    tipping: Tipping | None = None
    urgent: bool = False

    def legs(self, part: Part) -> tuple[Leg, ...]:
        """Return by which ways a part goes: those that take its size and version, and the tip that they want."""
        return tuple(
            Leg(route.name) if self.urgent else Leg(route.name, route.after_slots, route.after_s)
            for route in self.routes
            if route.takes(part.head.version, part.size)
            and (not route.tips or (part.tip_route == route.name and part.tip >= route.least_tip))
        )


@dataclass(slots=True)
class Routing:
    """Decides by which routes a batch goes.

    Args:
        routes: In the order of the configuration; empty: whatever ways there are, of any size, without a tip.
        tips: How much a change is worth.
        floor: Says what others tip; None: nobody knows.
        is_free: Says whether a route can be given something now, by its name.
        whole: Whether what is too large for a route goes whole by the others, and not in parts by it.
    """

    routes: Sequence[Route] = ()
    tips: TipPolicy = field(default_factory=TipPolicy)
    floor: Callable[[], TipFloor | None] = lambda: None
    is_free: Callable[[str], bool] = lambda name: True
    whole: bool = True

    @property
    def tipped(self) -> list[Route]:
        """Routes that want a tip."""
        return [route for route in self.routes if route.tips]

    def courses(self, purpose: Purpose, version: int, serial: int, room: int | None = None) -> list[Course]:
        """Return what a batch may be built for: the first, or, where that takes too many transactions, the next.

        Args:
            purpose: What the batch is for.
            version: Of the newest transactions that the chain takes.
            serial: Grows by one with each batch, and says which of a route's accounts is paid.
            room: Lamports that may still be tipped; None: any. A batch without room goes without a tip.
        """
        if not self.routes:
            return [Course((), Form(version, _bytes(version)), urgent=purpose is Purpose.CANCEL)]
        urgent = purpose is Purpose.CANCEL
        tipping = self._tipping(purpose, serial, room)
        chosen = tuple(route for route in self.routes if not route.tips or (tipping and route.name == tipping.route))
        if not chosen:
            return []
        courses = [Course(chosen, common_form(version == 1, chosen), tipping, urgent)]
        wider = tuple(route for route in chosen if not route.tips and version in route.versions) if self.whole else ()
        if wider and (form := common_form(version == 1, wider)).bytes_max > courses[0].form.bytes_max:
            courses.append(Course(wider, form, None, urgent))
        return courses

    def next_tip(self, purpose: Purpose, parts: Sequence[Part]) -> int:
        """Return what the largest tip of parts would have been one step of the published percentiles higher.

        0: nobody says what others tip, or there is no tip.
        """
        tipped = max(parts, key=lambda part: part.tip, default=None)
        floor = self.floor()
        if tipped is None or not tipped.tip or floor is None:
            return 0
        above = next((each for each in PERCENTILES if each > self.tips.percentile(purpose)), PERCENTILES[-1])
        return int(floor.tip(above) * tipped.head.units / UNITS)

    def _tipping(self, purpose: Purpose, serial: int, room: int | None) -> Tipping | None:
        """Return the tip of a batch: one route is tipped, the first that can be given something now."""
        most = self.tips.most if room is None else min(self.tips.most, room)
        payable = [route for route in self.tipped if route.least_tip <= most]
        if not payable:
            return None
        route = next((route for route in payable if self.is_free(route.name)), payable[0])
        account = route.tips[serial % len(route.tips)]
        return Tipping(route.name, account, self.tips.micro(purpose, self.floor()), route.least_tip, most)


def best_course(courses: Sequence[Course], made_for: Callable[[Course], Plan]) -> tuple[Plan, Course]:
    """Return the plan of the first course; of a later one only where that takes fewer transactions.

    `TooLarge` where no course has room for a step.
    """
    if not courses:
        raise TooLarge("no route may be given anything: all that there are want a tip, and none may be paid")
    best, failed = None, None
    for course in courses:
        try:
            made = made_for(course)
        except TooLarge as error:
            failed = error
            continue
        if best is None or len(made.parts) < len(best[0].parts):
            best = made, course
        if len(made.parts) <= 1:
            break
    if best is None:
        assert failed is not None, "each course was planned for, or failed"
        raise failed
    return best


def _bytes(version: int) -> int:
    return common_form(version == 1, [Route("any")]).bytes_max
