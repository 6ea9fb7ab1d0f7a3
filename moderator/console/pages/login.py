"""Logging in with a token and a name, and out again."""

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from moderator.console.access.guard import LONGEST_NAME, own_path
from moderator.console.access.sessions import COOKIE, LIFETIME_S, Sessions
from moderator.console.console import GivenConsole, console_of
from moderator.console.rendering import render_alone
from moderator.http.access import Tokens
from moderator.observability.logging import get_logger

log = get_logger(__name__)

router = APIRouter()


@router.get("/login")
def login(request: Request) -> HTMLResponse:
    """Show the form."""
    return _form(request, request.query_params.get("next", "/"))


@router.post("/login")
async def log_in(request: Request, console: GivenConsole) -> Response:
    """Begin a session, and go on to the page that was wanted."""
    form = await _fields(request)
    wanted, name = form.get("next", "/"), form.get("name", "").strip()
    secret = console.settings.console.token
    address, wrong = request.state.origin.address, request.state.wrong_tokens
    if wait_s := wrong.wait_s(address):
        response = _form(request, wanted, status=429, name=name, error=f"Too many wrong tokens: wait {wait_s} s.")
        response.headers["Retry-After"] = str(wait_s)
        return response
    if not Tokens(secret).open_with(form.get("token", "").strip()):
        wrong.add(address)
        log.warning("login_failed", address=address)
        return _form(request, wanted, status=401, name=name, error="This token does not open the console.")
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        error = f"Give a name of 1 to {LONGEST_NAME} characters: it is shown on your labels."
        return _form(request, wanted, status=400, error=error)
    log.info("login", name=name)
    cookie = Sessions(secret, console.now_ms).begin(name, form["token"])
    onwards = RedirectResponse(own_path(wanted), 303)
    onwards.set_cookie(
        COOKIE,
        cookie,
        max_age=LIFETIME_S,
        path="/",
        secure=request.state.origin.is_https,
        httponly=True,
        samesite="strict",
    )
    return onwards


@router.post("/logout")
def log_out(request: Request) -> Response:
    """End the session."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, path="/", secure=request.state.origin.is_https, httponly=True, samesite="strict")
    return response


async def _fields(request: Request) -> dict[str, str]:
    body = await request.body()
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _form(request: Request, wanted: str, *, status: int = 200, name: str = "", error: str = "") -> HTMLResponse:
    has_tokens = console_of(request).settings.console.token is not None
    values = {"next": own_path(wanted), "name": name, "error": error, "has_tokens": has_tokens}
    return render_alone(request, "login.html", status=status, **values)
