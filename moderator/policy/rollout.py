"""Sticky rollouts: which units a share takes in is a matter of their ids alone, and a growing share drops none."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from operator import attrgetter
from types import MappingProxyType

from moderator.events import ChatEvent
from moderator.policy.model import Rollout, RolloutUnit

BUCKETS = 10_000

Rollouts = Callable[[ChatEvent], bool]
"""Whether an event's unit is inside."""

_FIELDS: Mapping[RolloutUnit, str] = MappingProxyType(
    {"users": "user", "conversations": "conversation_id", "tenants": "tenant", "events": "id"}
)


def unit_of(event: ChatEvent, unit: RolloutUnit) -> str | None:
    """Give the id of the event's unit; None, or empty, when it has none."""
    found: str | None = getattr(event, _FIELDS[unit])
    return found


def bucket_of(seed: str, unit_id: str) -> int:
    """Give the unit's bucket, 0 to 9999: the first 8 bytes, big-endian, of SHA-256 over seed, line end and id."""
    return _bucket(_prefix(seed), unit_id)


def compile_rollout(rollout: Rollout) -> Rollouts:
    """Compile whether an event is inside; one without the unit's id is outside."""
    get: Callable[[ChatEvent], str | None] = attrgetter(_FIELDS[rollout.unit])
    prefix, first_outside = _prefix(rollout.seed), int(rollout.percent * BUCKETS / 100)

    def is_inside(event: ChatEvent) -> bool:
        unit_id = get(event)
        return False if not unit_id else _bucket(prefix, unit_id) < first_outside

    return is_inside


def _prefix(seed: str) -> bytes:
    return f"{seed}\n".encode("utf-8", "surrogatepass")


def _bucket(prefix: bytes, unit_id: str) -> int:
    digest = sha256(prefix + unit_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS
