"""The page Policies: what is in force, what was refused and why, and what each rule does."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from moderator.console.console import Console, GivenConsole
from moderator.console.figures.overview import snapshots_of
from moderator.console.figures.policies import folder_figures, rule_figures
from moderator.console.figures.precision import precision_by_rule
from moderator.console.rendering import render

router = APIRouter()


@router.get("/policies")
def policies(request: Request, console: GivenConsole) -> HTMLResponse:
    """Show the page."""
    rules = rule_figures(console)
    precision = precision_by_rule(console, rules)
    return render(request, "policies.html", rules=rules, precision=precision, **_folder_values(console))


@router.get("/parts/policies")
def live(request: Request, console: GivenConsole) -> HTMLResponse:
    """Give the folder's state again."""
    return render(request, "policies_state.html", **_folder_values(console))


def _folder_values(console: Console) -> dict[str, Any]:
    report = console.folder.report
    return {
        "figures": folder_figures(console),
        "report": report,
        "folder": console.folder.folder,
        "replicas": console.replicas.words,
        "snapshots": snapshots_of(console.recent.decisions),
    }
