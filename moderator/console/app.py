"""The application: pages, static files, and what every answer carries."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from moderator.console.api import ROUTERS
from moderator.console.console import Console
from moderator.console.pages import PAGES
from moderator.console.rendering import render
from moderator.http.refusals import Refusal

_STATIC: Final = Path(__file__).parent / "static"
_LEAST_COMPRESSED_BYTES = 1_000
_NO_PAGE = "There is nothing at this address. The pages are on the left, or above."
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Next = Callable[[Request], Awaitable[Response]]


def create_app(console: Console) -> FastAPI:
    """Make the application of one console."""
    app = FastAPI(title="moderator console", openapi_url=None)
    app.state.console = console
    app.add_middleware(GZipMiddleware, minimum_size=_LEAST_COMPRESSED_BYTES)
    app.middleware("http")(_add_headers)
    app.exception_handler(404)(_not_found)
    app.exception_handler(Refusal)(_refuse)
    for router in (*PAGES, *ROUTERS):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=_STATIC))

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "healthy"})

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        state = console.source.state
        content = {"status": "ready" if state.was_read else "not ready", "source": state.state}
        return JSONResponse(content, 200 if state.was_read else 503)

    return app


async def _not_found(request: Request, _: Exception) -> Response:
    return render(request, "message.html", status=404, active="", title="No such page", message=_NO_PAGE)


async def _refuse(_: Request, refusal: Refusal) -> Response:
    return refusal.response()


async def _add_headers(request: Request, call_next: Next) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
