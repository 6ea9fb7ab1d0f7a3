"""Which recorded decisions of the flag and allow topics to read: all, a range of time, or ranges of offsets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from moderator.errors import ConfigurationError
from moderator.events import Partition

SCHEME = "kafka"
FORMS = (
    "`kafka` (all that exist), `kafka:2026-10-01..2026-10-08` (published from, until; either may be left out; a "
    "bare date is 00:00 UTC), or `kafka:moderation.flag/0@100..200,moderation.allow/0@50..` (offsets, the last not "
    "included)"
)

_OFFSETS = re.compile(r"(?P<topic>[A-Za-z0-9._-]+)/(?P<number>\d{1,9})@(?P<start>\d{0,18})\.\.(?P<end>\d{0,18})")
_DATE_CHARACTERS = len("2026-10-01")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Every partition of both topics, from a time (included) until another (not included); ms since 1970, or None."""

    start_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OffsetRanges:
    """Some partitions, each from an offset (included) until another (not included); None for either end of the log."""

    ranges: Mapping[Partition, tuple[int | None, int | None]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where one range begins until where another ends, in the partitions that both have."""

    start: TimeRange | OffsetRanges
    until: TimeRange | OffsetRanges


DecisionRange = TimeRange | OffsetRanges | Bounds


def is_range(events: str) -> bool:
    """Check whether `--events` names Kafka, and not a file."""
    return events == SCHEME or events.startswith(f"{SCHEME}:")


def parse_range(events: str) -> DecisionRange:
    """Parse an `--events` that names Kafka.

    Raises:
        ConfigurationError: it has none of the forms.
    """
    _, _, span = events.partition(":")
    if "@" in span:
        spans = [_parse_offsets(part, events) for part in span.split(",")]
        if len(dict(spans)) < len(spans):
            raise ConfigurationError(f"`{events}` names a partition twice: name each once")
        return OffsetRanges(dict(spans))
    start, dots, until = span.partition("..")
    if span and not dots:
        raise _wrong(events)
    times = TimeRange(*(parse_time(each, str(_wrong(events))) if each else None for each in (start, until)))
    if times.start_ms is not None and times.until_ms is not None and times.start_ms >= times.until_ms:
        raise ConfigurationError(f"`{events}` holds nothing: `{start}` is not before `{until}`")
    return times


def parse_time(text: str, refusal: str = "") -> int:
    """Give the milliseconds since 1970 of an ISO 8601 time; a bare date is 00:00 UTC.

    `refusal` is what is said of a text that is no time; empty: that it is none.

    Raises:
        ConfigurationError: it is no time, or has no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(refusal or f"`{text}` is no time: write one such as `2026-11-29T06:00:00Z`") from None
    if moment.tzinfo is None and len(text) > _DATE_CHARACTERS:
        raise ConfigurationError(f"the time `{text}` has no zone: write `{text}Z`, or with an offset such as `+02:00`")
    since = moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH
    return max(0, since // (since.resolution * 1_000))


def _parse_offsets(part: str, events: str) -> tuple[Partition, tuple[int | None, int | None]]:
    match = _OFFSETS.fullmatch(part)
    if match is None:
        raise _wrong(events)
    start, end = (int(text) if text else None for text in match.group("start", "end"))
    return Partition(match["topic"], int(match["number"])), (start, end)


def _wrong(events: str) -> ConfigurationError:
    return ConfigurationError(f"`{events}` is no range of decisions: write {FORMS}")
