"""The page Review: one decision at a time, and what a person says of its verdict."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from moderator.console.console import Console, GivenConsole, GivenReviewer
from moderator.console.figures.review import ABOUT, TITLES, queues_of, reasons_of
from moderator.console.pages.why import why_values
from moderator.console.recent.decision import RecentDecision
from moderator.console.rendering import render
from moderator.labels.queues import Queues
from moderator.labels.record import MAX_NOTE_CHARACTERS, QUEUES, Label, Queue, Reviewer

router = APIRouter()


@router.get("/review")
def review(request: Request, console: GivenConsole, reviewer: GivenReviewer) -> HTMLResponse:
    """Show the page; `queue` is one of four, and `decision` shows one that was labelled already."""
    return render(request, "review.html", **_values(request, console, reviewer))


@router.get("/parts/review")
def item(request: Request, console: GivenConsole, reviewer: GivenReviewer) -> HTMLResponse:
    """Give the next item of a queue, or the one that is named."""
    return render(request, "review_item.html", **_values(request, console, reviewer))


def _values(request: Request, console: Console, reviewer: Reviewer) -> dict[str, Any]:
    asked = request.query_params.get("queue")
    queue: Queue = asked if asked in QUEUES else QUEUES[0]
    report, desk = console.folder.report, console.desk
    queues = queues_of(report.policies if report else None, desk.sample_share)
    named = console.recent.find(request.query_params.get("decision") or "")
    found = named or next(desk.waiting(queue, queues), None)
    return {
        "queue": queue,
        "titles": TITLES,
        "about": ABOUT[queue],
        "counts": desk.counts(queues),
        "is_read_only": desk.is_read_only,
        "missed": desk.book.missed(),
        "held": len(console.recent.decisions),
        "item": None if found is None else _item(console, queue, queues, found, reviewer),
        "max_note": MAX_NOTE_CHARACTERS,
    }


def _item(console: Console, queue: Queue, queues: Queues, found: RecentDecision, reviewer: Reviewer) -> dict[str, Any]:
    decision = found.record
    labels = console.desk.book.of((found.tenant or "", found.event_id))
    mine: Label | None = next((label for label in labels if label["reviewer"] == reviewer.name), None)
    return {
        "reasons": reasons_of(queue, decision, queues) if queues.holds(queue, found) else [],
        "mine": mine,
        "others": [label for label in labels if label is not mine],
        **why_values(console, decision),
    }
