"""Who may ask: tokens compared in constant time, and the names by which a loopback server may be called."""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from typing import Final

from pydantic import SecretStr

from moderator.settings.tokens import tokens_of

_LOCALHOST: Final = "localhost"
_LOCAL_NAMES: Final = frozenset({_LOCALHOST, "127.0.0.1", "[::1]"})
_SCHEME: Final = "bearer"


class Tokens:
    """The tokens that open a server; any one of them does.

    Args:
        secret: the setting, checked already; None: there are none, and nothing opens.
    """

    def __init__(self, secret: SecretStr | None) -> None:
        self._digests = tuple(_digest(token.encode()) for token in tokens_of(secret))

    def __bool__(self) -> bool:
        """Check whether a token is set."""
        return bool(self._digests)

    def open_with(self, token: str | bytes) -> bool:
        """Check whether this is one of them; takes the same time for every text of one length."""
        given = _digest(token.encode("utf-8", "surrogateescape") if isinstance(token, str) else token)
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]  # no early end
        return any(matches)

    def admit(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Check whether a request carries one: `Authorization: Bearer TOKEN`, or `x-api-key: TOKEN`.

        Args:
            headers: as ASGI gives them, names in lower case.
        """
        matches = [self.open_with(token) for token in tokens_in(headers)]
        return any(matches)


def is_loopback(host: str) -> bool:
    """Check whether a server that listens on `host` can be reached from this machine alone."""
    if host.lower() == _LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_this_machine(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Check whether `Host` is `localhost`, `127.0.0.1` or `[::1]`, with any port: no name that others can rebind."""
    hosts = [value.decode("latin-1").strip().lower() for name, value in headers if name == b"host"]
    return len(hosts) == 1 and without_port(hosts[0]) in _LOCAL_NAMES


def without_port(host: str) -> str:
    """Give a name or an address alone; one of IPv6 keeps its brackets, and without them has no port."""
    name, colon, port = host.rpartition(":")
    is_whole = name.endswith("]") if name.startswith("[") else ":" not in name
    return name if colon and port.isdecimal() and is_whole else host


def tokens_in(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Give the tokens that a request carries, at most two.

    A header that is sent twice counts as none: a request could otherwise try thousands of tokens.
    """
    sent: dict[bytes, list[bytes]] = {b"authorization": [], b"x-api-key": []}
    for name, value in headers:
        if name in sent:
            sent[name].append(value.strip())
    tokens = []
    if len(sent[b"x-api-key"]) == 1:
        tokens += sent[b"x-api-key"]
    if len(sent[b"authorization"]) == 1:
        scheme, _, token = sent[b"authorization"][0].partition(b" ")
        if scheme.decode("latin-1").lower() == _SCHEME:
            tokens.append(token.strip())
    return tokens


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
