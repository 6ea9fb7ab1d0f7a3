"""Verdicts in Redis: a chat back end looks up the verdict on a message by tenant and event id."""

from collections.abc import Callable, Sequence
from urllib.parse import quote

import orjson

from moderator.cache.link import RedisLink
from moderator.cache.protocol import set_command
from moderator.events import EncodedDecision
from moderator.observability.metrics import Metrics
from moderator.settings import RedisSettings

PREFIX = "moderator:verdict:"


def verdict_key(tenant: str | None, event_id: str) -> str:
    """Give the Redis key; tenant and id are percent-encoded (RFC 3986) so that a colon in them is unambiguous."""
    return f"{PREFIX}{_quote(tenant or '')}:{_quote(event_id)}"


def _quote(name: str) -> str:
    return quote(name, safe="", errors="replace")


class RedisVerdictCache:
    """Writes the verdicts after the commit. One thread owns it.

    Raises:
        ConfigurationError: the client does not understand the address.
    """

    def __init__(self, settings: RedisSettings, metrics: Metrics, monotonic_s: Callable[[], float]) -> None:
        self._link = RedisLink(settings, "verdict", metrics, monotonic_s)
        self._ttl_s = settings.verdict_ttl_s

    def put_many(self, decisions: Sequence[EncodedDecision]) -> None:
        """Keep the decisions' verdicts; the last one of each event. An outage is counted, never raised."""
        if self._link.is_backing_off("write"):
            self._link.skip(len(decisions))
            return
        last = {verdict_key(decision.tenant, decision.event_id).encode(): decision for decision in decisions}
        self._link.set([(key, set_command(key, _value(decision), self._ttl_s)) for key, decision in last.items()])

    def close(self) -> None:
        """Close the connection."""
        self._link.close()


def _value(decision: EncodedDecision) -> bytes:
    return orjson.dumps(
        {
            "verdict": decision.verdict,
            "status": decision.status,
            "severity": decision.severity,
            "reasons": decision.reasons,
            "decision_id": decision.decision_id,
            "snapshot": decision.snapshot,
        }
    )
