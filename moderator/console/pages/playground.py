"""The page Playground: a copy of the policy folder to edit in the browser, and what the edit would change."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from moderator.console.api.bodies import read_body
from moderator.console.api.playground import EditBody, JudgeBody, attempt, subject_of
from moderator.console.console import Console, GivenConsole, GivenReviewer
from moderator.console.figures.flips import flip_figures
from moderator.console.figures.judged import Judged, judged_figures
from moderator.console.rendering import render
from moderator.console.trials.folder import FolderAwayError
from moderator.http.refusals import Refusal
from moderator.playground.checking import signal_records
from moderator.playground.edits import base_of, is_file_name, shown_text
from moderator.playground.fields import event_fields
from moderator.policy.files.folder import SHARED_STEMS, Files, stem_of
from moderator.policy.language.fields import SPEAKERS

_OFFERED = 20

router = APIRouter()


@router.get("/playground")
def playground(request: Request, console: GivenConsole) -> HTMLResponse:
    """Show the page; `file` opens a file, `decision` a recorded decision."""
    try:
        files = console.trials.folder.files()
    except FolderAwayError as error:
        return render(request, "playground_away.html", error=str(error))
    names = sorted(filter(is_file_name, files))
    opened = request.query_params.get("file")
    name = opened if opened in names else _first_of(names)
    return render(
        request,
        "playground.html",
        names=names,
        name=name,
        text=shown_text(files[name]) if name is not None else None,
        base=base_of(files.get(name or "")),
        **_event_values(console, request.query_params.get("decision")),
    )


@router.get("/parts/playground/file")
def file(console: GivenConsole, name: str = "") -> JSONResponse:
    """Give the text of one file as an editor shows it."""
    try:
        files: Files = console.trials.folder.files()
    except FolderAwayError as error:
        raise Refusal(409, "no_folder", str(error)) from error
    if name not in files:
        raise Refusal(404, "not_found", "the folder has no such file", param="name")
    return JSONResponse({"name": name, "text": shown_text(files[name]), "base": base_of(files[name])})


@router.post("/parts/playground/flips")
async def flips(request: Request, console: GivenConsole, reviewer: GivenReviewer) -> HTMLResponse:
    """Show what an edit would change."""
    body = await read_body(request, EditBody)
    report = await attempt(console.trials.flips.run, body.files, reviewer.name, body.bases)
    return render(request, "flips.html", figures=flip_figures(report, "newest"), is_edited=bool(body.files))


@router.post("/parts/playground/judged")
async def judged(request: Request, console: GivenConsole) -> HTMLResponse:
    """Show what the folder and an edit decide of one event."""
    body = await read_body(request, JudgeBody)
    before, after = await attempt(_judged, console, body)
    return render(request, "judged.html", before=before, after=after, is_edited=bool(body.files))


def _judged(console: Console, body: JudgeBody) -> tuple[Judged, Judged]:
    folder = console.trials.folder
    return judged_figures(folder.policies(), folder.edited(body.files, body.bases), subject_of(console, body))


def _first_of(names: list[str]) -> str | None:
    """Open a policy first: that is what is edited most."""
    policies = (name for name in names if "/" not in name and _is_policy(stem_of(name)))
    return next(policies, names[0] if names else None)


def _is_policy(stem: str) -> bool:
    return stem not in SHARED_STEMS and not stem.endswith(".test")


def _event_values(console: Console, decision_id: str | None) -> dict[str, Any]:
    report = console.folder.report
    policies = report.policies if report else None
    recent = console.recent.decisions
    return {
        "signals": signal_records(policies) if policies else [],
        "speakers": SPEAKERS,
        "event_fields": event_fields(policies),
        "decision_id": decision_id,
        "offered": [each for each in reversed(recent[-200:]) if each.verdict == "flag"][:_OFFERED],
        "can_score": console.trials.scorer is not None,
        "held": len(recent),
    }
