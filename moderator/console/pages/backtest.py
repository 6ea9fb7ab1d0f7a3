"""The page Backtest: the folder, or the playground's edit, against the folder over a range of time."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from moderator.backtest.report.charts import histogram, rates
from moderator.backtest.report.sections import document_of
from moderator.console.console import Console, GivenConsole
from moderator.console.figures.flips import flip_figures
from moderator.console.rendering import render
from moderator.console.trials.backtests import Job

_SHOWN_ABOVE = frozenset({"flips", "fidelity"})

router = APIRouter()


@router.get("/backtest")
def backtest(request: Request, console: GivenConsole) -> HTMLResponse:
    """Show the form, and the backtest that was started last."""
    recent = console.recent.decisions
    return render(
        request,
        "backtest.html",
        since_ms=recent[0].decided_ms if recent else None,
        labels=len(console.desk.book),
        **_values(console, console.trials.backtests.newest),
    )


@router.get("/parts/backtest/{job_id}")
def progress(request: Request, job_id: str, console: GivenConsole) -> HTMLResponse:
    """Give how far a backtest is, or its report."""
    return render(request, "backtest_job.html", **_values(console, console.trials.backtests.find(job_id)))


def _values(console: Console, job: Job | None) -> dict[str, Any]:
    held = len(console.recent.decisions)
    values: dict[str, Any] = {"job": job, "held": held, "histogram": histogram, "rates": rates}
    if job is None or job.report is None:
        return values
    document = document_of(job.report)
    return values | {
        "figures": flip_figures(job.report, "nearest to a limit"),
        "document": document,
        "sections": [each for each in document.sections if each.section_id not in _SHOWN_ABOVE],
        "is_edited": job.report.baseline.snapshot != job.report.candidate.snapshot,
    }
