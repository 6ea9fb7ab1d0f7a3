"""One session of the demo: sends events slowly enough to follow, and prints each result when it becomes visible."""

import time
from collections.abc import Sequence

from moderator.demo.replica import LocalReplica
from moderator.demo.rows import row_of
from moderator.demo.samples import Sample
from moderator.demo.screen import Screen
from moderator.demo.tally import Tally
from moderator.demo.traffic import EventSender, OutcomeReader
from moderator.errors import ModeratorError

_PER_BURST = 8
_BURST_EVERY_S = 0.2
_POLL_EVERY_S = 0.1
_STALLED_AFTER_S = 60.0
_SETTLE_S = 1.0


class DemoFailedError(ModeratorError):
    """The demo cannot continue; the text has the reason and the last lines of the replica's log.

    Attributes:
        replica_exit_code: None while the replica runs.
    """

    def __init__(self, reason: str, replica: LocalReplica) -> None:
        super().__init__(f"{reason}; its log ends with:\n{replica.last_lines()}")
        self.replica_exit_code = replica.exit_code


class Session:
    """Sends, reads back, prints and counts."""

    def __init__(self, screen: Screen, replica: LocalReplica, sender: EventSender, reader: OutcomeReader) -> None:
        self.tally = Tally()
        self._screen, self._replica, self._sender, self._reader = screen, replica, sender, reader

    def run(self, samples: Sequence[Sample]) -> None:
        """Send all samples and print each result, until all have come back.

        Raises:
            DemoFailedError: the replica ended, or nothing came back for a minute.
            BrokerUnavailableError: Kafka does not accept an event.
        """
        with self._screen.meter(len(samples)):
            for first in range(0, len(samples), _PER_BURST):
                self.tally.add_sent(self._sender.send(samples[first : first + _PER_BURST]))
                self.watch(_BURST_EVERY_S)
            self._await_the_rest()
            self.watch(_SETTLE_S)  # a repeated decision would appear now

    def watch(self, duration_s: float) -> None:
        """Print the results that become visible in this time.

        Raises:
            DemoFailedError: the replica has ended.
        """
        until_s = time.monotonic() + duration_s
        while (left_s := until_s - time.monotonic()) > 0:
            if self._replica.exit_code is not None:
                raise DemoFailedError(f"`moderator run` ended with exit code {self._replica.exit_code}", self._replica)
            self._print_new(min(left_s, _POLL_EVERY_S))

    def _print_new(self, timeout_s: float) -> None:
        # what became visible together is shown in the order in which it was sent
        outcomes = sorted(self._reader.poll(timeout_s), key=lambda outcome: self.tally.position(outcome.place))
        for outcome in outcomes:
            row = row_of(outcome, self.tally.sent.get(outcome.place))
            self.tally.add_back(outcome, row)
            self._screen.row(row, self.tally.signals)
        self._screen.count(len(self.tally.sent), self.tally.back)

    def _await_the_rest(self) -> None:
        back, since_s = self.tally.back, time.monotonic()
        while not self.tally.is_complete:
            self.watch(_POLL_EVERY_S)
            if self.tally.back > back:
                back, since_s = self.tally.back, time.monotonic()
            elif time.monotonic() - since_s > _STALLED_AFTER_S:
                reason = f"nothing came back for {_STALLED_AFTER_S:.0f} s: {self.tally.sum_line()}"
                raise DemoFailedError(reason, self._replica)
