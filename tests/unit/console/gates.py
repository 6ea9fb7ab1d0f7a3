"""Decisions for a backtest that come when a test lets them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from moderator.backtest.batches import Lines
from moderator.console.trials.backtests import Decisions


class Gate:
    """Decisions that come one batch at a time, when the test lets them."""

    def __init__(self, values: list[bytes]) -> None:
        self.values = values
        self.gate = threading.Semaphore(0)

    @contextmanager
    def open(self) -> Iterator[Decisions]:
        yield Decisions(self._batches(), len(self.values), "decisions")

    def _batches(self) -> Iterator[Lines]:
        for value in self.values:
            self.gate.acquire()
            yield Lines("held", [value], 1)
