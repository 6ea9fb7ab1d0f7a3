"""The playground for programs: an edit of the folder is checked, judged, compared and exported. Nothing is written."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ParamSpec, TypeVar

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from moderator.backtest.report.values import BacktestReport
from moderator.console.api.bodies import Body, read_body
from moderator.console.console import Console, GivenConsole, GivenReviewer
from moderator.console.trials.folder import FolderAwayError, NotUsableError
from moderator.console.trials.text import NotScoredError, ScorerAwayError
from moderator.errors import PolicyError
from moderator.events import iso_time
from moderator.http.refusals import Refusal
from moderator.playground.checking import problem_records
from moderator.playground.edits import EditError, OutdatedError
from moderator.playground.flips import SupersededError
from moderator.playground.judging import GivenError, SetScores, Subject, TypedText, event_of
from moderator.playground.judging import judge as judge_by
from moderator.policy.language.fields import READING_FIELDS
from moderator.policy.problems import PolicyProblemsError

router = APIRouter()
P = ParamSpec("P")
T = TypeVar("T")

_PARTS = ("events", "baseline", "candidate", "stale", "undecided", "fidelity", "flips", "rules", "groups")
_SUBJECTS = (["decision_id"], ["scores"], ["text"], ["scores", "text"])
_EXAMPLE = ("decision_id", "event_id", "tenant", "before", "after", "rules")


class EditBody(Body):
    """An edit: names of files and their new texts; null removes a file, others are the folder's.

    `bases` says of files what they held when their edit began: SHA-256, null for a file that was not there. Where a
    file holds something else by now, the edit is refused.
    """

    files: dict[str, str | None] = Field(default_factory=dict)
    bases: dict[str, str | None] = Field(default_factory=dict)


class JudgeBody(EditBody):
    """An edit, and the event to judge: a recorded decision, scores, or a text."""

    decision_id: str | None = None
    scores: dict[str, float | None] | None = None
    text: str | None = None
    event: dict[str, Any] = Field(default_factory=dict)


@router.post("/api/check")
async def check(request: Request, console: GivenConsole) -> JSONResponse:
    """Check an edit as `policy check` does, and run the folder's tests."""
    body = await read_body(request, EditBody)
    checked = await attempt(console.trials.folder.check, body.files, body.bases)
    return JSONResponse(checked.record)


@router.post("/api/judge")
async def judge(request: Request, console: GivenConsole) -> JSONResponse:
    """Judge one event by an edit."""
    body = await read_body(request, JudgeBody)
    return JSONResponse(await attempt(judged, console, body))


@router.post("/api/flips")
async def flips(request: Request, console: GivenConsole, reviewer: GivenReviewer) -> JSONResponse:
    """Compare an edit with the folder over the decisions that are held."""
    body = await read_body(request, EditBody)
    return JSONResponse(flips_record(await attempt(console.trials.flips.run, body.files, reviewer.name, body.bases)))


@router.post("/api/diff")
async def diff(request: Request, console: GivenConsole) -> Response:
    """Give what an edit changes as a diff that `patch -p1` applies."""
    body = await read_body(request, EditBody)
    return Response(await attempt(console.trials.folder.patch, body.files, body.bases), media_type="text/x-diff")


async def attempt(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do what takes a while on a thread; what cannot be done becomes an answer.

    Raises:
        Refusal: the edit, the event or the folder does not allow it.
    """
    try:
        return await run_in_threadpool(work, *args, **kwargs)
    except EditError as error:
        raise Refusal(422, "bad_edit", str(error), param=f"files.{error.name}") from error
    except OutdatedError as error:
        raise Refusal(409, "edit_outdated", str(error), more={"outdated": list(error.names)}) from error
    except GivenError as error:
        raise Refusal(422, "bad_schema", str(error), param=error.field) from error
    except NotUsableError as error:
        more = {"problems": problem_records(error.problems)}
        status, code = (422, "edit_has_errors") if error.is_edit else (409, "folder_has_errors")
        raise Refusal(status, code, str(error), more=more) from error
    except FolderAwayError as error:
        raise Refusal(409, "no_folder", str(error)) from error
    except PolicyProblemsError as error:
        more = {"problems": problem_records(error.problems)}
        raise Refusal(422, "unsuited", error.summary, more=more) from error
    except PolicyError as error:
        raise Refusal(422, "unsuited", str(error)) from error
    except SupersededError as error:
        raise Refusal(409, "superseded", "a newer edit was sent meanwhile") from error
    except NotScoredError as error:
        raise Refusal(error.status, error.code, str(error), param="text") from error
    except ScorerAwayError as error:
        raise Refusal(503, "scorer_away", str(error)) from error


def judged(console: Console, body: JudgeBody) -> dict[str, Any]:
    """Judge what a body describes by its edit; give the parts of a decision."""
    policies = console.trials.folder.edited(body.files, body.bases)
    return judge_by(policies, subject_of(console, body))


def subject_of(console: Console, body: JudgeBody) -> Subject:
    """Give what a body asks to judge.

    Raises:
        Refusal: it asks for nothing, or for more than one thing; the decision is not held; no scorer is set.
        GivenError: the event is wrong.
        NotScoredError, ScorerAwayError: the text is not scored.
    """
    asked = [name for name in ("decision_id", "scores", "text") if getattr(body, name) is not None]
    if asked not in _SUBJECTS:
        raise Refusal(400, "bad_request", "give one of `decision_id`, `scores` and `text`, or scores with their text")
    if body.decision_id is not None:
        if body.event:
            raise Refusal(400, "bad_request", "a decision has its own event: give none", param="event")
        held = console.recent.find(body.decision_id)
        if held is None:
            raise Refusal(404, "not_held", "this decision is not held any more", param="decision_id")
        return held.record
    event = event_of(body.event, body.text or "")
    if body.scores is not None:
        return SetScores(body.scores, event, iso_time(console.now_ms() / 1_000))
    if console.trials.scorer is None:
        raise Refusal(503, "no_scorer", "typed text cannot be scored: start with `--scorer-url` or `--model`")
    if set_by_text := sorted(body.event.keys() & READING_FIELDS.keys()):
        raise GivenError(f"event.{set_by_text[0]}", "it follows from the text: give none")
    rest = {name: value for name, value in body.event.items() if name != "speaker"}
    if event.time is not None:
        rest["time"] = event.time
    messages = [{"role": event.speaker, "content": body.text}]
    return TypedText(console.trials.scorer.score({**rest, "messages": messages}), body.text or "")


def flips_record(report: BacktestReport) -> dict[str, object]:
    """Give the figures as a program reads them, whatever their fidelity."""
    record = asdict(report)
    examples = [{name: each[name] for name in _EXAMPLE} for each in record["examples"]]
    return {**{name: record[name] for name in _PARTS if name in record}, "examples": examples}
