"""A group's position in a partition: what is written down, and what comparing it with the log finds. Pure."""

import json
from typing import Literal, NamedTuple

from kafka.structs import OffsetAndMetadata

from moderator.counted import counted

_VERSION = 1
_NO_EPOCH = -1
_MOST_EVENTS = 10_000_000
"""No window holds so many; larger numbers are not ours."""


class Trial(NamedTuple):
    """The next events of a partition, while a process scores them.

    Attributes:
        events: how many.
        ends_alone: how often a process had ended while it scored this one event, and nothing else; None: others are
            scored with it.
    """

    events: int
    ends_alone: int | None = None


class Position(NamedTuple):
    """The offset to read next, as it was committed.

    Attributes:
        epoch: the leader's number when the last record before it was written; None: not known.
        topic_id: which topic of that name; None: not known, as where another tool has set the position.
        trial: what was being scored when it was written; None: nothing.
        suspects: how many of the next events may have ended a process.
    """

    offset: int
    epoch: int | None = None
    topic_id: str | None = None
    trial: Trial | None = None
    suspects: int = 0

    def written(self) -> OffsetAndMetadata:
        """Give what Kafka stores; the metadata is JSON of at most 500 bytes."""
        said: dict[str, object] = {"topic": self.topic_id} if self.topic_id else {}
        if self.trial:
            alone = {} if self.trial.ends_alone is None else {"alone": self.trial.ends_alone}
            said["trial"] = {"events": self.trial.events, **alone}
        if self.suspects:
            said["suspects"] = self.suspects
        text = json.dumps({"v": _VERSION, **said}, separators=(",", ":")) if said else ""
        return OffsetAndMetadata(self.offset, text, _NO_EPOCH if self.epoch is None else self.epoch)


def read_position(stored: OffsetAndMetadata) -> Position:
    """Read what Kafka stored; metadata that is not ours says nothing."""
    epoch = stored.leader_epoch if stored.leader_epoch is not None and stored.leader_epoch >= 0 else None
    said = read_metadata(stored.metadata)
    topic = said.get("topic")
    topic_id = topic if isinstance(topic, str) else None
    return Position(stored.offset, epoch, topic_id, _trial(said.get("trial")), _count(said.get("suspects")) or 0)


class PartitionLog(NamedTuple):
    """What the brokers hold of a partition.

    Attributes:
        topic_id: of the topic that has the name now.
        beginning: the oldest offset that is there.
        end: where reading ends: no open transaction begins before it.
        log_end: where the leader's log ends.
        leader_epoch: of the leader that said so; a position in this log is good for as long as that epoch is in it.
        epoch_end: where the records of the position's epoch end; None: the broker does not know that epoch.
    """

    topic_id: str | None
    beginning: int
    end: int
    log_end: int
    leader_epoch: int
    epoch_end: int | None = None


class Finding(NamedTuple):
    """One thing that is not as it was when the position was written.

    Attributes:
        place: where reading goes on because of it.
        events: how many offsets it concerns.
        epoch: of the position, where the broker found by it where the logs part.
    """

    kind: Literal["events_lost", "log_truncated", "topic_recreated", "epoch_forgotten"]
    place: int
    events: int
    epoch: int | None = None

    @property
    def is_loss(self) -> bool:
        """Check whether events or decided events are gone; else the comparison alone was not possible."""
        return self.kind != "epoch_forgotten"

    @property
    def text(self) -> str:
        """Say what was found, in a part of a sentence."""
        unread = counted(self.events, "event is", "events are")
        judged = counted(self.events, "event that was judged is", "events that were judged are")
        return {
            "events_lost": f"the log begins at {self.place}: {unread} lost unread",
            "log_truncated": f"the log was cut at {self.place}: {judged} lost",
            "topic_recreated": f"another topic has its name now, with {counted(self.events, 'new event')}",
            "epoch_forgotten": "the log cannot be compared with it",
        }[self.kind]


def compare(position: Position, log: PartitionLog) -> list[Finding]:
    """Compare a position with the log; no finding: all is well."""
    if position.topic_id and log.topic_id and position.topic_id != log.topic_id:
        return [Finding("topic_recreated", log.beginning, log.end - log.beginning)]
    found = []
    if log.beginning > position.offset:
        found.append(Finding("events_lost", log.beginning, log.beginning - position.offset))
    if position.epoch is not None and log.epoch_end is not None:
        if log.epoch_end < position.offset:
            found.append(_truncated(position, log.epoch_end, position.epoch))
    elif position.offset > log.log_end:
        found.append(_truncated(position, log.end, None))
    elif position.epoch is not None and not found:
        found.append(Finding("epoch_forgotten", position.offset, 0))
    return found


def place_after(position: Position, findings: list[Finding]) -> int:
    """Give where reading goes on: at the largest place, or at the position."""
    return max((finding.place for finding in findings), default=position.offset)


def _truncated(position: Position, now: int, epoch: int | None) -> Finding:
    return Finding("log_truncated", now, position.offset - now, epoch)


def read_metadata(metadata: str | None) -> dict[str, object]:
    """Read the JSON object that we write beside an offset; empty where it is not ours."""
    try:
        read = json.loads(metadata or "{}")
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _trial(said: object) -> Trial | None:
    events = _count(said.get("events")) if isinstance(said, dict) else None
    return Trial(events, _count(said.get("alone"))) if isinstance(said, dict) and events else None


def _count(said: object) -> int | None:
    is_count = isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= _MOST_EVENTS
    return said if is_count and isinstance(said, int) else None
