"""What the console holds in memory: the newest decisions and dead letters, and how many there were by minute."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moderator.backtest.decision import InvalidDecisionError
from moderator.console.recent.dead_letter import RecentDeadLetter, recent_dead_letter
from moderator.console.recent.decision import RecentDecision, recent_decision
from moderator.console.recent.rates import Rates
from moderator.console.recent.ring import Ring

_SHARE_OF_DEAD_LETTERS = 8


@dataclass(frozen=True, slots=True)
class RawDeadLetter:
    """What is read of a record of the dead-letter topic."""

    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int | None


class Recent:
    """One thread adds; any thread reads.

    Attributes:
        invalid: how many values were no decision.
        read: how many decisions and dead letters were read, held or not.
    """

    def __init__(self, max_decisions: int, max_bytes: int) -> None:
        self._decisions = Ring[RecentDecision](max_decisions, max_bytes)
        self._dead_letters = Ring[RecentDeadLetter](max_decisions, max_bytes // _SHARE_OF_DEAD_LETTERS)
        self._by_id: dict[str, RecentDecision] = {}
        self.rates = Rates()
        self.invalid = 0
        self.read = 0

    @property
    def decisions(self) -> Sequence[RecentDecision]:
        """Those that are held, oldest first; the sequence never changes."""
        return self._decisions.items

    @property
    def dead_letters(self) -> Sequence[RecentDeadLetter]:
        """Those that are held, oldest first; the sequence never changes."""
        return self._dead_letters.items

    @property
    def is_full(self) -> bool:
        """Whether older decisions were read than those that are held."""
        return self._decisions.dropped > 0

    @property
    def newest_ms(self) -> int | None:
        """When the newest decision or dead letter was made."""
        return self.rates.newest_ms

    def find(self, decision_id: str) -> RecentDecision | None:
        """Give a held decision; of several with one id, the one that was read last."""
        return self._by_id.get(decision_id)

    def add_decisions(self, values: Iterable[bytes | None]) -> None:
        """Read values of the decision topics, or lines; what is no decision is counted."""
        new = []
        for value in values:
            self.read += 1
            try:
                new.append(recent_decision(value, self.read))
            except InvalidDecisionError:
                self.invalid += 1
        self._by_id.update((each.decision_id, each) for each in new)
        for gone in self._decisions.add(new):
            if self._by_id.get(gone.decision_id) is gone:
                del self._by_id[gone.decision_id]
        self.rates.add((each.decided_ms, each.verdict) for each in new)

    def add_dead_letters(self, records: Iterable[RawDeadLetter]) -> None:
        """Read records of the dead-letter topic."""
        new = []
        for record in records:
            self.read += 1
            new.append(recent_dead_letter(record.headers, record.timestamp_ms, self.read))
        self._dead_letters.add(new)
        self.rates.add((each.at_ms, "dead_letter") for each in new)
