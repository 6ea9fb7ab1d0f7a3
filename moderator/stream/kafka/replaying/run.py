"""A run over a range of a topic: what it reads, how it writes, and how one step of it is published."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moderator.events import DecidedSpan
from moderator.settings import KafkaSettings
from moderator.stream.kafka.producing.delivery import Send
from moderator.stream.kafka.producing.sink import KafkaSink, RejectOversized
from moderator.stream.kafka.ranges.decision_range import DecisionRange
from moderator.stream.kafka.ranges.frozen_range import Ends, FrozenRange, Selects, count

RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run reads.

    Attributes:
        topics: all partitions of these, unless `wanted` names some.
        selects: which records count; None: all.
        rate: records a second at most; None: as fast as they come.
    """

    topics: Sequence[str]
    wanted: DecisionRange
    selects: Selects | None = None
    rate: int | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """What a run writes, and under which name.

    Attributes:
        run_id: names the run; the same one continues it.
        options: a hash of what selects, judges and writes.
        topic: where it writes.
        limit_bytes: the largest record that the topic accepts.
        send: passes outcomes to the producer.
        reject_oversized: gives the dead letter for a decision that the topic does not accept.
    """

    run_id: str
    options: str
    topic: str
    limit_bytes: int
    send: Send
    reject_oversized: RejectOversized


@dataclass(frozen=True, slots=True)
class Run:
    """A run, ready to be made.

    Attributes:
        sink: None: nothing is written.
        ends: what is left to read.
        is_continued: it was started before.
    """

    source: FrozenRange
    sink: KafkaSink | None
    ends: Ends
    is_continued: bool = False

    @property
    def total(self) -> int:
        """How many offsets are left to read."""
        return count(self.ends)


def run_name(settings: KafkaSettings, run_id: str) -> str:
    """Name a run's group and transactional id; both begin with the stream's group, as access lists need."""
    return f"{settings.group_id}-replay-{run_id}"


def publish(sink: KafkaSink, spans: list[DecidedSpan], gives_up: Callable[[], bool]) -> list[DecidedSpan]:
    """Publish spans until all are committed; give those that are.

    Args:
        sink: of a run.
        spans: in the order in which they were read.
        gives_up: asked after each attempt that failed; what is not committed then will be read again.

    Raises:
        FencedError: another process makes this run.
        StoppedError: publishing can never succeed.
    """
    done: list[DecidedSpan] = []
    while spans:
        published = sink.publish(spans)
        done += published.committed
        spans = published.retry
        if spans:
            if gives_up():
                break
            time.sleep(RETRY_S)
    return done
