"""What every request passes before a page sees it: who asks, and whether a write comes from our own pages.

Pure ASGI, so that no page can forget it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moderator.console.access.origin import Origin, networks_of, origin_of
from moderator.console.access.sessions import COOKIE, Session, Sessions
from moderator.console.access.wrong_tokens import WrongTokens
from moderator.http.access import Tokens, names_this_machine, tokens_in
from moderator.http.refusals import Refusal, host_not_allowed, invalid_api_key
from moderator.http.request_id import HEADER, request_id_of
from moderator.labels.record import Reviewer
from moderator.observability.logging import get_logger
from moderator.settings import ConsoleSettings

log = get_logger(__name__)

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LONGEST_NAME: Final = 64
LOGIN: Final = "/login"
_FORMS: Final = (LOGIN, "/logout")
_OPEN: Final = ("/healthz", "/readyz")
STATIC: Final = "/static/"
_PROGRAMS: Final = ("/api", "/labels.jsonl")
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_FORM_BYTES: Final = 64 * 1_024

Fault = Callable[[Request, Exception], Response]


class Guard:
    """Admits requests by their host, origin, login and form's token; `docs/console.md` says who may do what.

    Args:
        app: the pages.
        settings: of the console.
        sessions: of those who logged in.
        on_fault: gives the answer where a page failed.
        monotonic_s: a clock that only rises, for the limit of wrong tokens.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ConsoleSettings,
        sessions: Sessions,
        on_fault: Fault,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._tokens = Tokens(settings.token)
        self._user_header = (settings.user_header or "").lower()
        self._proxies = networks_of(settings.trusted_proxies)
        self._sessions = sessions
        self._wrong = WrongTokens(monotonic_s)
        self._on_fault = on_fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, request_id_of(scope["headers"]), is_static=scope["path"].startswith(STATIC))
        request = Request(scope, receive)
        scope.setdefault("state", {})["request_id"] = answer.request_id
        try:
            receive = await self._admit(request, receive)
            await self._app(scope, receive, answer.send)
        except _AnsweredError as answered:
            await answered.response(scope, receive, answer.send)
        except Refusal as refusal:
            await refusal.response()(scope, receive, answer.send)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            if answer.has_begun:
                raise
            await self._on_fault(request, error)(scope, receive, answer.send)

    async def _admit(self, request: Request, receive: Receive) -> Receive:
        path: str = request.scope["path"]
        headers = _by_name(request.scope["headers"])
        if path in _OPEN or path.startswith(STATIC):
            return receive
        origin = origin_of(request.client.host if request.client else "", headers, self._proxies)
        is_closed = bool(self._tokens) or bool(self._user_header)
        if not is_closed and not names_this_machine(request.scope["headers"]):
            raise host_not_allowed()
        session = self._sessions.read(_cookie_of(headers))
        state: dict[str, Any] = request.scope["state"]
        state |= {"origin": origin, "wrong_tokens": self._wrong, "session": session}
        reviewer = self._reviewer(request, origin, session, is_closed=is_closed)
        who = session.cookie if session else reviewer.name if reviewer else ""
        state["csrf_token"] = self._sessions.form_token(who)
        if reviewer is None and path != LOGIN:
            raise _not_logged_in(request)
        state["reviewer"] = reviewer
        if request.method in _READS:
            return receive
        return await self._check_write(request, receive, origin, who)

    def _reviewer(
        self, request: Request, origin: Origin, session: Session | None, *, is_closed: bool
    ) -> Reviewer | None:
        """Say who asks; None: nobody whom we know.

        Raises:
            Refusal: a wrong token, or too many of them.
        """
        named = request.headers.getlist(self._user_header) if origin.is_proxied and self._user_header else []
        # of two names one may be the client's own word
        if len(named) == 1 and (name := named[0].strip()):
            return Reviewer(name[:LONGEST_NAME], "proxy")
        if _carries_token(request):
            if wait_s := self._wrong.wait_s(origin.address):
                raise too_many(wait_s)
            if self._tokens.admit(request.scope["headers"]):
                return Reviewer("api", "token")
            if is_closed:
                for _ in tokens_in(request.scope["headers"]) or (b"",):
                    self._wrong.add(origin.address)
                log.warning("login_failed", address=origin.address)
                raise invalid_api_key()
        if session is not None:
            return Reviewer(session.name, "login")
        return None if is_closed else Reviewer("local", "local")

    async def _check_write(self, request: Request, receive: Receive, origin: Origin, who: str) -> Receive:
        """Refuse a write that another site may have sent; give the body back to whoever reads it.

        Raises:
            Refusal: 403 `csrf`, or 413 for a form that is too long.
        """
        headers = request.headers
        if headers.get("sec-fetch-site") == "cross-site" or headers.get("origin", origin.own).lower() != origin.own:
            raise _csrf("it comes from another site")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        is_form_page = request.scope["path"] in _FORMS
        if not is_form_page and (kind == "application/json" or (request.method == "DELETE" and not kind)):
            return receive
        if kind != "application/x-www-form-urlencoded":
            raise _csrf("send `Content-Type: application/json`, or a form of ours")
        body = await _read_form(request)
        form = dict(parse_qsl(body.decode("utf-8", "surrogateescape"), keep_blank_values=True))
        if not self._sessions.is_form_token(form.get("csrf_token", ""), who):
            raise _csrf("the form is not of this session; load the page again")
        return _replayed(body)


