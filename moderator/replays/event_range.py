"""Which events to judge again: `--from` and `--until`, each a time or places, as ranges of offsets."""

import re
from typing import Final

from moderator.errors import ConfigurationError
from moderator.events import Partition
from moderator.stream.kafka.ranges.decision_range import Bounds, OffsetRanges, TimeRange, parse_time

NOW: Final = "now"
_PLACE: Final = re.compile(r"(\d{1,9}):(\d{1,18})")
_FORMS: Final = "write a time such as `2026-11-29T06:00:00Z`, or places such as `0:1200,1:980`"


def parse_bounds(start: str, until: str, topic: str, *, may_name_places: bool) -> Bounds:
    """Read both ends of a range; the second one is not included.

    Args:
        start: a time or places.
        until: the same, or `now`.
        topic: whose places they are.
        may_name_places: false where other topics than the events topic are read.

    Raises:
        ConfigurationError: one of them is neither, or the range holds nothing.
    """
    if not may_name_places and (_is_places(start) or _is_places(until)):
        raise ConfigurationError(
            "places are of the events topic, and `--policy-only` reads the decision topics: name a time"
        )
    bounds = Bounds(_start(start, topic), _until(until, topic))
    first_ms, last_ms = getattr(bounds.start, "start_ms", None), getattr(bounds.until, "until_ms", None)
    if first_ms is not None and last_ms is not None and first_ms >= last_ms:
        raise ConfigurationError(f"the range holds nothing: `--from {start}` is not before `--until {until}`")
    return bounds


def _start(text: str, topic: str) -> TimeRange | OffsetRanges:
    if _is_places(text):
        return OffsetRanges({partition: (offset, None) for partition, offset in _places(text, topic).items()})
    return TimeRange(start_ms=parse_time(text, f"`--from {text}`: {_FORMS}"))


def _until(text: str, topic: str) -> TimeRange | OffsetRanges:
    if text == NOW:
        return TimeRange()
    if _is_places(text):
        return OffsetRanges({partition: (None, offset) for partition, offset in _places(text, topic).items()})
    return TimeRange(until_ms=parse_time(text, f"`--until {text}`: {_FORMS}, or `{NOW}`"))


def _is_places(text: str) -> bool:
    return all(_PLACE.fullmatch(part.strip()) for part in text.split(","))


def _places(text: str, topic: str) -> dict[Partition, int]:
    places = [(Partition(topic, int(number)), int(offset)) for number, offset in _PLACE.findall(text)]
    if len(dict(places)) < len(places):
        raise ConfigurationError(f"`{text}` names a partition twice: name each once")
    return dict(places)
