"""Pages from templates: everything that came from events is escaped, and what would not show is written out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from moderator.backtest import report
from moderator.console.console import console_of
from moderator.console.figures.charts import contribution_bar, minutes_chart, rule_bar, scale_chart, share_bar
from moderator.policy.language.event_time import CALENDAR_MS, iso_utc
from moderator.policy.syntax.diagnostics import printable

THEME_COOKIE: Final = "moderator_theme"
_LARGE: Final = 1e9
_TEMPLATES: Final = (
    *(Path(__file__).parent / "templates" / part for part in ("layout", "reading", "trials", "review")),
    Path(*report.__path__),  # the report of a backtest has the macros for tables
)
"""A template is named without its folder."""
_NAV: Final = (
    ("overview", "Overview", "/"),
    ("decisions", "Decisions", "/decisions"),
    ("policies", "Policies", "/policies"),
    ("playground", "Playground", "/playground"),
    ("backtest", "Backtest", "/backtest"),
    ("review", "Review", "/review"),
)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page with its values, and with those of the layout."""
    console = console_of(request)
    layout = {
        "nav": _NAV,
        "source": console.source,
        "invalid": console.recent.invalid,
        "is_holding": bool(console.recent.decisions),
        "now_ms": console.now_ms(),
    }
    return render_alone(request, template, status=status, **(layout | values))


def render_alone(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page without the layout: it needs nothing of the console, so it can be shown whatever has failed."""
    theme = request.cookies.get(THEME_COOKIE)
    given = {
        "theme": theme if theme in {"light", "dark"} else None,
        "session": getattr(request.state, "session", None),
        "csrf_token": getattr(request.state, "csrf_token", ""),
    }
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(given | values), status)


def path_of(decision_id: str) -> str:
    """Give the address of a decision's page."""
    return f"/decisions/{quote(decision_id, safe='')}"


def address(path: str, query: Sequence[tuple[str, str]]) -> str:
    """Give an address with a query."""
    return f"{path}?{urlencode(query)}" if query else path


def time_text(at_ms: int) -> str:
    """Write a time to the second, in UTC."""
    return _moment(at_ms, "%Y-%m-%d %H:%M:%S")


def time_of_day(at_ms: int, now_ms: int) -> str:
    """Write a time of today without its date, an earlier one without its seconds, in UTC."""
    is_today = time_text(at_ms)[:10] == time_text(now_ms)[:10]
    return _moment(at_ms, "%H:%M:%S" if is_today else "%Y-%m-%d %H:%M")


def clock_text(at_ms: int) -> str:
    """Write the hour and minute of a time, in UTC."""
    return _moment(at_ms, "%H:%M")


def ago_text(duration_ms: int) -> str:
    """Write how long ago something was, in its largest unit."""
    seconds = max(0, duration_ms // 1_000)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def number_text(number: float) -> str:
    """Write a number with its thousands apart, or with up to six decimals."""
    if isinstance(number, int):
        return f"{number:,}"
    if abs(number) >= _LARGE:
        return f"{number:.6g}"
    return f"{number:.6f}".rstrip("0").rstrip(".")


def share_text(count: int, of: int) -> str:
    """Write a share in percent; a dash of nothing."""
    if not of:
        return "–"  # noqa: RUF001 - a dash, as one reads it
    return f"{100 * count / of:.1f} %"


def json_text(value: object) -> str:
    """Write a number or truth value as JSON does; nothing for null."""
    return "" if value is None else orjson.dumps(value).decode()


def plain_text(value: object) -> str:
    """Write a value of JSON for people; lists with commas."""
    return ", ".join(map(str, value)) if isinstance(value, list) else "–" if value is None else str(value)  # noqa: RUF001


def lines_text(text: str) -> Markup:
    """Keep the line ends of a text; whatever else would not show is written out."""
    return Markup("\n").join(escape(printable(line)) for line in text.split("\n"))


def _moment(at_ms: int, form: str) -> str:
    if at_ms not in CALENDAR_MS:
        return f"{at_ms} ms since 1970"
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime(form)


def _printable(value: object) -> object:
    # what macros and charts give was escaped before
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        finalize=_printable,
        loader=FileSystemLoader(_TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "time": time_text,
        "clock": clock_text,
        "time_of_day": time_of_day,
        "iso": iso_utc,
        "ago": ago_text,
        "number": number_text,
        "decision_path": path_of,
        "json": json_text,
        "plain": plain_text,
        "lines": lines_text,
    }
    environment.globals |= {
        "share": share_text,
        "address": address,
        "minutes_chart": minutes_chart,
        "share_bar": share_bar,
        "rule_bar": rule_bar,
        "scale_chart": scale_chart,
        "contribution_bar": contribution_bar,
    }
    return environment


_ENVIRONMENT = _environment()
