"""How far the latest scores have moved from those that the signals were calibrated with; pure.

The measure is the population stability index over ten parts that held a tenth of the calibrated events each: the sum
of (p - 0.1) ln(p / 0.1), with p the share of the latest decisions in a part. Below 0.1 nothing has changed, above 0.25
the model meets other texts than it was calibrated with.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import Final

KEPT: Final = 5_000
"""So many of the latest decisions count."""
ENOUGH: Final = 1_000
"""With fewer, the index is 0: a part would hold too few of them."""
_PARTS: Final = 10
_LEAST_SHARE: Final = 0.0001

Cuts = tuple[float, ...]
"""The nine scores between the ten parts, rising."""


class ScoreDrift:
    """Follows the scores of each calibrated signal. One thread observes, others may ask."""

    def __init__(self) -> None:
        self._by_signal: dict[str, _Latest] = {}

    def follow(self, cuts_by_signal: Mapping[str, Cuts]) -> None:
        """Follow these signals from now on; one whose cuts stay the same goes on as it was."""
        before = self._by_signal
        self._by_signal = {
            signal: before[signal] if signal in before and before[signal].cuts == cuts else _Latest(cuts)
            for signal, cuts in cuts_by_signal.items()
        }

    def observe(self, scores: Sequence[Mapping[str, float | None]]) -> None:
        """Add the scores by signal of decisions; a signal without a score is left out."""
        for signal, latest in self._by_signal.items():
            latest.add([score for each in scores if (score := each.get(signal)) is not None])

    def index(self, signal: str) -> float:
        """Give a signal's index; 0 without enough decisions, and for a signal that is not followed."""
        latest = self._by_signal.get(signal)
        return latest.index() if latest else 0.0


class _Latest:
    """The parts that the latest scores of one signal fell into.

    A score that many calibrated events had is a cut between several parts, and counts evenly for all of them: else
    scores like those of the calibration would seem to have moved.
    """

    def __init__(self, cuts: Cuts) -> None:
        self.cuts = cuts
        self._places: deque[int] = deque()
        self._counts = [0] * _PARTS**2

    def add(self, scores: Iterable[float]) -> None:
        """Count each score for its place: first part x 10 + last part, which differ only at a cut."""
        cuts, places, counts = self.cuts, self._places, self._counts
        for score in scores:
            first = bisect_left(cuts, score)
            last = bisect_right(cuts, score, first) if first < len(cuts) and cuts[first] == score else first
            place = first * _PARTS + last
            places.append(place)
            counts[place] += 1
        while len(places) > KEPT:
            counts[places.popleft()] -= 1

    def index(self) -> float:
        total = sum(self._counts)
        if total < ENOUGH:
            return 0.0
        shares = [0.0] * _PARTS
        for place, count in enumerate(self._counts):
            if count:
                first, last = divmod(place, _PARTS)
                for part in range(first, last + 1):
                    shares[part] += count / total / (last - first + 1)
        expected = 1 / _PARTS
        return sum((share - expected) * log(share / expected) for share in (max(_LEAST_SHARE, each) for each in shares))
