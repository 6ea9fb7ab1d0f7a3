"""Whether the Redis that the settings name can be used, found before anything depends on it."""

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final

from redis import Redis
from redis.connection import SSLConnection
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    MovedError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from moderator.cache.address import connect
from moderator.cache.codes import code_of
from moderator.cache.scores import PREFIX as SCORE
from moderator.cache.verdicts import PREFIX as VERDICT
from moderator.errors import CacheUnavailableError, ConfigurationError
from moderator.settings import RedisSettings

_TIMEOUT_S: Final = 2.0
"""A start may wait longer than a look-up."""
_CALLS: Final[tuple[Callable[[Redis], object], ...]] = (
    lambda client: client.get(f"{SCORE}check"),
    lambda client: client.set(f"{SCORE}check", b"", ex=1, xx=True),  # only where it exists, and it never does
    lambda client: client.set(f"{VERDICT}check", b"", ex=1, xx=True),
)
_DATABASE: Final = ("DB index", "invalid DB", "SELECT is not allowed")

_HUNG_UP: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def check_redis(settings: RedisSettings) -> None:
    """Ask Redis, where one is named, what the caches will ask of it; changes nothing.

    Raises:
        ConfigurationError: the address cannot be used, or Redis refuses user, password, database or a right, or speaks
            TLS where we do not, or the other way round; the text shows no secret.
        CacheUnavailableError: it does not answer, or refuses at present (it is loading, full, a replica).
    """
    if settings.url is None:
        return
    client = connect(settings, _TIMEOUT_S)
    try:
        for call in _CALLS:
            _make(call, client)
    except (RedisError, OSError, ValueError) as error:
        _raise_refusal(error)
        _raise_other_protocol(client, error)
        raise CacheUnavailableError(
            f"Redis at `MODERATOR_REDIS__URL` does not answer ({type(error).__name__})"
        ) from None  # the client's texts may repeat what it sent
    finally:
        client.close()


def _make(call: Callable[[Redis], object], client: Redis) -> None:
    """Make one call; that another node of a cluster has the key is no error."""
    with contextlib.suppress(MovedError):
        call(client)


def _raise_refusal(error: Exception) -> None:
    is_database = str(error).startswith(_DATABASE)
    if is_database or isinstance(error, AuthenticationError | NoPermissionError):
        what = "the database number" if is_database else code_of(error)
        raise ConfigurationError(
            f"Redis at `MODERATOR_REDIS__URL` refuses us ({what}); check user, password, database number (0 in a "
            "cluster) and the rights to GET and SET keys that begin with `moderator:`"
        ) from None
    if isinstance(error, BusyLoadingError | ResponseError):
        raise CacheUnavailableError(f"Redis at `MODERATOR_REDIS__URL` refuses at present ({code_of(error)})") from None


def _raise_other_protocol(client: Redis, error: Exception) -> None:
    """Find out whether the server speaks TLS, where it was reached and not understood."""
    options = client.connection_pool.connection_kwargs
    if "path" in options:
        return
    host, port = options.get("host", "localhost"), options.get("port", 6379)
    uses_tls = issubclass(client.connection_pool.connection_class, SSLConnection)
    if uses_tls and (_refuses_tls(error) or _speaks_plainly(host, port)):
        raise ConfigurationError(
            "the server at `MODERATOR_REDIS__URL` does not speak TLS as asked; check its port and certificates, or "
            "use redis:// instead of rediss://"
        ) from None
    if not uses_tls and _speaks_tls(host, port):
        raise ConfigurationError("the server at `MODERATOR_REDIS__URL` speaks TLS; use rediss://") from None
    if isinstance(error, InvalidResponse):
        raise ConfigurationError(
            "the server at `MODERATOR_REDIS__URL` does not speak as Redis; check its port"
        ) from None


def _refuses_tls(error: BaseException | None) -> bool:
    """Recognise an error of TLS itself: one side does not accept the other's certificate or version."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, _HUNG_UP):
            return True
        error = error.__cause__ or error.__context__
    return False


def _speaks_plainly(host: str, port: int) -> bool:
    """Check whether a server answers without TLS as Redis does; no secret is sent."""
    try:
        with socket.create_connection((host, port), _TIMEOUT_S) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(1) in {b"+", b"-"}
    except OSError:
        return False


def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent
    try:
        with socket.create_connection((host, port), _TIMEOUT_S) as connection, context.wrap_socket(connection):
            return True
    except OSError:
        return False
