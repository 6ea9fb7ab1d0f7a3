"""One request on its way: its name, its times, and what became of it."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.types import Scope

CLIENT_GONE: Final = 499
"""How a request is counted whose client hung up; nobody reads it."""
_KEY: Final = "moderator.exchange"


@dataclass(slots=True)
class Exchange:
    """One request.

    Attributes:
        began_s, read_s: when its headers and its last byte had come, monotonic.
        code: of the refusal that answers it.
        is_accepted: it is answered even while the process drains.
    """

    request_id: str
    began_s: float
    read_s: float
    code: str | None = None
    is_accepted: bool = False

    def attach(self, scope: Scope) -> None:
        """Let `exchange_of` find it."""
        scope[_KEY] = self


def exchange_of(request: Request) -> Exchange:
    """Give the exchange that a request belongs to."""
    exchange = request.scope[_KEY]
    assert isinstance(exchange, Exchange)
    return exchange


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""
