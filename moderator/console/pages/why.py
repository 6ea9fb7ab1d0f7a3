"""The page Why: one decision, and everything that led to it."""

from typing import Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from moderator.console.console import Console, GivenConsole
from moderator.console.figures.why import why_of
from moderator.console.rendering import render
from moderator.events import Decision
from moderator.policy.syntax.diagnostics import printable
from moderator.settings.console import CONTENT_FIELDS

router = APIRouter()


@router.get("/decisions/{decision_id:path}")
def why(request: Request, decision_id: str, console: GivenConsole) -> HTMLResponse:
    """Show the page; 404 where the decision is not held."""
    found = console.recent.find(decision_id)
    if found is None:
        held = console.recent.decisions
        since_ms = held[0].decided_ms if held else None
        return render(request, "why_not_held.html", status=404, decision_id=decision_id, since_ms=since_ms)
    decision = found.record
    return render(request, "why.html", **why_values(console, decision))


def why_values(console: Console, decision: Decision) -> dict[str, Any]:
    """Give what `why_facts.html` shows of a decision; other pages include it too."""
    event = decision["event"]
    return {
        "why": why_of(decision, console.folder.find(decision["policy"]["snapshot"])),
        "decision": decision,
        "event": event,
        "cached": console.verdicts.read(event["tenant"], event["id"]) if console.verdicts else None,
        "raw": _raw(decision),
        "content_link": content_link(console.settings.console.content_url, decision),
    }


def content_link(template: str | None, decision: Decision) -> str | None:
    """Give the address of an event's content; None where no link is set."""
    if template is None:
        return None
    event = decision["event"]
    values = {
        "tenant": event["tenant"],
        "conversation_id": event["conversation_id"],
        "event_id": event["id"],
        "channel": event["channel"],
        "user": event["user"],
        "decision_id": decision["decision_id"],
    }
    return template.format_map({name: quote(values[name] or "", safe="") for name in CONTENT_FIELDS})


def _raw(decision: Decision) -> str:
    lines = orjson.dumps(decision, option=orjson.OPT_INDENT_2).decode().split("\n")
    return "\n".join(map(printable, lines))
