"""The name of one request: the client's own where it is usable, else a new one."""

import re
import secrets
from collections.abc import Iterable
from typing import Final

HEADER: Final = "x-request-id"
_USABLE: Final = re.compile(rb"[!-~]{1,128}")


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Give the client's `X-Request-ID` if it is 1 to 128 visible ASCII characters, else `req_` and 32 hex digits."""
    given = next((value for name, value in headers if name == b"x-request-id"), b"")
    return given.decode("ascii") if _USABLE.fullmatch(given) else f"req_{secrets.token_hex(16)}"


def closing_headers(request_id: str) -> dict[str, str]:
    """Give what an answer that the application does not give carries; its connection is closed."""
    return {"Connection": "close", "Cache-Control": "no-store", HEADER: request_id}
