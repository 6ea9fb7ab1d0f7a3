"""Scores and verdicts, kept for a limited time. Correctness never depends on them; they hold no message's text."""

from moderator.cache.address import check_address
from moderator.cache.checking import check_redis
from moderator.cache.memory import InMemoryScoreCache
from moderator.cache.scores import RedisScoreCache
from moderator.cache.verdicts import RedisVerdictCache, VerdictAnswer, VerdictReader, verdict_key

__all__ = [
    "InMemoryScoreCache",
    "RedisScoreCache",
    "RedisVerdictCache",
    "VerdictAnswer",
    "VerdictReader",
    "check_address",
    "check_redis",
    "verdict_key",
]
