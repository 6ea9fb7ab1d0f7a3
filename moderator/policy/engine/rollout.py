"""Sticky rollouts: whether a unit is in a share depends on its id alone, and a growing share drops no unit."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from operator import attrgetter
from struct import Struct
from types import MappingProxyType

from moderator.events import ChatEvent
from moderator.policy.language.ast import Rollout, RolloutUnit

BUCKETS = 10_000
_FIRST_8_BYTES = Struct(">Q").unpack_from

Rollouts = Callable[[ChatEvent], bool]
"""Whether an event's unit is inside."""

_FIELDS: Mapping[RolloutUnit, str] = MappingProxyType(
    {"users": "user", "conversations": "conversation_id", "tenants": "tenant", "events": "id"}
)


def bucket_of(seed: str, unit_id: str) -> int:
    """Give the unit's bucket, 0 to 9999: the first 8 bytes, big-endian, of SHA-256 over seed, line end and id."""
    number: int = _FIRST_8_BYTES(sha256(f"{seed}\n{unit_id}".encode("utf-8", "surrogatepass")).digest())[0]
    return number % BUCKETS


def compile_rollout(rollout: Rollout) -> Rollouts:
    """Compile whether an event is inside; one without the unit's id is outside."""
    get: Callable[[ChatEvent], str | None] = attrgetter(_FIELDS[rollout.unit])
    seed, first_outside = rollout.seed, int(rollout.percent * BUCKETS / 100)

    def is_inside(event: ChatEvent) -> bool:
        unit_id = get(event)
        return False if not unit_id else bucket_of(seed, unit_id) < first_outside

    return is_inside
