"""Bodies of requests: JSON within bounds, and the first thing that is wrong with one."""

from typing import Any, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from moderator.http.refusals import Refusal

MAX_BODY_BYTES = 4 * 2**20


class Body(BaseModel):
    """A body of one route; what it does not name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


B = TypeVar("B", bound=Body)


async def read_body(request: Request, form: type[B]) -> B:
    """Read and check a body.

    Raises:
        Refusal: 413 over 4 MiB, 400 for what is not JSON or not of this form; `param` names the first wrong field.
    """
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise Refusal(413, "body_too_large", f"the body has more than {MAX_BODY_BYTES} bytes")
    try:
        given: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "bad_json", f"the body is not JSON: {error.msg} at character {error.pos + 1}") from None
    try:
        return form.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or None
        raise Refusal(400, "bad_request", _said(first["type"], first["msg"]), param=where) from None


def _said(kind: str, message: str) -> str:
    return (
        "this route knows no such field" if kind == "extra_forbidden" else message.lower().removeprefix("value error, ")
    )
