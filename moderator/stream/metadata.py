"""What of an event's metadata is kept: text, numbers, true and false, as they were sent."""

import math
from collections.abc import Mapping
from itertools import islice
from typing import Final

from moderator.events import MetadataValue

MAX_KEYS: Final = 32

_LEAST, _GREATEST = -(2**63), 2**64 - 1
_MAX_DIGITS: Final = 256


class InexactNumberError(Exception):
    """A number is so large that the fast reader may have rounded it."""


def kept_metadata(given: Mapping[str, object], *, is_exact: bool) -> dict[str, MetadataValue]:
    """Keep the first 32 values of a kind that rules can match or compare, in the order given.

    Args:
        given: the metadata as parsed.
        is_exact: whole numbers of any size were parsed as such.

    Raises:
        InexactNumberError: not `is_exact`, and a whole number may have become a fraction.
    """
    kept: dict[str, MetadataValue] = {}
    for key, value in given.items():
        if type(value) is str:  # the usual case first: every event comes this way
            kept[key] = value
        elif isinstance(value, (int, float)) and (number := _number(value, is_exact=is_exact)) is not None:
            kept[key] = number
    return kept if len(kept) <= MAX_KEYS else dict(islice(kept.items(), MAX_KEYS))


def _number(value: float, *, is_exact: bool) -> MetadataValue | None:
    """Give the number as it can be written again; one with more digits than a name may have is ignored."""
    if isinstance(value, float):
        if not is_exact and abs(value) >= -_LEAST:
            raise InexactNumberError
        return value if math.isfinite(value) else None
    if _LEAST <= value <= _GREATEST:
        return value
    digits = str(value)
    return digits if len(digits.lstrip("-")) <= _MAX_DIGITS else None
