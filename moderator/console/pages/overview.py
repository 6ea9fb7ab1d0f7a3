"""The page Overview: how much comes in, and what becomes of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from moderator.console.console import Console, console_of
from moderator.console.figures.overview import overview_of
from moderator.console.rendering import render

router = APIRouter()


@router.get("/")
def overview(request: Request, console: Annotated[Console, Depends(console_of)]) -> HTMLResponse:
    """Show the page."""
    return render(request, "overview.html", figures=overview_of(console))


@router.get("/parts/overview")
def live(request: Request, console: Annotated[Console, Depends(console_of)]) -> HTMLResponse:
    """Give the figures again."""
    return render(request, "overview_figures.html", figures=overview_of(console))


@router.get("/parts/source")
def source(request: Request) -> HTMLResponse:
    """Give the source's state again."""
    return render(request, "source.html")
