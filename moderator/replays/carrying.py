"""Carries records of a run from where they are read to where they are written, one transaction a poll."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from moderator.events import DecidedSpan, PolledSpan
from moderator.stream.kafka.replaying.run import Run, publish

_POLL_MS = 500

Outcome = Callable[[Any], Any]
"""Give what to write for a record; None: nothing."""
Notice = Callable[[Sequence[DecidedSpan]], None]
"""Is called with what was written, or would have been."""


def carry(run: Run, outcome: Outcome, stop: threading.Event, notice: Notice) -> None:
    """Write the outcome of each record, until the range is done or `stop` is set and the current step is finished.

    Args:
        run: without a sink nothing is written.
        outcome: asked once for each record, in order within each partition.
        stop: ends it early.
        notice: called after each step; the last call may be left out where `stop` was set and Kafka takes nothing.

    Raises:
        FencedError: another process makes this run.
        StoppedError: Kafka refuses, or does not answer.
    """
    while not run.source.is_exhausted and not stop.is_set():
        spans = [_decided(span, outcome) for span in run.source.poll(_POLL_MS)]
        if run.sink and len(publish(run.sink, spans, stop.is_set)) < len(spans):
            return
        notice(spans)


class Passed:
    """Tells how many offsets were passed, from where a run begins."""

    def __init__(self, run: Run, advance: Callable[[int], None]) -> None:
        self._at = {partition: start for partition, (start, _) in run.ends.items()}
        self._advance = advance

    def note(self, spans: Sequence[DecidedSpan]) -> None:
        """Add what these spans passed."""
        passed = 0
        for span in spans:
            passed += span.next_offset - self._at[span.partition]
            self._at[span.partition] = span.next_offset
        self._advance(passed)


def _decided(span: PolledSpan, outcome: Outcome) -> Any:
    pairs = ((record, outcome(record)) for record in span.items)
    return span.with_items([(record, made) for record, made in pairs if made is not None])
