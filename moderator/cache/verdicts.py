"""Verdicts in Redis: a chat back end looks up the verdict on a message by tenant and event id."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

import orjson

from moderator.cache.link import RedisLink
from moderator.cache.protocol import SetCommand
from moderator.events import EncodedDecision, Rejection, Severity, Status, Verdict
from moderator.observability.metrics import Metrics
from moderator.settings import RedisSettings

PREFIX = "moderator:verdict:"
_PLAIN: Final = re.compile("[A-Za-z0-9_.~-]*")
"""What `quote` leaves as it is; most ids are such, and to find that out is quicker than to quote them."""
_KNOWN: Final = 1024
"""So many tenants, and kinds of verdict, are written out once."""
_UNDECIDED: Final[dict[str, object]] = {
    "status": None,
    "severity": None,
    "reasons": [],
    "decision_id": None,
    "snapshot": None,
}


def verdict_key(tenant: str | None, event_id: str) -> str:
    """Give the Redis key; tenant and id are percent-encoded (RFC 3986) so that a colon in them is unambiguous."""
    return f"{_prefix(tenant)}{_quote(event_id)}"


@lru_cache(_KNOWN)
def _prefix(tenant: str | None) -> str:
    return f"{PREFIX}{_quote(tenant or '')}:"


def _quote(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else quote(name, safe="", errors="replace")


class RedisVerdictCache:
    """Writes the verdicts after the commit. One thread owns it.

    Raises:
        ConfigurationError: the client does not understand the address.
    """

    def __init__(self, settings: RedisSettings, metrics: Metrics, monotonic_s: Callable[[], float]) -> None:
        self._link = RedisLink(settings, "verdict", metrics, monotonic_s)
        self._set = SetCommand(settings.verdict_ttl_s)
        self._set_new = SetCommand(settings.verdict_ttl_s, replaces=False)

    def put_many(self, outcomes: Sequence[EncodedDecision | Rejection]) -> None:
        """Keep the last decision of each event; a rejection only where nothing is kept. An outage is counted."""
        if self._link.is_backing_off("write"):
            self._link.skip(len(outcomes))
            return
        last: dict[bytes, EncodedDecision | Rejection] = {}
        for outcome in outcomes:
            key = verdict_key(outcome.tenant, outcome.event_id).encode()
            if isinstance(outcome, EncodedDecision) or key not in last:
                last[key] = outcome
        self._link.set([(key, self._command(key, outcome)) for key, outcome in last.items()])

    def close(self) -> None:
        """Close the connection."""
        self._link.close()

    def _command(self, key: bytes, outcome: EncodedDecision | Rejection) -> bytes:
        pack = self._set if isinstance(outcome, EncodedDecision) else self._set_new
        return pack(key, verdict_value(outcome))


class VerdictAnswer(NamedTuple):
    """What the cache holds for an event.

    Attributes:
        is_away: Redis did not answer, so nothing is known.
        value: what is kept; None: nothing, or nothing of ours.
    """

    is_away: bool
    value: Mapping[str, object] | None = None


class VerdictReader:
    """Reads single verdicts; any thread may ask.

    Raises:
        ConfigurationError: the client does not understand the address.
    """

    def __init__(self, settings: RedisSettings, metrics: Metrics, monotonic_s: Callable[[], float]) -> None:
        self._link = RedisLink(settings, "verdict", metrics, monotonic_s)
        self._lock = threading.Lock()

    def read(self, tenant: str | None, event_id: str) -> VerdictAnswer:
        """Give what is kept for an event, within the deadline."""
        with self._lock:
            values = self._link.get([verdict_key(tenant, event_id)])
        if not values:
            return VerdictAnswer(is_away=True)
        return VerdictAnswer(is_away=False, value=_parsed(values[0]))

    def close(self) -> None:
        """Close the connection."""
        self._link.close()


def _parsed(value: bytes | None) -> Mapping[str, object] | None:
    try:
        parsed = orjson.loads(value or b"null")
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def verdict_value(outcome: EncodedDecision | Rejection) -> bytes:
    """Give what is kept for an event: a small JSON object without its text."""
    if isinstance(outcome, Rejection):
        return orjson.dumps({"verdict": "dead_letter", "reason": outcome.reason, **_UNDECIDED})
    before, after = _around_id(
        outcome.verdict,
        outcome.status,
        outcome.severity,
        tuple(outcome.reasons),
        outcome.action,
        tuple(outcome.queues),
        orjson.dumps(outcome.notify) if outcome.notify else b"",
        outcome.snapshot,
    )
    return b"%b%b%b" % (before, orjson.dumps(outcome.decision_id), after)


@lru_cache(_KNOWN)
def _around_id(  # noqa: PLR0917 - all that decisions share
    verdict: Verdict,
    status: Status,
    severity: Severity | None,
    reasons: Sequence[str],
    action: str | None,
    queues: Sequence[str],
    notify: bytes,
    snapshot: str,
) -> tuple[bytes, bytes]:
    """Give the JSON before and after a decision's id: many decisions of a window have nothing else of their own."""
    to_do = {"action": action, "queues": queues, "notify": notify and orjson.Fragment(notify)}
    shared = {"verdict": verdict, "status": status, "severity": severity, "reasons": reasons}
    before = orjson.dumps({**shared, **{key: value for key, value in to_do.items() if value}, "decision_id": ""})
    return before[: -len(b'""}')], b"," + orjson.dumps({"snapshot": snapshot})[1:]
