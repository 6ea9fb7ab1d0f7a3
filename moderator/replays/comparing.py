"""What a new model, or new policies, would change: outcomes of now against those that were recorded, one by one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Final

from moderator.events import DeadLetter, EncodedDecision, Verdict
from moderator.replays.recorded import Outcome, Place, RecordedOutcomes, numbers_of

MOST_EXAMPLES: Final = 20
NEAR: Final = 0.02


@dataclass(slots=True)
class Shifts:
    """How one signal moved, over the events that have a score on both sides."""

    events: int = 0
    total: float = 0.0
    largest: float = 0.0
    near: int = 0

    def add(self, shift: float) -> None:
        """Count one event; rounded, so that equal scores do not differ by how they are kept."""
        shift = round(shift, 6)
        self.events += 1
        self.total += shift
        self.largest = max(self.largest, abs(shift))
        self.near += abs(shift) <= NEAR


@dataclass(frozen=True, slots=True)
class Example:
    """One event whose verdict changed; `rules` are those that match on one side only."""

    event_id: str
    place: Place
    was: Verdict
    now: Verdict
    rules: tuple[str, ...]


@dataclass(slots=True)
class Changes:
    """What was counted.

    Attributes:
        verdicts: events by the recorded verdict and that of now.
        without_decision: events for which one of the two sides has no decision.
        newly, no_longer: events by the rule that matches now alone, or did so alone.
    """

    verdicts: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    without_decision: int = 0
    newly: Counter[str] = field(default_factory=Counter)
    no_longer: Counter[str] = field(default_factory=Counter)
    shifts: dict[str, Shifts] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """Events with a decision on both sides."""
        return self.verdicts.total()

    @property
    def flips(self) -> int:
        """Events whose verdict changed."""
        return sum(events for (was, now), events in self.verdicts.items() if was != now)


class Comparison:
    """Compares outcomes as they are made.

    Args:
        recorded: all that was decided before; each place is taken from it when it is compared.
        signals: whose scores are compared, in the order in which `recorded` keeps them.
    """

    def __init__(self, recorded: RecordedOutcomes, signals: Sequence[str]) -> None:
        self._recorded = recorded
        self._signals = tuple(signals)
        self.changes = Changes(shifts={name: Shifts() for name in signals})

    def add(self, place: Place, made: EncodedDecision | DeadLetter | None) -> None:
        """Compare what was made of the event at a place; None: it could not be judged."""
        before = self._recorded.take(place)
        if before is None or not isinstance(made, EncodedDecision):
            self.changes.without_decision += 1
            return
        was, scores = before
        now = Outcome(made.verdict, tuple(sorted({rule for rule, _ in made.matched})))
        self.changes.verdicts[was.verdict, now.verdict] += 1
        if was != now:
            self._note_difference(place, made.event_id, was, now)
        self._note_shifts(scores, numbers_of(made.signals, self._signals))

    def add_last(self, place: Place, recorded_ms: int | None, made: EncodedDecision | None) -> None:
        """Compare what was made of a recorded decision, unless another one of the same place was recorded later."""
        if self._recorded.is_last(place, recorded_ms):
            self.add(place, made)

    def _note_difference(self, place: Place, event_id: str, was: Outcome, now: Outcome) -> None:
        changes = self.changes
        newly, no_longer = set(now.rules) - set(was.rules), set(was.rules) - set(now.rules)
        changes.newly.update(newly)
        changes.no_longer.update(no_longer)
        if was.verdict != now.verdict and len(changes.examples) < MOST_EXAMPLES:
            rules = tuple(sorted(newly | no_longer))
            changes.examples.append(Example(event_id, place, was.verdict, now.verdict, rules))

    def _note_shifts(self, before: Iterable[float], after: Iterable[float]) -> None:
        for name, was, now in zip(self._signals, before, after, strict=True):
            if not (isnan(was) or isnan(now)):
                self.changes.shifts[name].add(now - was)
