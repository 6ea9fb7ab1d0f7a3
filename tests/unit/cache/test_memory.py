"""The cache of a process without Redis; what it shares with Redis' is in the contract suite."""

from prometheus_client import CollectorRegistry

from moderator.cache import InMemoryScoreCache
from moderator.events import Scores
from moderator.observability.metrics import Metrics

SCORES = Scores((0.5,), (1.0,), truncated=False)


def test_the_scores_not_used_for_longest_make_room() -> None:
    cache = InMemoryScoreCache(Metrics(CollectorRegistry()), capacity=2)
    cache.put_many({"a": SCORES, "b": SCORES})
    cache.get_many(["a"])

    cache.put_many({"c": SCORES})

    assert cache.get_many(["a", "b", "c"]) == [SCORES, None, SCORES]


def test_more_scores_than_fit_keep_the_last_ones() -> None:
    cache = InMemoryScoreCache(Metrics(CollectorRegistry()), capacity=2)

    cache.put_many(dict.fromkeys("abcd", SCORES))

    assert cache.get_many(list("abcd")) == [None, None, SCORES, SCORES]
