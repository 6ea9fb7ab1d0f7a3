"""How often an address sent a wrong token lately; too often, and it has to wait."""

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable
from math import ceil
from typing import Final

_ALLOWED: Final = 5
_WINDOW_S: Final = 60.0
_ADDRESSES: Final = 10_000
_NETWORK_BITS: Final = 64
"""What one customer of IPv6 has at least: whoever may write any of its addresses is one client."""


class WrongTokens:
    """Counts by address over the last minute, of IPv6 by network of 64 bits; one thread asks."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._times_s: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Give how many seconds the address has to wait, at least 1; 0: it may try."""
        client = _client_of(address)
        times = self._times_s.get(client)
        if times is None:
            return 0
        now_s = self._monotonic_s()
        while times and times[0] <= now_s - _WINDOW_S:
            times.popleft()
        if not times:
            del self._times_s[client]
        return max(1, ceil(times[-_ALLOWED - 1] + _WINDOW_S - now_s)) if len(times) > _ALLOWED else 0

    def add(self, address: str) -> None:
        """Count a wrong token."""
        client = _client_of(address)
        times = self._times_s.setdefault(client, deque(maxlen=_ALLOWED + 1))
        times.append(self._monotonic_s())
        self._times_s.move_to_end(client)
        if len(self._times_s) > _ADDRESSES:
            self._times_s.popitem(last=False)


def _client_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed), _NETWORK_BITS), strict=False))
