"""JSON as many producers write it: with a BOM, lone surrogates, integers of any size."""

import json
import re
from itertools import accumulate
from typing import Any

from moderator.errors import InvalidEventError

_MAX_DIGITS = 512
"""More than any name or time may have."""
_MAX_DEPTH = 1_024
"""As deep as orjson reads."""
_TOO_DEEP = "not JSON that can be read: nested too deeply"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_LONE_SURROGATE = re.compile(
    r"(?P<keep>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|(?P<other>\\.)",
    re.DOTALL,
)


def loads_exactly(value: bytes) -> Any:
    """Parse JSON with a BOM, lone surrogates (they become U+FFFD) and integers of any size.

    Raises:
        InvalidEventError: not UTF-8, or not JSON.
    """
    try:
        text = value.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidEventError("bad_json", f"not UTF-8: byte {error.start} cannot be decoded") from error
    repaired = _without_lone_surrogates(text)
    if _is_too_deep(repaired):
        raise InvalidEventError("bad_json", _TOO_DEEP)
    try:
        return json.loads(repaired, parse_int=_integer, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        problem = error.msg.lower().removesuffix(" at")
        raise InvalidEventError("bad_json", f"not JSON: {problem} at character {error.pos}") from error
    except RecursionError as error:
        raise InvalidEventError("bad_json", _TOO_DEEP) from error


def loads_pairs(text: str) -> Any:
    """Parse JSON, each object as a list of its names and values in turn, so that a name given twice hides no value.

    Raises:
        ValueError: not JSON.
        RecursionError: nested too deep.
    """
    return json.loads(
        _without_lone_surrogates(text), object_pairs_hook=lambda pairs: [each for pair in pairs for each in pair]
    )


def _without_lone_surrogates(text: str) -> str:
    return _LONE_SURROGATE.sub(lambda m: m.group() if m.group("keep") or m.group("other") else r"\ufffd", text)


def _is_too_deep(text: str) -> bool:
    """Count how deep brackets are nested outside of strings: how deep Python itself reads depends on its version."""
    brackets = (found.group() for found in _BRACKET.finditer(_STRING.sub("", text)))
    return any(depth > _MAX_DEPTH for depth in accumulate(1 if bracket in "[{" else -1 for bracket in brackets))


def _integer(digits: str) -> int:
    # Python refuses to parse thousands of digits; cut, it is still too long for a name, and infinite as a time
    return int(digits[:_MAX_DIGITS])


def _refuse_constant(name: str) -> None:
    raise InvalidEventError("bad_json", f"not JSON: `{name}` is not a JSON value")
