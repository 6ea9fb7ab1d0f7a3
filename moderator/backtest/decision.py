"""One recorded decision: bytes to `Decision`, quickly where it is sound, with an exact reason where it is not."""

from functools import cache
from typing import Any, cast

import orjson
from pydantic import TypeAdapter, ValidationError

from moderator.errors import ModeratorError
from moderator.events import Decision
from moderator.policy.language.event_time import parse_time_ms

SCHEMA = "moderator.decision/1"
BOM = b"\xef\xbb\xbf"
"""Some editors begin a file with it."""


class NoDecisionError(ModeratorError):
    """A value is no decision of the schema that we know; the text quotes nothing of it."""


def read_decision(value: bytes | None) -> Decision:
    """Parse one value; what lies within is taken on trust, see `explain`.

    Raises:
        NoDecisionError: not JSON, not a decision, or one of another schema.
    """
    if value is None:
        raise NoDecisionError("it has no value")
    try:
        decision = orjson.loads(value.removeprefix(BOM))
    except orjson.JSONDecodeError as error:
        raise NoDecisionError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    if not isinstance(decision, dict) or "schema" not in decision:
        raise NoDecisionError("JSON, but no decision: it names no `schema`")
    if decision["schema"] != SCHEMA:
        raise NoDecisionError(f"a decision of another schema than `{SCHEMA}`")
    return cast("Decision", decision)


def explain(decision: Decision) -> NoDecisionError | None:
    """Say where a decision that could not be worked with departs from the schema; None when it does not."""
    try:
        _adapter().validate_python(decision, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        return NoDecisionError(f"a decision whose `{where}` is wrong: {first['msg'].lower()}")
    if parse_time_ms(decision["decided_at"]) is None:
        return NoDecisionError("a decision whose `decided_at` is wrong: no date and time with a zone")
    return None


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Decision)
