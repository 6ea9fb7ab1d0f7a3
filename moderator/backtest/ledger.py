"""Keeps account of batches that may be done in any order, so that every invalid value can be named with its line."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from moderator.backtest.batches import Batch
from moderator.backtest.study import SHOWN_INVALID_VALUES, Done
from moderator.errors import ConfigurationError

Advance = Callable[[int], None]


class Ledger:
    """Which batches were handed out, and what was found in them."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._out: dict[int, Batch] = {}
        self._done: dict[int, Done] = {}
        self._faulty: dict[int, Batch] = {}
        self._invalid_count = 0

    def number(self, batches: Iterable[Batch]) -> Iterator[tuple[int, Batch]]:
        """Hand out batches with their numbers, until there are more invalid values than are shown."""
        for number, batch in enumerate(batches):
            if self._invalid_count > SHOWN_INVALID_VALUES:
                return
            self._out[number] = batch
            yield number, batch

    def note(self, number: int, done: Done) -> None:
        """Note what was found in a batch."""
        batch = self._out.pop(number)
        self._done[number] = done
        if done.invalid:
            self._faulty[number] = batch
            self._invalid_count += len(done.invalid)
        self._advance(batch.size)

    def require_decisions(self) -> None:
        """Check that every value was a decision, and that there was one.

        Raises:
            ConfigurationError: it names the first values that are not decisions.
        """
        shown = list(islice(self._shown(), SHOWN_INVALID_VALUES + 1))
        if len(shown) > SHOWN_INVALID_VALUES:
            shown[SHOWN_INVALID_VALUES:] = ["and more"]
        if shown:
            raise ConfigurationError("\n".join(shown))
        if not any(done.decisions for done in self._done.values()):
            raise ConfigurationError("there is no decision to read: the input is empty")

    def _shown(self) -> Iterator[str]:
        lines_before = 0
        for number in sorted(self._done):
            done = self._done[number]
            for value in done.invalid:
                place = self._faulty[number].place(value.number, lines_before + value.line)
                yield f"{place}: {value.text}"
            lines_before += done.lines
