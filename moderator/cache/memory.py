"""The score cache of a process without Redis."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from moderator.events import Scores
from moderator.observability.metrics import Metrics

CAPACITY = 20_000
"""About 30 MB with nineteen objectives."""


class InMemoryScoreCache:
    """Keeps the scores used last; they are lost when the process ends."""

    def __init__(self, metrics: Metrics, capacity: int = CAPACITY) -> None:
        self._lookups = metrics.cache_lookups
        self._capacity = capacity
        self._kept: OrderedDict[str, Scores] = OrderedDict()

    def get_many(self, keys: Sequence[str]) -> list[Scores | None]:
        """Look up each key, in the order given."""
        found = [self._kept.get(key) for key in keys]
        hits = [key for key, scores in zip(keys, found, strict=True) if scores is not None]
        for key in hits:
            self._kept.move_to_end(key)
        self._lookups.labels("hit").inc(len(hits))
        self._lookups.labels("miss").inc(len(keys) - len(hits))
        return found

    def put_many(self, scores: Mapping[str, Scores]) -> None:
        """Keep the scores; those not used for the longest time are removed."""
        for key, value in scores.items():
            self._kept[key] = value
            self._kept.move_to_end(key)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
