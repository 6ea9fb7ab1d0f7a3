"""Windows of partitions on trial: one at a time, and written down before they are scored.

An event may end the process without an error of Python's: by a native crash, the machine's memory, a device. What was
being scored then is known to whoever goes on, in smaller and smaller windows, until one event is left.
"""

from typing import Final

from moderator.events import SET_ASIDE, ChatEvent
from moderator.observability.logging import get_logger
from moderator.pipeline.ports import InteractiveWork, Trials
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.pipeline.window import SUSPECTS_AT_ONCE, Span, WindowBuffer

log = get_logger(__name__)

_ALONE: Final = range(1, SUSPECTS_AT_ONCE + 1)


class CarefulScoring:
    """Takes windows from a buffer while a partition is on trial. Runs on the stream's thread.

    Args:
        trials: the partitions on trial, and what is known of their events.
        scoring: the thread that scores.
        interactive: texts that share the device; None where nobody asks.
    """

    def __init__(self, trials: Trials, scoring: ScoringThread, interactive: InteractiveWork | None) -> None:
        self._trials = trials
        self._scoring = scoring
        self._interactive = interactive
        self._is_alone = False
        self._is_holding = False
        self.waiting: list[Span] = []
        """A window that is not written down yet."""

    @property
    def is_on(self) -> bool:
        """Windows must not overlap."""
        return self._trials.is_on or bool(self.waiting)

    @property
    def interactive(self) -> InteractiveWork | None:
        """What may share the passes of the window that was taken last: nothing, while a suspect is scored alone."""
        return None if self._is_alone else self._interactive

    def take(self, buffer: WindowBuffer) -> list[Span]:
        """Give the next window to score, written down; empty: none waits, or it could not be written yet.

        Call it while no window is scored or published.

        Raises:
            FencedError: another process uses our instance id.
            StoppedError: it can never be written down.
        """
        if not self.waiting:
            self.waiting = self._taken_from(buffer)
        if not self.waiting or not self._may_begin():
            return []
        started, self.waiting = self.waiting, []
        return started

    def before_poll(self) -> None:
        """Take the marks back before a rebalance: it makes no event a suspect."""
        self._trials.before_poll()

    def finish(self) -> None:
        """Write down that the window is scored, before it is published or the process ends in order."""
        self._trials.end()
        self._let_others_go_on()

    def clear(self) -> None:
        """Forget the window that was not started; it will be polled again."""
        self.waiting = []
        self._let_others_go_on()

    def _taken_from(self, buffer: WindowBuffer) -> list[Span]:
        suspects = self._trials.suspects
        spans = buffer.take(suspects)
        events = sum(len(span.items) for span in spans)
        self._is_alone = events == 1 and suspects.get(spans[0].partition, 0) in _ALONE
        if self._is_alone and self._trials.is_condemned(spans[0].partition):
            self._set_aside(spans[0])
        return spans

    def _may_begin(self) -> bool:
        if not any(isinstance(entry.event, ChatEvent) for span in self.waiting for entry in span.items):
            return True
        if self._is_alone and self._interactive and not self._is_holding:
            self._interactive.hold()
            self._is_holding = True
            self._scoring.call(_wait_for_what_is_on_the_device)
        return self._trials.begin(self.waiting, is_alone=self._is_alone)

    def _let_others_go_on(self) -> None:
        if self._is_holding and self._interactive:
            self._is_holding = False
            self._interactive.release()

    @staticmethod
    def _set_aside(span: Span) -> None:
        [entry] = span.items
        event, (topic, partition, offset) = entry.event, entry.record[:3]
        if isinstance(event, ChatEvent):
            log.error("event_set_aside", topic=topic, partition=partition, offset=offset, event_id=event.id)
            entry.event = SET_ASIDE


def _wait_for_what_is_on_the_device() -> None:
    """Do nothing: the scoring thread does one thing at a time."""
