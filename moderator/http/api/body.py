"""A request's body: read within its limits, then parsed."""

import asyncio
from collections.abc import Collection
from functools import cached_property
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request

from moderator.errors import InvalidEventError
from moderator.http.api.exchange import ClientGoneError
from moderator.http.refusals import Refusal
from moderator.stream.exact_json import loads_exactly

JSON: Final = "application/json"
_PLAIN: Final = ("", "identity")


class Body:
    """Parsed JSON.

    Attributes:
        size_bytes: as it was sent.
        value: as orjson parses it, else as `loads_exactly` does.

    Raises:
        Refusal: `bad_json`.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.size_bytes = len(raw)
        try:
            self.value: Any = orjson.loads(raw)
        except orjson.JSONDecodeError:
            self.value = self.exact

    @cached_property
    def exact(self) -> Any:
        """The value with lone surrogates replaced and whole numbers of any size."""
        try:
            return loads_exactly(self._raw)
        except InvalidEventError as error:
            raise Refusal(400, "bad_json", str(error)) from None


def require_media_type(request: Request, accepted: Collection[str]) -> None:
    """Refuse a body that says to be something else.

    Raises:
        Refusal: `unsupported_media_type`.
    """
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if named not in accepted or encoding not in _PLAIN:
        wanted = " or ".join(f"`{each}`" for each in accepted)
        raise Refusal(415, "unsupported_media_type", f"send the body as {wanted}, not compressed")


async def read_body(request: Request, most_bytes: int, deadline_s: float) -> bytes:
    """Read the whole body; of one that is too large nothing more is read.

    Args:
        request: of which nothing was read yet.
        most_bytes: that it may have.
        deadline_s: in the event loop's time.

    Raises:
        Refusal: `body_too_large`, `deadline_exceeded`.
        ClientGoneError: the client hung up.
    """
    named = request.headers.get("content-length", "")
    if named.isdigit() and int(named[:20]) > most_bytes:
        raise _too_large(most_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout_at(deadline_s):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most_bytes:
                    raise _too_large(most_bytes)
                chunks.append(chunk)
    except TimeoutError:
        raise deadline_exceeded("the request did not arrive whole") from None
    except ClientDisconnect:
        raise ClientGoneError from None
    return b"".join(chunks)


def deadline_exceeded(what: str) -> Refusal:
    """Give the refusal of a request that was not answered in time; OpenAI's clients then do not repeat it."""
    return Refusal(504, "deadline_exceeded", f"{what} within the deadline", headers={"x-should-retry": "false"})


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(
        413,
        "body_too_large",
        f"the body has more than {most_bytes} bytes; send fewer texts at once",
        headers={"Connection": "close"},
    )
