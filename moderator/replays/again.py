"""What a replay reads, and what it counts on the way."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from moderator.counted import counted
from moderator.errors import ConfigurationError
from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, Partition, Record
from moderator.policy import PolicySet
from moderator.replays.carrying import Notice, carry
from moderator.replays.comparing import Comparison
from moderator.replays.recorded import MOST_EVENTS, Place, RecordedOutcomes
from moderator.replays.rejudging import NotReplayableError, Rejudge
from moderator.settings import KafkaSettings
from moderator.stream.kafka.ranges.decision_range import DecisionRange, OffsetRanges, TimeRange
from moderator.stream.kafka.ranges.frozen_range import Ends, count
from moderator.stream.kafka.replaying.opening import open_range
from moderator.stream.kafka.replaying.run import Reading, Run, Writing
from moderator.stream.kafka.topics import await_topics, require_topic

_POLL_MS: Final = 500
_CLOCKS_DIFFER_MS: Final = 3_600_000
"""How far apart the clocks of brokers and replicas may be: a decision's record may seem older than its event."""


def require_target(settings: KafkaSettings, topic: str, *, may_be_live: bool) -> int:
    """Check where a replay writes; give the largest record that the topic accepts.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: it is missing, or a topic of live traffic.
    """
    live = {settings.events_topic, settings.flag_topic, settings.allow_topic, settings.dead_letter_topic}
    if topic in live and not may_be_live:
        raise ConfigurationError(
            f"`--to-topic`: `{topic}` is a topic of live traffic, whose readers would act twice; name another, or say "
            "`--into-live`"
        )
    return require_topic(settings, topic)


def require_comparable(ends: Ends) -> None:
    """Check that what is kept of a range for a comparison fits into memory.

    Raises:
        ConfigurationError: it does not.
    """
    if count(ends) > MOST_EVENTS:
        raise ConfigurationError(
            f"the range has {count(ends):,} offsets, and at most {MOST_EVENTS:,} events can be compared: narrow it "
            "with `--from` and `--until`"
        )


class Counts:
    """What became of the records of a run, in this process.

    Attributes:
        outcomes: `flag`, `allow`, and dead letters.
        not_replayable: recorded decisions that could not be judged again, by cause.
    """

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.not_replayable: Counter[str] = Counter()

    def note(self, spans: Sequence[DecidedSpan]) -> None:
        """Count what was written, or would have been."""
        for span in spans:
            self.outcomes.update("dead" if isinstance(made, DeadLetter) else made.verdict for _, made in span.items)

    @property
    def line(self) -> str:
        """Give the sum for people."""
        flagged, allowed, dead = (self.outcomes[name] for name in ("flag", "allow", "dead"))
        left_out = [f"{events:,} not replayable ({cause})" for cause, events in self.not_replayable.most_common()]
        parts = [f"{flagged:,} flag", f"{allowed:,} allow", counted(dead, "dead letter"), *left_out]
        total = counted(self.outcomes.total() + self.not_replayable.total(), "event")
        return f"{total} = {' + '.join(parts)}"


def rejudge_all(
    run: Run,
    policies: PolicySet,
    outcomes: Writing | None,
    stop: threading.Event,
    notice: Notice,
    *,
    counts: Counts,
    comparison: Comparison | None,
) -> None:
    """Judge the recorded decisions of a run again, write them, and compare them with what was recorded.

    Raises:
        FencedError: another process makes this run.
        StoppedError: Kafka refuses, or does not answer.
    """
    rejudge = Rejudge(policies)

    def outcome(record: Record) -> EncodedDecision | DeadLetter | None:
        place: Place | None
        made: EncodedDecision | None
        try:
            place, made = rejudge(record.value)
        except NotReplayableError as error:
            counts.not_replayable[error.cause] += 1
            place, made = error.place, None
        if comparison and place is not None:
            comparison.add_last(place, record.timestamp_ms, made)
        return (outcomes.reject_oversized(record, made) or made) if made and outcomes else made

    carry(run, outcome, stop, notice)


def compare_spans(comparison: Comparison, spans: Sequence[DecidedSpan]) -> None:
    """Compare the outcomes of events that were scored and judged again."""
    for span in spans:
        for record, made in span.items:
            comparison.add((record.partition, record.offset), made)


def read_recorded(
    settings: KafkaSettings,
    reading: Reading,
    ends: Ends,
    signals: Sequence[str],
    *,
    stop: threading.Event,
    show_progress: Callable[[int], AbstractContextManager[Callable[[int], None]]],
) -> RecordedOutcomes:
    """Read what was decided of the events of a range, or in a range of decisions.

    Args:
        settings: brokers and topics.
        reading: of the replay.
        ends: the range that it reads.
        signals: whose scores are kept.
        stop: ends it early.
        show_progress: called with the number of offsets to read; its context gives what is called with each part done.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: a topic is missing.
    """
    of_events = settings.events_topic in reading.topics
    recorded = RecordedOutcomes(signals, settings.events_topic, ends if of_events else None)
    wanted = _since_first_event(settings, ends) if of_events else _exactly(ends)
    decisions = Reading([settings.flag_topic, settings.allow_topic], wanted)
    with open_range(settings, decisions) as run, show_progress(run.total) as advance:
        left = run.total
        while not run.source.is_exhausted and not stop.is_set():
            for span in run.source.poll(_POLL_MS):
                for record in span.items:
                    recorded.add(record)
            advance(left - run.source.offsets_left)
            left = run.source.offsets_left
    return recorded


def _exactly(ends: Ends) -> DecisionRange:
    return OffsetRanges({partition: (start, end) for partition, (start, end) in ends.items()})


def _since_first_event(settings: KafkaSettings, ends: Ends) -> DecisionRange:
    """Decisions are written after their events; all are read where events carry the times of their producers."""
    if not await_topics(settings).has_brokers_time:
        return TimeRange()
    firsts: dict[Partition, int | None] = {}
    not_empty = {partition for partition, (start, end) in ends.items() if start < end}
    with open_range(settings, Reading([], _exactly(ends))) as run:
        while not run.source.is_exhausted and not_empty - firsts.keys():
            for span in run.source.poll(_POLL_MS):
                if span.items:
                    firsts.setdefault(span.partition, span.items[0].timestamp_ms)
    times = [time_ms for time_ms in firsts.values() if time_ms is not None]
    return TimeRange(start_ms=max(0, min(times) - _CLOCKS_DIFFER_MS)) if times else TimeRange()
