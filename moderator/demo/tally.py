"""What the demo counts: events in against decisions and dead letters out; pure."""

from collections import Counter
from collections.abc import Mapping

from moderator.demo.rows import Row
from moderator.demo.samples import Sample
from moderator.demo.traffic import Outcome, Place
from moderator.events import DeadLetter


class Tally:
    """Sent events and the results that came back."""

    def __init__(self) -> None:
        self.sent: dict[Place, Sample] = {}
        self.signals: tuple[str, ...] = ()
        self._positions: dict[Place, int] = {}
        self._times_back: Counter[Place] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._rules: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._cached = 0

    @property
    def back(self) -> int:
        """How many of the sent events have come back at least once."""
        return sum(place in self.sent for place in self._times_back)

    @property
    def is_complete(self) -> bool:
        """Every sent event has come back."""
        return self.back == len(self.sent)

    @property
    def is_exact(self) -> bool:
        """Every sent event has come back once, and nothing else has."""
        return self._times_back == Counter(self.sent.keys())

    def position(self, place: Place) -> int:
        """Give the number in the order of sending; events of other senders come last."""
        return self._positions.get(place, len(self._positions))

    def add_sent(self, places: Mapping[Place, Sample]) -> None:
        """Count events that Kafka has accepted."""
        for place in places:
            self._positions[place] = len(self._positions)
        self.sent |= places

    def add_back(self, outcome: Outcome, row: Row) -> None:
        """Count one decision or dead letter."""
        self._times_back[outcome.place] += 1
        self._verdicts[row.verdict] += 1
        if isinstance(outcome.result, DeadLetter):
            self._reasons[row.reasons] += 1
            return
        self._rules.update(row.rules.split(", ") if row.verdict == "flag" else ())
        self._cached += outcome.result["cached"]
        self.signals = self.signals or tuple(score.signal for score in row.scores)

    def sum_line(self) -> str:
        """Give the sum, and what is wrong with it, as one line."""
        parts = [f"{self._verdicts[name]} {title}" for name, title in _TITLES.items()]
        if self.is_exact:
            return f"{len(self.sent)} events in = {' + '.join(parts)}: each one exactly once"
        missing = len(self.sent) - self.back
        repeated = self._times_back.total() - len(self._times_back)
        return f"{len(self.sent)} events in, but {' + '.join(parts)} out: {missing} missing, {repeated} repeated"

    def details(self) -> dict[str, str]:
        """Give further counts by title."""
        decided = self._verdicts["flag"] + self._verdicts["allow"]
        return {
            "flagged by": _listed(self._rules),
            "dead letters": _listed(self._reasons),
            "cache": f"{self._cached} of {decided} scores were already known",
        }


_TITLES = {"flag": "flag", "allow": "allow", "dead letter": "dead letters"}


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"
