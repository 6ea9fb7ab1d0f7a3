"""Scores and verdicts kept for a while. Never trusted for correctness, and never holds a message's text."""

from moderator.cache.link import check_address
from moderator.cache.memory import InMemoryScoreCache
from moderator.cache.scores import RedisScoreCache
from moderator.cache.verdicts import RedisVerdictCache, verdict_key

__all__ = ["InMemoryScoreCache", "RedisScoreCache", "RedisVerdictCache", "check_address", "verdict_key"]
