"""The page's charts as inline SVG: the distribution of scores around a limit, and precision and recall at each limit.

Colours come from the page's style sheet by class, so that both colour schemes fit. The page shows the
values of every chart in a table too.
"""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import groupby

from moderator.backtest.counting.limits import LimitReport, LimitRow
from moderator.backtest.report.wording import number_text
from moderator.labels.rates import Rate

_WIDTH, _HEIGHT = 720, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 44, 34
_FLOOR = _HEIGHT - _BOTTOM
_TICKS = 5
_NEAR_EDGE = 0.75

Read = Callable[[LimitRow], Rate]
_SERIES: tuple[tuple[str, Read], ...] = (("precision", lambda row: row.precision), ("recall", lambda row: row.recall))


def histogram(limit: LimitReport) -> str:
    """Draw how many events have which score, with the limits of both sets."""
    most = max(bar.events for bar in limit.bars)
    low, high = limit.bars[0].low, limit.bars[-1].high
    across = _scale(low, high)
    bars = "".join(
        f'<rect class="bar" x="{across(bar.low) + 0.5:.1f}" y="{_up(bar.events / most):.1f}" '
        f'width="{max(across(bar.high) - across(bar.low) - 1, 0.5):.1f}" '
        f'height="{_FLOOR - _up(bar.events / most):.1f}"/>'
        for bar in limit.bars
        if bar.events
    )
    title = f"How many events have which {limit.signal} in {limit.rule}, with both limits"
    ups = [(share, f"{most * share:,.0f}") for share in (0, 0.5, 1)]
    return _svg(title, _axes(low, high, ups) + bars + "".join(_limits(limit, across)))


def rates(limit: LimitReport) -> str | None:
    """Draw precision and recall against the limit; None where no limit has enough labels."""
    if not any(read(row).share is not None for row in limit.rows for _, read in _SERIES):
        return None
    low, high = limit.rows[0].limit, limit.rows[-1].limit
    across = _scale(low, high)
    lines = "".join(_line(name, limit.rows, read, across) for name, read in _SERIES)
    keys = "".join(
        f'<line class="{name}" x1="{x}" y1="14" x2="{x + 26}" y2="14"/><text x="{x + 32}" y="18">{name}</text>'
        for (name, _), x in zip(_SERIES, (_LEFT, _LEFT + 130), strict=True)
    )
    ups = [(share, f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1)]
    title = f"Precision and recall of the candidate against the limit of {limit.signal} in {limit.rule}"
    return _svg(title, _axes(low, high, ups) + lines + "".join(_limits(limit, across, is_labelled=False)) + keys)


def _svg(title: str, content: str) -> str:
    name = escape(title)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{name}" preserveAspectRatio="xMinYMid meet">'
        f"<title>{name}</title>{content}</svg>"
    )


def _scale(low: float, high: float) -> Callable[[float], float]:
    width = high - low or 1.0
    return lambda value: _LEFT + (min(max(value, low), high) - low) / width * (_WIDTH - _LEFT - _RIGHT)


def _up(share: float) -> float:
    return _FLOOR - share * (_FLOOR - _TOP)


def _axes(low: float, high: float, ups: Sequence[tuple[float, str]]) -> str:
    across = _scale(low, high)
    values = [low + (high - low) * number / _TICKS for number in range(_TICKS + 1)]
    horizontal = "".join(
        f'<line class="grid" x1="{_LEFT}" y1="{_up(share):.1f}" x2="{_WIDTH - _RIGHT}" y2="{_up(share):.1f}"/>'
        f'<text class="tick" x="{_LEFT - 8}" y="{_up(share) + 4:.1f}" text-anchor="end">{text}</text>'
        for share, text in ups
    )
    below = "".join(
        f'<text class="tick" x="{across(value):.1f}" y="{_FLOOR + 18}" text-anchor="middle">{value:.4g}</text>'
        for value in values
    )
    return horizontal + below


def _limits(limit: LimitReport, across: Callable[[float], float], *, is_labelled: bool = True) -> Iterator[str]:
    """Draw both limits, each with its name in a row of its own above the chart."""
    for name, value, y in (("baseline", limit.baseline_limit, 14), ("candidate", limit.candidate_limit, 32)):
        if value is None:
            continue
        x = across(value)
        top = y - 10 if is_labelled else _TOP
        yield f'<line class="{name}" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{_FLOOR}"/>'
        if is_labelled:
            offset, anchor = (-6, "end") if x > _WIDTH * _NEAR_EDGE else (6, "start")
            text = f"{name} {number_text(value)}"
            yield f'<text class="{name}" x="{x + offset:.1f}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _line(name: str, rows: Sequence[LimitRow], read: Read, across: Callable[[float], float]) -> str:
    """Draw one series with its interval; it breaks off where there are too few labels."""
    drawn = []
    for is_known, part in groupby(rows, key=lambda row: read(row).share is not None):
        points = [(across(row.limit), read(row)) for row in part] if is_known else []
        if not points:
            continue
        middle = " ".join(f"{x:.1f},{_up(rate.share or 0):.1f}" for x, rate in points)
        band = [f"{x:.1f},{_up(rate.high or 0):.1f}" for x, rate in points]
        band += [f"{x:.1f},{_up(rate.low or 0):.1f}" for x, rate in reversed(points)]
        drawn.append(f'<polygon class="{name} band" points="{" ".join(band)}"/>')
        drawn.append(f'<polyline class="{name}" points="{middle}"/>')
    return "".join(drawn)
