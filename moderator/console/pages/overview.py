"""The page Overview: how much comes in, and what becomes of it."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from moderator.console.console import GivenConsole
from moderator.console.figures.overview import overview_of
from moderator.console.rendering import render

router = APIRouter()


@router.get("/")
def overview(request: Request, console: GivenConsole) -> HTMLResponse:
    """Show the page."""
    return render(request, "overview.html", figures=overview_of(console))


@router.get("/parts/overview")
def live(request: Request, console: GivenConsole) -> HTMLResponse:
    """Give the figures again."""
    return render(request, "overview_figures.html", figures=overview_of(console))


@router.get("/parts/source")
def source(request: Request) -> HTMLResponse:
    """Give the source's state again."""
    return render(request, "source.html")
