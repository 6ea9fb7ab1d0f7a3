"""Charts as inline SVG. Places and widths are percentages, so a chart fits any width and its text keeps its size.

Colours come from the style sheet by class. The page has the figures of every chart in a table too.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from moderator.console.figures.why import ScaleView
from moderator.console.recent.rates import Minute
from moderator.policy.syntax.diagnostics import printable

_MINUTES_PX = 150
_BAR_PX = 14
_SCALE_PX = 52
_TRACK_PX = 22
_NEAR_END = 8.0
"""Percent: text nearer to an end would be cut off in its middle."""


class Share(NamedTuple):
    """One part of a whole; charts take its name for a class."""

    name: str
    events: int


class RuleFlags(NamedTuple):
    """How many decisions a rule flags, and how many it would flag as a shadow rule."""

    rule: str
    live: int
    shadow: int


def svg(title: str, height_px: int, content: Iterable[Markup]) -> Markup:
    """Give a chart as wide as its place, with a title that is read aloud."""
    return Markup('<svg role="img" width="100%" height="{}"><title>{}</title>{}</svg>').format(
        height_px, printable(title), Markup("").join(content)
    )


def rect(kind: str, x: float, width: float, y: float, height: float) -> Markup:
    """Draw a bar; `x` and `width` in percent of the chart, `y` and `height` in pixels."""
    return Markup('<rect class="{}" x="{:.3f}%" width="{:.3f}%" y="{:.1f}" height="{:.1f}"/>').format(
        printable(kind), x, width, y, height
    )


def minutes_chart(minutes: Sequence[Minute]) -> Markup:
    """Draw what came minute by minute: flags at the bottom, above them what was allowed, then dead letters."""
    most = max((minute.total for minute in minutes), default=0)
    step = 100 / max(1, len(minutes))
    return svg("Decisions by minute, last hour", _MINUTES_PX, _minutes(minutes, most, step))


def share_bar(title: str, parts: Sequence[Share]) -> Markup:
    """Draw a whole and its parts."""
    whole = sum(part.events for part in parts)
    return svg(title, _BAR_PX, _parts(parts, whole))


def rule_bar(flags: RuleFlags, of: int) -> Markup:
    """Draw how many of the decisions a rule flags, and would flag as a shadow rule."""
    title = f"{flags.live:,} live and {flags.shadow:,} shadow of {of:,}"
    return svg(title, _BAR_PX, _parts([Share("live", flags.live), Share("shadow", flags.shadow)], of))


def _minutes(minutes: Sequence[Minute], most: int, step: float) -> Iterable[Markup]:
    yield Markup('<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_MINUTES_PX - 0.5)
    for number, minute in enumerate(minutes):
        floor = float(_MINUTES_PX)
        for kind, count in (("flag", minute.flag), ("allow", minute.allow), ("dead", minute.dead_letter)):
            if count:
                height = max(1.0, count / most * (_MINUTES_PX - 1))
                floor -= height
                yield rect(kind, number * step + step * 0.1, step * 0.8, max(0.0, floor), height)


def _parts(parts: Sequence[Share], whole: int) -> Iterable[Markup]:
    yield rect("rest", 0, 100, 0, _BAR_PX)
    at = 0.0
    for part in parts:
        if part.events:
            width = 100 * part.events / whole
            yield rect(part.name, at, width, 0, _BAR_PX)
            at += width


def scale_chart(view: ScaleView, score: float | None, limit: float, title: str) -> Markup:
    """Draw a comparison: the part of the scale where it holds, the limit, and the score as a dot."""
    return svg(title, _SCALE_PX, _comparison(view, score, limit))


def contribution_bar(contribution: float, low: float, high: float, title: str) -> Markup:
    """Draw a share of the overall score to the left or right of zero; `low` and `high` are the chart's ends."""
    zero, end = _percent(0.0, low, high), _percent(contribution, low, high)
    kind = "up" if contribution >= 0 else "down"
    line = Markup('<line class="grid" x1="{0:.3f}%" x2="{0:.3f}%" y1="0" y2="{1}"/>').format(zero, _BAR_PX)
    return svg(title, _BAR_PX, [rect(kind, min(zero, end), max(abs(end - zero), 0.3), 2, _BAR_PX - 4), line])


def _comparison(view: ScaleView, score: float | None, limit: float) -> Iterable[Markup]:
    at = _percent(limit, view.low, view.high)
    start, width = (0.0, at) if view.holds_below else (at, 100.0 - at)
    yield rect("rest", 0, 100, _TRACK_PX, 6)
    yield rect("holds", start, width, _TRACK_PX, 6)
    yield Markup('<line class="limit" x1="{0:.3f}%" x2="{0:.3f}%" y1="{1}" y2="{2}"/>').format(
        at, _TRACK_PX - 6, _TRACK_PX + 12
    )
    yield _label("tick", at, _TRACK_PX - 9, f"{limit:g}")
    if score is not None:
        place = _percent(score, view.low, view.high)
        yield Markup('<circle class="score" cx="{:.3f}%" cy="{}" r="6"/>').format(place, _TRACK_PX + 3)
        yield _label("value", place, _TRACK_PX + 25, f"{score:g}")


def _label(kind: str, x: float, y: float, text: str) -> Markup:
    anchor = "start" if x < _NEAR_END else "end" if x > 100 - _NEAR_END else "middle"
    return Markup('<text class="{}" x="{:.3f}%" y="{}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, text)


def _percent(value: float, low: float, high: float) -> float:
    return 100 * (min(max(value, low), high) - low) / ((high - low) or 1.0)
