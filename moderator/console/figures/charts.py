"""Charts as inline SVG. Places and widths are percentages, so a chart fits any width and its text keeps its size.

Colours come from the style sheet by class. The page has the figures of every chart in a table too.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from moderator.console.recent.rates import Minute

_MINUTES_PX = 150
_BAR_PX = 14


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
        height_px, title, Markup("").join(content)
    )


def rect(kind: str, x: float, width: float, y: float, height: float) -> Markup:
    """Draw a bar; `x` and `width` in percent of the chart, `y` and `height` in pixels."""
    return Markup('<rect class="{}" x="{:.3f}%" width="{:.3f}%" y="{:.1f}" height="{:.1f}"/>').format(
        escape(kind), x, width, y, height
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
