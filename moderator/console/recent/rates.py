"""How many outcomes there were by minute in the last hour, also of those that are no longer held."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["flag", "allow", "dead_letter"]

MINUTES = 60
_SLOT_S = 10
_SLOTS_A_MINUTE = 60 // _SLOT_S
_KEPT_SLOTS = (MINUTES + 1) * _SLOTS_A_MINUTE


class Minute(NamedTuple):
    """What came in one minute; `start_ms` since 1970."""

    start_ms: int
    flag: int
    allow: int
    dead_letter: int

    @property
    def total(self) -> int:
        """All outcomes."""
        return self.flag + self.allow + self.dead_letter


class Rates:
    """Counts in slots of ten seconds; one thread adds, any thread reads."""

    def __init__(self) -> None:
        self._slots: dict[int, Counter[Kind]] = {}
        self.newest_ms: int | None = None

    def add(self, outcomes: Iterable[tuple[int, Kind]]) -> None:
        """Count outcomes by their time, in any order; those over an hour older than the newest are left out."""
        slots = self._slots
        for at_ms, kind in outcomes:
            slots.setdefault(at_ms // (_SLOT_S * 1_000), Counter())[kind] += 1
            if self.newest_ms is None or at_ms > self.newest_ms:
                self.newest_ms = at_ms
        if len(slots) > 2 * _KEPT_SLOTS:
            oldest = max(slots) - _KEPT_SLOTS
            self._slots = {slot: counts for slot, counts in slots.items() if slot >= oldest}

    def per_second(self, now_ms: int) -> float:
        """Give how many decisions there were a second, the mean of the last minute; dead letters are none."""
        return sum(slot["flag"] + slot["allow"] for slot in self._last(now_ms, _SLOTS_A_MINUTE)) / 60

    def minutes(self, now_ms: int) -> list[Minute]:
        """Give the last 60 minutes, the oldest first."""
        last = self._last(now_ms, MINUTES * _SLOTS_A_MINUTE)
        first_ms = (now_ms // (_SLOT_S * 1_000) + 1) * _SLOT_S * 1_000 - MINUTES * 60_000
        found = []
        for number in range(MINUTES):
            counts: Counter[Kind] = Counter()
            for slot in last[number * _SLOTS_A_MINUTE : (number + 1) * _SLOTS_A_MINUTE]:
                counts += slot
            found.append(Minute(first_ms + number * 60_000, counts["flag"], counts["allow"], counts["dead_letter"]))
        return found

    def _last(self, now_ms: int, count: int) -> list[Counter[Kind]]:
        end = now_ms // (_SLOT_S * 1_000) + 1
        slots, nothing = self._slots, Counter[Kind]()
        return [slots.get(slot, nothing) for slot in range(end - count, end)]
