"""The application: pages, static files, and what every answer carries."""

import traceback
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from moderator.console.access.guard import STATIC, Guard, is_for_programs
from moderator.console.access.sessions import Sessions
from moderator.console.api import ROUTERS
from moderator.console.console import Console
from moderator.console.pages import PAGES
from moderator.console.rendering import render, render_alone
from moderator.http.refusals import Refusal, internal, method_not_allowed, not_found
from moderator.observability.logging import get_logger

log = get_logger(__name__)

_STATIC: Final = Path(__file__).parent / "static"
NOT_FOUND: Final = 404
METHOD_NOT_ALLOWED: Final = 405
_LEAST_COMPRESSED_BYTES = 1_000
_NO_PAGE = "There is nothing at this address. The pages are on the left, or above."


def create_app(console: Console) -> FastAPI:
    """Make the application of one console."""
    # a redirection would name whatever host the request names
    app = FastAPI(title="moderator console", openapi_url=None, redirect_slashes=False)
    app.state.console = console
    given = console.settings.console
    app.add_middleware(GZipMiddleware, minimum_size=_LEAST_COMPRESSED_BYTES)
    # the last one is the first that a request meets
    sessions = Sessions(given.token, console.now_ms)
    app.add_middleware(Guard, settings=given, sessions=sessions, on_fault=_report_fault)
    app.exception_handler(HTTPException)(_no_such_route)
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


async def _no_such_route(request: Request, error: HTTPException) -> Response:
    path = request.scope["path"]
    # static files are open to everybody, and our pages show where decisions come from
    if is_for_programs(path) or path.startswith(STATIC) or error.status_code == METHOD_NOT_ALLOWED:
        allow = (error.headers or {}).get("Allow", "GET")
        return (not_found() if error.status_code == NOT_FOUND else method_not_allowed(allow)).response()
    return render(request, "message.html", status=404, active="", title="No such page", message=_NO_PAGE)


def _report_fault(request: Request, error: Exception) -> Response:
    """Answer where a page failed; neither the log nor the answer holds a value that it met."""
    request_id = request.scope["state"]["request_id"]
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("page_failed", request_id=request_id, error=type(error).__name__, traceback=frames)
    if is_for_programs(request.scope["path"]):
        return internal().response()
    return render_alone(request, "fault.html", status=500, request_id=request_id)


async def _refuse(_: Request, refusal: Refusal) -> Response:
    return refusal.response()
