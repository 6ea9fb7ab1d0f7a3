"""How often an address sent a wrong token lately; too often, and it has to wait."""

from collections import OrderedDict, deque
from collections.abc import Callable
from math import ceil
from typing import Final

_ALLOWED: Final = 5
_WINDOW_S: Final = 60.0
_ADDRESSES: Final = 10_000


class WrongTokens:
    """Counts by address over the last minute; one thread asks."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._times_s: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Give how many seconds the address has to wait, at least 1; 0: it may try."""
        times = self._times_s.get(address)
        if times is None:
            return 0
        now_s = self._monotonic_s()
        while times and times[0] <= now_s - _WINDOW_S:
            times.popleft()
        if not times:
            del self._times_s[address]
        return max(1, ceil(times[-_ALLOWED - 1] + _WINDOW_S - now_s)) if len(times) > _ALLOWED else 0

    def add(self, address: str) -> None:
        """Count a wrong token."""
        times = self._times_s.setdefault(address, deque(maxlen=_ALLOWED + 1))
        times.append(self._monotonic_s())
        self._times_s.move_to_end(address)
        if len(self._times_s) > _ADDRESSES:
            self._times_s.popitem(last=False)
