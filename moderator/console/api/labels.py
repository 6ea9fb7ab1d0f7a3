"""Labels: a reviewer's judgement in, and what counts of all of them out."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import Field

from moderator.console.api.bodies import Body, read_body
from moderator.console.console import GivenConsole, GivenReviewer
from moderator.http.refusals import Refusal
from moderator.labels.record import MAX_NOTE_CHARACTERS, Queue, Said, encode_label
from moderator.labels.sink import LabelNotSavedError

router = APIRouter()


class LabelBody(Body):
    """What a reviewer says of one decision."""

    decision_id: str
    judgement: Said
    note: Annotated[str, Field(max_length=MAX_NOTE_CHARACTERS)] | None = None
    queue: Queue | None = None


@router.post("/api/labels")
async def label(request: Request, console: GivenConsole, reviewer: GivenReviewer) -> Response:
    """Write a label; 201 with its record once it is safe."""
    body = await read_body(request, LabelBody)
    desk = console.desk
    if desk.is_read_only:
        raise Refusal(403, "read_only", "nobody can label here: the console is read-only, or has nowhere to write to")
    held = console.recent.find(body.decision_id)
    if held is None:
        raise Refusal(404, "not_held", "this decision is not held any more", param="decision_id")
    try:
        saved = await run_in_threadpool(
            desk.save, held.record, body.judgement, reviewer, note=(body.note or "").strip() or None, queue=body.queue
        )
    except LabelNotSavedError as error:
        raise Refusal(503, "not_saved", str(error)) from error
    return Response(encode_label(saved), 201, media_type="application/json")


@router.get("/labels.jsonl")
def lines(console: GivenConsole) -> Response:
    """Give one line for each event with a label that says what is right."""
    return Response(b"".join(console.desk.book.lines()), media_type="application/x-ndjson")
