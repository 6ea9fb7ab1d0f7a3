"""What every request must pass before it is looked at: access, then its body, then whether anybody can answer."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.requests import Request

from moderator.http import refusals
from moderator.http.access import Tokens, is_loopback, names_this_machine
from moderator.http.api.body import Body, read_body, require_media_type
from moderator.http.api.exchange import exchange_of
from moderator.http.api.intake import Intake
from moderator.http.refusals import Refusal
from moderator.observability.logging import get_logger
from moderator.settings import HttpSettings

log = get_logger(__name__)

DEADLINE_HEADER: Final = "x-moderator-deadline-ms"
_DIGITS: Final = 9
_AT_ONCE_BYTES: Final = 64 * 1_024
"""What is read without letting others in between: hostile JSON takes up to 0.4 s for each MB."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in.

    Attributes:
        deadline_s: monotonic.
    """

    request: Request
    body: Body
    deadline_s: float

    @property
    def request_id(self) -> str:
        """Its name."""
        return exchange_of(self.request).request_id

    async def aside(self, read: Callable[[], Result]) -> Result:
        """Read what was sent; what is large on another thread, so that others are answered meanwhile."""
        return await _aside(self.body.size_bytes, read)


class Gate:
    """Checks requests in the order that the API promises."""

    def __init__(self, settings: HttpSettings, intake: Intake) -> None:
        self._settings = settings
        self._judges = intake
        self._tokens = Tokens(settings.token)
        self._is_loopback = is_loopback(settings.host)
        if not self._tokens and not self._is_loopback:
            log.warning("http_without_token", hint="the API answers 403; set MODERATOR_HTTP__TOKEN", host=settings.host)

    def check_access(self, request: Request) -> None:
        """Let in who may ask.

        Raises:
            Refusal: `token_required`, `host_not_allowed`, `invalid_api_key`.
        """
        headers = request.scope["headers"]
        if self._tokens:
            if not self._tokens.admit(headers):
                raise refusals.invalid_api_key()
        elif not self._is_loopback:
            raise refusals.token_required("MODERATOR_HTTP__TOKEN")
        elif not names_this_machine(headers):
            raise refusals.host_not_allowed()

    def let_in(self, request: Request) -> None:
        """Let in a request without a body.

        Raises:
            Refusal: as `check_access`; `not_ready`, `draining`.
        """
        self.check_access(request)
        self._judges.let_in(exchange_of(request))

    async def open(self, request: Request, media_types: Collection[str]) -> Call:
        """Let in a request with a body.

        Raises:
            Refusal: as `let_in`; the body has another type, is too large, or is not JSON; the deadline is no number.
            ClientGoneError: the client hung up.
        """
        self.check_access(request)
        require_media_type(request, media_types)
        exchange = exchange_of(request)
        wanted_ms = _wanted_ms(request)
        deadline_s = exchange.began_s + min(wanted_ms or self._settings.deadline_ms, self._settings.deadline_ms) / 1_000
        loop_deadline_s = asyncio.get_running_loop().time() + deadline_s - time.monotonic()
        raw = await read_body(request, self._settings.max_body_bytes, loop_deadline_s)
        exchange.read_s = time.monotonic()
        self._judges.let_in(exchange)
        body = await _aside(len(raw), lambda: Body(raw))
        if wanted_ms is None and DEADLINE_HEADER in request.headers:
            raise Refusal(
                400,
                "bad_request",
                f"`{DEADLINE_HEADER}` is no whole number of milliseconds from 1",
                param=DEADLINE_HEADER,
            )
        return Call(request, body, deadline_s)


async def _aside(size_bytes: int, read: Callable[[], Result]) -> Result:
    return read() if size_bytes <= _AT_ONCE_BYTES else await asyncio.to_thread(read)


def _wanted_ms(request: Request) -> int | None:
    """Give the deadline that the client wants; None where it names none, or no whole number from 1."""
    text = request.headers.get(DEADLINE_HEADER, "")
    is_number = text.isascii() and text.isdigit() and int(text[:_DIGITS]) > 0
    return int(text[:_DIGITS]) if is_number else None
