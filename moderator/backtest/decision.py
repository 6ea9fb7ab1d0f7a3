"""One recorded decision: bytes to `Decision`, quickly if it is valid, with an exact reason if it is not."""

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


class InvalidDecisionError(ModeratorError):
    """A value is not a decision of the known schema; the text quotes nothing of it."""


def read_decision(value: bytes | None) -> Decision:
    """Parse one value; the parts of the decision are not checked, see `schema_fault`.

    Raises:
        InvalidDecisionError: not JSON, not a decision, or one of another schema.
    """
    if value is None:
        raise InvalidDecisionError("it has no value")
    try:
        decision = orjson.loads(value.removeprefix(BOM))
    except orjson.JSONDecodeError as error:
        raise InvalidDecisionError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    if not isinstance(decision, dict) or "schema" not in decision:
        raise InvalidDecisionError("JSON, but not a decision: it has no `schema`")
    if decision["schema"] != SCHEMA:
        raise InvalidDecisionError(f"a decision of another schema than `{SCHEMA}`")
    return cast("Decision", decision)


def schema_fault(decision: Decision) -> InvalidDecisionError | None:
    """Give the first part of a decision that does not match the schema; None when all of it does."""
    try:
        _adapter().validate_python(decision, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        return InvalidDecisionError(f"a decision whose `{where}` is wrong: {first['msg'].lower()}")
    if parse_time_ms(decision["decided_at"]) is None:
        return InvalidDecisionError("a decision whose `decided_at` is wrong: not a date and time with a zone")
    return None


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Decision)
