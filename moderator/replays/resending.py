"""Dead letters sent to the events topic again: once each, in their order, marked, and counted."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moderator.errors import ConfigurationError
from moderator.events import DecidedSpan, Partition, Record
from moderator.replays.carrying import Passed, carry
from moderator.replays.letters import Selection, letter_at
from moderator.replays.naming import options_hash
from moderator.settings import KafkaSettings
from moderator.stream.dead_letter import original_record, read_letter
from moderator.stream.kafka.producing.dead_letters import size_bytes
from moderator.stream.kafka.ranges.decision_range import DecisionRange, OffsetRanges, TimeRange
from moderator.stream.kafka.replaying.letter_sender import RecordSender
from moderator.stream.kafka.replaying.opening import open_range, open_run
from moderator.stream.kafka.replaying.run import Reading, Run, Writing
from moderator.stream.kafka.topics import require_topic

REPLAYED = "replayed"
SKIPPED_WHY = {
    "truncated": "cut when they were set aside",
    "replays": "replayed as often as `--max-replays` allows",
    "too_large": "larger than the topic accepts",
}


@dataclass(frozen=True, slots=True)
class Resending:
    """What to send again.

    Attributes:
        topic: where to.
        value: instead of the body of the one letter that is selected; None: each letter's own.
        max_replays: a letter that came back so often is skipped.
        rate: letters a second at most; None: as fast as they come.
    """

    run_id: str
    topic: str
    selection: Selection
    span: TimeRange
    value: bytes | None
    max_replays: int
    rate: int | None


def require_resendable(settings: KafkaSettings, resending: Resending) -> int:
    """Check that the topic may be written, and that there is a letter at each place; give the topic's record limit.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: one is wrong.
    """
    if resending.topic in {settings.flag_topic, settings.allow_topic, settings.dead_letter_topic}:
        raise ConfigurationError(f"`--to`: `{resending.topic}` is an output topic; name one that events are read from")
    limit_bytes = require_topic(settings, resending.topic)
    for place in sorted(resending.selection.places or ()):
        letter_at(settings, place)
    return limit_bytes


def resend(
    settings: KafkaSettings,
    resending: Resending,
    *,
    limit_bytes: int,
    is_dry: bool,
    stop: threading.Event,
    show_progress: Callable[[Run], Callable[[int], None]],
) -> Counter[str]:
    """Send the letters again; give how many were replayed and skipped, by cause, in this process.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: the run was started with other options.
        FencedError: another process makes this run.
        StoppedError: Kafka refuses, or does not answer any more.
    """
    counts: Counter[str] = Counter()
    step: Counter[str] = Counter()

    def outcome(record: Record) -> Record | None:
        letter = read_letter(record)
        again = original_record(letter, resending.run_id, resending.value)
        fault = None
        if letter.truncated:
            fault = "truncated"
        elif letter.replays >= resending.max_replays:
            fault = "replays"
        elif size_bytes(again.key, again.value, list(again.headers)) > limit_bytes:  # type: ignore[arg-type]  # no nulls
            fault = "too_large"
        step[fault or REPLAYED] += 1
        return None if fault else again

    reading = Reading([settings.dead_letter_topic], _range(settings, resending), resending.selection, resending.rate)
    writing = Writing(
        resending.run_id,
        _options(resending),
        resending.topic,
        limit_bytes,
        RecordSender(resending.topic),
        lambda record, decision: None,  # noqa: ARG005 - no decision is written
    )
    with open_range(settings, reading) if is_dry else open_run(settings, reading, writing) as run:
        passed = Passed(run, show_progress(run))

        def notice(spans: Sequence[DecidedSpan]) -> None:
            counts.update(step)
            step.clear()
            passed.note(spans)

        carry(run, outcome, stop, notice)
    return counts


def _range(settings: KafkaSettings, resending: Resending) -> DecisionRange:
    """Read no more than the places that are named need."""
    if resending.selection.places is None:
        return resending.span
    ranges: dict[Partition, tuple[int | None, int | None]] = {}
    for number, offset in sorted(resending.selection.places):
        partition = Partition(settings.dead_letter_topic, number)
        ranges[partition] = (ranges.get(partition, (offset,))[0], offset + 1)
    return OffsetRanges(ranges)


def _options(resending: Resending) -> str:
    selection = resending.selection
    return options_hash(
        command="dead-letters replay",
        places=None if selection.places is None else sorted(selection.places),
        reason=selection.reason,
        since_ms=resending.span.start_ms,
        until_ms=resending.span.until_ms,
        value=None if resending.value is None else hashlib.sha256(resending.value).hexdigest(),
        to=resending.topic,
        max_replays=resending.max_replays,
    )
