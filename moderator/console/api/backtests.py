"""Backtests: an edit against the folder over a range of time."""

from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from moderator.backtest.labels import NO_LABELS, labels_of
from moderator.backtest.run import Plan
from moderator.console.api.bodies import read_body
from moderator.console.api.playground import EditBody, attempt
from moderator.console.console import Console, GivenConsole
from moderator.console.trials.backtests import BusyError, Decisions, Job
from moderator.console.trials.ranges import Times, open_file, open_held, open_kafka
from moderator.http.refusals import Refusal
from moderator.policy.language.event_time import parse_time_ms

router = APIRouter()


class BacktestBody(EditBody):
    """A range of time, either end left out for none, both for the decisions that are held; and an edit."""

    start: str | None = Field(None, alias="from")
    end: str | None = Field(None, alias="to")
    labels: bool = False


@router.post("/api/backtests")
async def start(request: Request, console: GivenConsole) -> Response:
    """Begin a backtest; 202 with its id."""
    body = await read_body(request, BacktestBody)
    job = await attempt(begin, console, body)
    return _json({"id": job.id}, 202)


@router.get("/api/backtests/{job_id}")
def status(job_id: str, console: GivenConsole) -> Response:
    """Say how far it is, and what it found."""
    return _json(job_record(_find(console, job_id)))


@router.delete("/api/backtests/{job_id}")
def cancel(job_id: str, console: GivenConsole) -> Response:
    """Cancel it; one that has ended stays as it is."""
    job = _find(console, job_id)
    job.is_cancelled.set()
    return _json(job_record(job), 202 if job.state == "running" else 200)


def begin(console: Console, body: BacktestBody) -> Job:
    """Begin a backtest.

    Raises:
        Refusal: another one runs, or a time is malformed.
        EditError, OutdatedError, NotUsableError, FolderAwayError: the edit or the folder does not allow it.
    """
    times = (_time(body.start, "from"), _time(body.end, "to"))
    if None not in times and times[0] >= times[1]:  # type: ignore[operator]  # neither is None
        raise Refusal(400, "bad_request", "`from` should be before `to`", param="from")
    folder = console.trials.folder
    labels = labels_of(console.desk.book) if body.labels else NO_LABELS
    plan = Plan(folder.policies(), folder.edited(body.files, body.bases), labels)
    source = f"{body.start or ''}..{body.end or ''}" if any(times) else "held decisions"
    try:
        return console.trials.backtests.start(plan, lambda: _open(console, times), source, (str(folder.path), "edit"))
    except BusyError as error:
        raise Refusal(409, "busy", str(error)) from error


def job_record(job: Job) -> dict[str, Any]:
    """Give what a program reads of a backtest."""
    return {
        "id": job.id,
        "state": job.state,
        "read": job.read,
        "total": job.total,
        "unit": job.unit,
        "report": asdict(job.report) if job.report else None,
        "error": job.error,
    }


def _open(console: Console, times: Times) -> AbstractContextManager[Decisions]:
    if times == (None, None):
        return open_held(console.recent)
    file = console.settings.console.decisions_file
    return open_kafka(console.settings.kafka, times) if file is None else open_file(file, times)


def _time(text: str | None, name: str) -> int | None:
    if not text:
        return None
    at_ms = parse_time_ms(text)
    if at_ms is None:
        raise Refusal(400, "bad_request", "should be a time such as 2026-11-29T12:00:00Z", param=name)
    return at_ms


def _find(console: Console, job_id: str) -> Job:
    job = console.trials.backtests.find(job_id)
    if job is None:
        raise Refusal(404, "not_found", "there is no such backtest, or it is not kept any more")
    return job


def _json(record: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(record, option=orjson.OPT_NON_STR_KEYS), status, media_type="application/json")