class _AnsweredError(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class _Answer:
    """Adds to an answer what every answer carries."""

    def __init__(self, send: Send, request_id: str, *, is_static: bool) -> None:
        self._send = send
        self._is_static = is_static
        self.request_id = request_id
        self.has_begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            there = {name.lower() for name, _ in message.get("headers", [])}
            ours = {**HEADERS, "Cache-Control": "no-cache"} if self._is_static else HEADERS
            added = [(name.lower().encode(), value.encode()) for name, value in ours.items()]
            message["headers"] = [
                *message.get("headers", []),
                *(pair for pair in added if pair[0] not in there),
                (HEADER.encode(), self.request_id.encode()),
            ]
        await self._send(message)


def too_many(wait_s: int) -> Refusal:
    """An address sent too many wrong tokens."""
    return Refusal(
        429, "too_many_wrong_tokens", "too many wrong tokens from this address", headers={"Retry-After": str(wait_s)}
    )


def is_for_programs(path: str) -> bool:
    """Check whether an address answers in JSON."""
    return any(path == each or path.startswith(f"{each}/") for each in _PROGRAMS)


def own_path(text: str) -> str:
    """Give a path of ours, to go on to after the login; the overview for anything else."""
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if is_ours else "/"


def _csrf(why: str) -> Refusal:
    return Refusal(403, "csrf", f"this write is refused: {why}")


def _not_logged_in(request: Request) -> Exception:
    path: str = request.scope["path"]
    if is_for_programs(path):
        return invalid_api_key()
    query = request.scope["query_string"].decode("latin-1")
    wanted = f"{path}?{query}" if query else path
    address = f"{LOGIN}?next={quote(own_path(wanted) if request.method in _READS else '/', safe='/')}"
    if "hx-request" in request.headers:  # a part of a page that is open: the whole page goes to the login
        return _AnsweredError(Response(status_code=401, headers={"HX-Redirect": LOGIN}))
    return _AnsweredError(RedirectResponse(address, 303))


def _carries_token(request: Request) -> bool:
    headers = request.headers
    return "x-api-key" in headers or headers.get("authorization", "").lower().startswith("bearer ")


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _cookie_of(headers: Mapping[str, str]) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


async def _read_form(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            raise Refusal(413, "body_too_large", f"the form has more than {_MAX_FORM_BYTES} bytes")
    return body


def _replayed(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
