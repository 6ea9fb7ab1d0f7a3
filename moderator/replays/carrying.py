"""Carries records of a run from where they are read to where they are written, one transaction a poll."""

import threading
from collections.abc import Callable
from typing import Any

from moderator.events import PolledSpan
from moderator.stream.kafka.replaying.run import Run, publish

_POLL_MS = 500

Outcome = Callable[[Any], Any]
"""Give what to write for a record; None: nothing."""


def carry(run: Run, outcome: Outcome, stop: threading.Event, advance: Callable[[int], None]) -> None:
    """Write the outcome of each record, until the range is done or `stop` is set and the step at hand is finished.

    Args:
        run: without a sink nothing is written.
        outcome: asked once for each record, in order within each partition.
        stop: ends it early.
        advance: called after each step with the offsets that were passed.

    Raises:
        FencedError: another process makes this run.
        StoppedError: Kafka refuses, or does not answer.
    """
    left = run.source.offsets_left
    while not run.source.is_exhausted and not stop.is_set():
        spans = [_decided(span, outcome) for span in run.source.poll(_POLL_MS)]
        if run.sink and len(publish(run.sink, spans, stop.is_set)) < len(spans):
            return  # stopped while Kafka did not take it: nothing of this step is committed
        advance(left - run.source.offsets_left)
        left = run.source.offsets_left


def _decided(span: PolledSpan, outcome: Outcome) -> Any:
    pairs = ((record, outcome(record)) for record in span.items)
    return span.with_items([(record, made) for record, made in pairs if made is not None])
