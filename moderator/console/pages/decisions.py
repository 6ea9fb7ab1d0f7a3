"""The page Decisions: the newest, by filters that are the address."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from moderator.console.console import Console, GivenConsole
from moderator.console.recent.filters import TEXTS, Filters, MalformedFilterError, listing
from moderator.console.rendering import address, render

_ON_A_PAGE = 50
_FIELDS = (*TEXTS, "from", "to")

router = APIRouter()


@router.get("/decisions")
def decisions(request: Request, console: GivenConsole) -> HTMLResponse:
    """Show the newest decisions that fit."""
    try:
        filters = Filters.parse(request.query_params)
    except MalformedFilterError as error:
        return render(request, "message.html", status=400, active="decisions", title="Decisions", message=str(error))
    return render(request, "decisions.html", **_values(request, console, filters))


def _values(request: Request, console: Console, filters: Filters) -> dict[str, Any]:
    held = console.recent.decisions
    found = listing(filters, held, console.recent.dead_letters)
    page = found.page(_ON_A_PAGE)
    chosen = {name: value for name in _FIELDS if (value := request.query_params.get(name))}
    older = None if page.next is None else address("/decisions", [*chosen.items(), ("before", page.next)])
    return {
        "chosen": chosen,
        "fields": _FIELDS,
        "page": page,
        "older": older,
        "facets": found.facets(),
        "held": len(held),
        "since_ms": held[0].decided_ms if held else None,
        "with_value": lambda name, value: address("/decisions", [*(chosen | {name: value}).items()]),
        "without": lambda name: address("/decisions", [each for each in chosen.items() if each[0] != name]),
    }
