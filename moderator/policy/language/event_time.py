"""Event time: the time by which an event is judged, in whole milliseconds since 1970, UTC. No clock is read here."""

import math
import re
from datetime import UTC, datetime

MS_PER_DAY = 86_400_000
CALENDAR_MS = range(-62_135_596_800_000, 253_402_300_800_000)
"""The years 1 to 9999, UTC."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def event_time_ms(broker_ms: int | None, time: str | float | None, decided_at: str) -> int:
    """Give the time by which an event is judged.

    Args:
        broker_ms: the record's timestamp; None, or -1 as Kafka writes it, without a broker.
        time: the event's own `time`, which counts only without a broker, and only if it is a date and time with a zone.
        decided_at: what counts when there is neither, as the decision records it.

    Raises:
        ValueError: `decided_at` would count and is no date and time with a zone.
    """
    if broker_ms is not None and broker_ms >= 0:
        return broker_ms
    parsed = parse_time_ms(time) if isinstance(time, str) else None
    now_ms = parse_time_ms(decided_at) if parsed is None else parsed
    if now_ms is None:
        raise ValueError(f"`{decided_at}` is no date and time with a zone")
    return now_ms


def parse_time_ms(text: str) -> int | None:
    """Read an ISO 8601 date and time with a zone, rounded down to milliseconds; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * MS_PER_DAY + since.seconds * 1000 + math.floor(since.microseconds / 1000)


def with_clock(text: str) -> str:
    """Write a date alone as its 00:00 UTC, as policies mean it; give anything else as it is."""
    return f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text


def iso_utc(at_ms: int) -> str:
    """Write a time as people do: the date alone at midnight UTC, else to the second or millisecond, with `Z`.

    What is outside of `CALENDAR_MS`, as a producer's clock in another unit may, is written as the number that it is.
    """
    if at_ms not in CALENDAR_MS:
        return f"{at_ms} ms since 1970"
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    if at_ms % MS_PER_DAY == 0:
        return moment.date().isoformat()
    fraction = f".{at_ms % 1000:03d}" if at_ms % 1000 else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"
