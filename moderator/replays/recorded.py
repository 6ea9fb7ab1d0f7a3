"""What was decided before, by the event's place: verdict, matched rules and signals, in at most 200 bytes an event."""

import contextlib
from array import array
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from moderator.backtest.decision import InvalidDecisionError, read_decision
from moderator.errors import ConfigurationError
from moderator.events import Decision, Partition, Record, Verdict
from moderator.stream.kafka.ranges.frozen_range import Ends

MOST_EVENTS: Final = 5_000_000
MOST_SIGNALS: Final = 40
_PAGE: Final = 1_024
_NEVER: Final = -(2**63)
_NO_NUMBER: Final = float("nan")

Place = tuple[int, int]
"""An event's partition and offset."""


class Outcome(NamedTuple):
    """What was decided of an event; rules are those that matched, or counted because a score was missing."""

    verdict: Verdict
    rules: tuple[str, ...]


class _Page:
    """The outcomes of successive offsets: when each was recorded, which it is, and its signals."""

    def __init__(self, signals: int) -> None:
        self.times = array("q", [_NEVER]) * _PAGE
        self.outcomes = array("I", [0]) * _PAGE
        self.signals = array("f", [_NO_NUMBER]) * (_PAGE * signals)


class RecordedOutcomes:
    """Keeps the last outcome of each place.

    Args:
        signals: whose scores are kept, in this order.
        topic: of the events; decisions on events of another one are passed over.
        ends: the events that count; None: all.

    Attributes:
        repeated: outcomes that were followed by another one of the same place.
        rules: of all that was recorded, matched or not.
        snapshots, models: that decided and scored.

    Raises:
        ConfigurationError: there are too many signals.
    """

    def __init__(self, signals: Sequence[str], topic: str, ends: Ends | None = None) -> None:
        if len(signals) > MOST_SIGNALS:
            raise ConfigurationError(
                f"the policies have {len(signals)} signals, and at most {MOST_SIGNALS} can be compared"
            )
        self._signals = tuple(signals)
        self._topic = topic
        self._ends = ends
        self._pages: dict[tuple[int, int], _Page] = {}
        self._outcomes: list[Outcome] = []
        self._numbers: dict[Outcome, int] = {}
        self.repeated = 0
        self.rules: set[str] = set()
        self.snapshots: set[str] = set()
        self.models: set[str] = set()

    def add(self, record: Record) -> None:
        """Keep a recorded decision; what is no decision, or one on another event, is passed over."""
        with contextlib.suppress(InvalidDecisionError, KeyError, TypeError, ValueError, AttributeError):
            self._add(read_decision(record.value), record.timestamp_ms or 0)

    def take(self, place: Place) -> tuple[Outcome, list[float]] | None:
        """Give what was recorded of a place, and then no more; signals without a score are not a number."""
        page, index = self._at(place)
        if page is None or page.times[index] == _NEVER:
            return None
        page.times[index] = _NEVER
        width = len(self._signals)
        signals = page.signals[index * width : (index + 1) * width]
        return self._outcomes[page.outcomes[index]], list(signals)

    def is_last(self, place: Place, timestamp_ms: int | None) -> bool:
        """Check whether the outcome that is kept was recorded at that time."""
        page, index = self._at(place)
        return page is not None and page.times[index] == (timestamp_ms or 0)

    @property
    def size_bytes(self) -> int:
        """How much memory the outcomes by place take."""
        arrays = (each for page in self._pages.values() for each in (page.times, page.outcomes, page.signals))
        return sum(len(each) * each.itemsize for each in arrays)

    def _add(self, decision: Decision, timestamp_ms: int) -> None:
        place = place_of(decision)
        if decision["event"]["topic"] != self._topic or not self._counts(place):
            return
        # all that may fail comes before anything is kept
        number = self._number(Outcome(decision["verdict"], matched_rules(decision)))
        signals = array("f", _numbers(decision["scores"]["signals"], self._signals))
        snapshot, model = decision["policy"]["snapshot"], decision["model"]["fingerprint"]
        self.rules.update(rule["rule"] for rule in decision["rules"])
        self.snapshots.add(str(snapshot))
        self.models.add(str(model))
        page, index = self._page(place), place[1] % _PAGE
        self.repeated += page.times[index] != _NEVER
        if timestamp_ms >= page.times[index]:
            page.times[index] = timestamp_ms
            page.outcomes[index] = number
            width = len(self._signals)
            page.signals[index * width : (index + 1) * width] = signals

    def _page(self, place: Place) -> _Page:
        key = place[0], place[1] // _PAGE
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = _Page(len(self._signals))
        return page

    def _counts(self, place: Place) -> bool:
        start, end = (0, None) if self._ends is None else self._ends.get(Partition(self._topic, place[0]), (0, 0))
        return place[1] >= start and (end is None or place[1] < end)

    def _at(self, place: Place) -> tuple[_Page | None, int]:
        return self._pages.get((place[0], place[1] // _PAGE)), place[1] % _PAGE

    def _number(self, outcome: Outcome) -> int:
        number = self._numbers.setdefault(outcome, len(self._outcomes))
        if number == len(self._outcomes):
            self._outcomes.append(outcome)
        return number


def place_of(decision: Decision) -> Place:
    """Give the place of a decision's event.

    Raises:
        KeyError, TypeError: it has none.
    """
    place = decision["event"]["partition"], decision["event"]["offset"]
    if not all(type(number) is int for number in place):  # true counts as 1 elsewhere
        raise TypeError("partition and offset are whole numbers")
    return place


def matched_rules(decision: Decision) -> tuple[str, ...]:
    """Give the rules of a decision that matched, or counted because a score was missing, by name."""
    return tuple(sorted(each["rule"] for each in decision["rules"] if each["counted"] or each["outcome"] == "matched"))


def numbers_of(scores: Mapping[str, float | None], signals: Sequence[str]) -> list[float]:
    """Give the scores of these signals, as precise as recorded ones are kept; not a number where there is none."""
    return list(array("f", _numbers(scores, signals)))


def _numbers(scores: Mapping[str, float | None], signals: Sequence[str]) -> list[float]:
    found = (scores.get(name) for name in signals)
    return [
        float(score) if isinstance(score, int | float) and not isinstance(score, bool) else _NO_NUMBER
        for score in found
    ]
