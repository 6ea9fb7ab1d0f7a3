"""A dead letter as the console holds it: what its `dlq.*` headers say, never its bytes."""

from collections.abc import Sequence
from sys import intern
from typing import NamedTuple

from moderator.policy.language.event_time import parse_time_ms
from moderator.stream.dead_letter import said_of

_SIZE_BYTES = 600


class RecentDeadLetter(NamedTuple):
    """One record that could not be judged.

    Attributes:
        at_ms, number: when it was set aside, and the place in the order of reading; together they are unique.
        topic, partition, offset: where the original is; empty where the headers do not say.
    """

    at_ms: int
    number: int
    reason: str
    error: str
    topic: str
    partition: str
    offset: str

    @property
    def place(self) -> str:
        """The original record, as `topic/partition/offset`: the id of an event without one."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def size_bytes(self) -> int:
        """How much memory it takes, about."""
        return _SIZE_BYTES + len(self.error)


def recent_dead_letter(
    headers: Sequence[tuple[str, bytes | None]], timestamp_ms: int | None, number: int
) -> RecentDeadLetter:
    """Read one dead letter from its headers; what they lack is empty."""
    said = said_of(headers)
    at_ms = parse_time_ms(said.get("at", ""))
    return RecentDeadLetter(
        at_ms if at_ms is not None else timestamp_ms or 0,
        number,
        intern(said.get("reason", "")),
        said.get("error", ""),
        intern(said.get("topic", "")),
        intern(said.get("partition", "")),
        said.get("offset", ""),
    )
