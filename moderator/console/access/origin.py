"""Where a request comes from: its address, and the console's own origin as the browser sees it."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from moderator.http.access import without_port

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Origin(NamedTuple):
    """What a request says of itself; a proxy is believed only where it is trusted.

    Attributes:
        address: of the client.
        own: scheme and host under which the browser knows the console, such as `https://console.example`.
        is_proxied: it comes from a trusted proxy.
    """

    address: str
    own: str
    is_proxied: bool

    @property
    def is_https(self) -> bool:
        """Whether the browser speaks HTTPS."""
        return self.own.startswith("https://")


def networks_of(text: str | None) -> tuple[Network, ...]:
    """Read addresses and networks, comma-separated.

    Raises:
        ValueError: one of them is neither.
    """
    parts = (part.strip() for part in (text or "").split(","))
    return tuple(ipaddress.ip_network(part) for part in parts if part)


def origin_of(peer: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> Origin:
    """Say where a request comes from.

    Args:
        peer: the address of the connection.
        headers: by name, in lower case.
        trusted: the proxies whose word counts.
    """
    host = headers.get("host", "")
    if not _is_in(peer, trusted):
        return Origin(peer, f"http://{host}".lower(), is_proxied=False)
    scheme = headers.get("x-forwarded-proto", "http").split(",")[-1].strip().lower()
    host = headers.get("x-forwarded-host", host).split(",")[-1].strip()
    scheme = scheme if scheme in {"http", "https"} else "http"
    return Origin(_client(peer, headers, trusted), f"{scheme}://{host}".lower(), is_proxied=True)


def _client(peer: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> str:
    """Give the last address that is no trusted proxy: what is before it, anybody may have written."""
    sent = (hop.strip() for hop in headers.get("x-forwarded-for", "").split(","))
    hops = [without_port(hop).strip("[]") for hop in sent if hop]  # each connection has another port
    return next((hop for hop in reversed(hops) if not _is_in(hop, trusted)), peer)


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed.version == network.version and parsed in network for network in networks)
