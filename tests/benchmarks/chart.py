"""Charts of time over size, both in logarithms, side by side in one SVG written by hand: small, and its diffs can be read.

A decade is as long to the right as upwards, so that what is linear rises at 45 degrees and what is quadratic at 63.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from statistics import linear_regression

Point = tuple[float, float]  # Size, seconds.

DECADE = 62  # Pixels.
MARGIN_LEFT, MARGIN_TOP, MARGIN_BOTTOM, ROOM_FOR_NAMES = 58, 56, 40, 158
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # Okabe and Ito's, which most of the colour-blind can tell apart.
LINE_HEIGHT = 15
SECONDS = {-5: "10 µs", -4: "0.1 ms", -3: "1 ms", -2: "10 ms", -1: "0.1 s", 0: "1 s", 1: "10 s", 2: "100 s"}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing measured: its name, and the time it takes at each size, ascending."""

    name: str
    points: list[Point]

    @property
    def slope(self) -> float:
        """The exponent of growth over the last decade of sizes: 1 is linear, 2 quadratic. By least squares."""
        last = [(log10(size), log10(seconds)) for size, seconds in self.points if size >= self.points[-1][0] / 10.5]
        return linear_regression(*zip(*last, strict=True)).slope


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one kind of size."""

    size: str
    lines: list[Line]

    def __str__(self) -> str:
        """Return the numbers as text."""
        told = [f"time over {self.size}"]
        for line in self.lines:
            told.append(f"  {line.name}, slope {line.slope:.2f}")
            told += [
                f"    {size:>12,.0f}  {seconds * 1e3:>10.2f} ms  {seconds / size * 1e9:>8.0f} ns each"
                for size, seconds in line.points
            ]
        return "\n".join(told)


def draw(charts: Sequence[Chart]) -> str:
    """Return the SVG of charts over the same times."""
    seconds = [y for chart in charts for line in chart.lines for _, y in line.points]
    low, high = floor(log10(min(seconds))), ceil(log10(max(seconds)))
    parts, left = list[str](), 0
    for chart in charts:
        panel = Panel(chart, left + MARGIN_LEFT, low, high)
        parts += panel.parts()
        left = panel.right + ROOM_FOR_NAMES
    width, height = left, MARGIN_TOP + (high - low) * DECADE + MARGIN_BOTTOM
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#333">'
    )
    back = f'<rect width="{width}" height="{height}" rx="6" fill="#fff"/>'
    return "\n".join([head, back, *parts, "</svg>\n"])


class Panel:
    """One chart on the sheet, its axes crossing at `left` and at 10 to the power of `low` seconds."""

    def __init__(self, chart: Chart, left: int, low: int, high: int) -> None:
        sizes = [size for line in chart.lines for size, _ in line.points]
        self.chart = chart
        self.left = left
        self.low, self.high = low, high
        self.first, self.last = floor(log10(min(sizes)) + 0.05), ceil(log10(max(sizes)) - 0.05)
        self.right = left + (self.last - self.first) * DECADE
        self.bottom = MARGIN_TOP + (high - low) * DECADE

    def parts(self) -> Iterator[str]:
        """Yield everything, what lies behind first."""
        yield _text(self.left, MARGIN_TOP - 24, f"Time over {self.chart.size}", 'font-size="14" font-weight="600"')
        yield from self._grid()
        yield from self._guide()
        for line, colour, name_y in zip(self.chart.lines, COLOURS, self._name_heights(), strict=False):
            yield from self._line(line, colour, name_y)

    def x(self, size: float) -> float:
        """Return where a size lies."""
        return round(self.left + (log10(size) - self.first) * DECADE, 1)

    def y(self, seconds: float) -> float:
        """Return where a time lies."""
        return round(self.bottom - (log10(seconds) - self.low) * DECADE, 1)

    def _grid(self) -> Iterator[str]:
        for power in range(self.first, self.last + 1):
            x = self.left + (power - self.first) * DECADE
            yield f'<path d="M{x} {MARGIN_TOP}V{self.bottom}" stroke="#e4e4e4"/>'
            yield _text(x, self.bottom + 18, _count(power), 'text-anchor="middle"')
        for power in range(self.low, self.high + 1):
            y = self.bottom - (power - self.low) * DECADE
            yield f'<path d="M{self.left} {y}H{self.right}" stroke="#e4e4e4"/>'
            yield _text(self.left - 8, y + 4, SECONDS[power], 'text-anchor="end"')

    def _guide(self) -> Iterator[str]:
        """Draw where the quickest line would go if it were quadratic."""
        size, seconds = min((line.points[0] for line in self.chart.lines), key=lambda point: point[1])
        decades = min(self.last - log10(size), (self.high - log10(seconds)) / 2)
        end_x, end_y = self.x(size * 10**decades), self.y(seconds * 100**decades)
        yield f'<path d="M{self.x(size)} {self.y(seconds)}L{end_x} {end_y}" stroke="#999" stroke-dasharray="2 4"/>'
        middle_x, middle_y = (self.x(size) + 2 * end_x) / 3, (self.y(seconds) + 2 * end_y) / 3
        turned = f'transform="rotate(-63.4 {middle_x:.1f} {middle_y:.1f})"'
        yield _text(middle_x, middle_y - 5, "quadratic", f'fill="#888" text-anchor="middle" font-size="11" {turned}')

    def _line(self, line: Line, colour: str, name_y: float) -> Iterator[str]:
        path = "L".join(f"{self.x(size)} {self.y(seconds)}" for size, seconds in line.points)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for size, seconds in line.points:
            told = f"<title>{size:,.0f}: {seconds * 1e3:.3g} ms</title>"
            yield f'<circle cx="{self.x(size)}" cy="{self.y(seconds)}" r="3" fill="{colour}">{told}</circle>'
        beside = f'fill="{colour}"'
        yield _text(self.right + 10, name_y, line.name, f'{beside} font-weight="600"')
        yield _text(self.right + 10, name_y + LINE_HEIGHT, f"slope {line.slope:.2f}", beside)

    def _name_heights(self) -> list[float]:
        """Return where the names stand: beside the end of their lines, moved down where they would overlap."""
        ends = [self.y(line.points[-1][1]) for line in self.chart.lines]
        heights = dict[float, float]()
        free = 0.0
        for end in sorted(ends):
            heights[end] = max(end, free)
            free = heights[end] + 2.4 * LINE_HEIGHT
        return [heights[end] for end in ends]


def _count(power: int) -> str:
    return f"{10 ** (power - 6):,} M" if power >= 6 else f"{10**power:,}"


def _text(x: float, y: float, words: str, style: str) -> str:
    return f'<text x="{x:g}" y="{y:.1f}" {style}>{escape(words)}</text>'
