"""Scores in Redis, shared by all replicas and kept across restarts."""

from collections.abc import Callable, Mapping, Sequence

from moderator.cache.link import RedisLink
from moderator.cache.protocol import SetCommand
from moderator.cache.value import decode_scores, encode_scores
from moderator.events import Scores
from moderator.observability.metrics import Metrics
from moderator.settings import RedisSettings

PREFIX = "moderator:score:"


class RedisScoreCache:
    """Scores by score key. One thread owns it.

    Args:
        objective_count: the model's k; a value of another length is a miss.

    Raises:
        ConfigurationError: the client does not understand the address.
    """

    def __init__(
        self,
        settings: RedisSettings,
        objective_count: int,
        metrics: Metrics,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._link = RedisLink(settings, "score", metrics, monotonic_s)
        self._objective_count = objective_count
        self._set = SetCommand(settings.score_ttl_s)
        self._lookups = metrics.cache_lookups

    def get_many(self, keys: Sequence[str]) -> list[Scores | None]:
        """Look up each key, in the order given; a miss, an outage and a damaged value are all None. Never raises.

        Takes no longer than the deadline (to connect takes up to as long again): what was not looked up by then is a
        miss.
        """
        values = self._link.get([PREFIX + key for key in keys])
        found = [decode_scores(value, self._objective_count) for value in values]
        unanswered = len(keys) - len(values)
        absent = values.count(None)
        hits = len(found) - found.count(None)
        self._lookups.labels("hit").inc(hits)
        self._lookups.labels("miss").inc(absent)
        self._lookups.labels("damaged").inc(len(values) - hits - absent)
        self._lookups.labels("away" if self._link.is_backing_off("read") else "late").inc(unanswered)
        return found + [None] * unanswered

    def put_many(self, scores: Mapping[str, Scores]) -> None:
        """Keep the scores; an outage is counted, never raised."""
        if self._link.is_backing_off("write"):
            self._link.skip(len(scores))
        else:
            keys = [(PREFIX + key).encode() for key in scores]
            values = map(encode_scores, scores.values())
            self._link.set(list(zip(keys, map(self._set, keys, values), strict=True)))

    def close(self) -> None:
        """Close the connection."""
        self._link.close()
