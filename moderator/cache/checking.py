"""Whether the Redis that the settings name can be used, found before anything depends on it."""

import ssl
from collections.abc import Callable
from typing import Final

from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from moderator.cache.link import connect
from moderator.errors import CacheUnavailableError, ConfigurationError
from moderator.settings import RedisSettings

_TIMEOUT_S: Final = 2.0
"""A start may wait longer than a look-up."""
_KEY: Final = "moderator:score:check"
_CHECKS: Final[tuple[Callable[[Redis], object], ...]] = (
    lambda client: client.ping(),
    lambda client: client.mget([_KEY]),
    lambda client: client.set(_KEY, b"", ex=1, xx=True),  # only where it exists, and it never does
)
_REFUSALS: Final = ("NOAUTH", "WRONGPASS", "NOPERM", "DB index", "invalid DB")


def check_redis(settings: RedisSettings) -> None:
    """Ask Redis, where one is named, what the caches will ask of it; changes nothing.

    Raises:
        ConfigurationError: the address cannot be used, or Redis refuses user, password, database or a right; the text
            shows no secret.
        CacheUnavailableError: it does not answer, or not yet.
    """
    if settings.url is None:
        return
    client = connect(settings, timeout_s=_TIMEOUT_S)
    try:
        for check in _CHECKS:
            check(client)
    except (RedisError, OSError, ValueError) as error:
        raise _translated(error) from None  # the client's texts may repeat what it sent
    finally:
        client.close()


def _translated(error: Exception) -> Exception:
    if isinstance(error, AuthenticationError | NoPermissionError) or _is_refusal(error):
        return ConfigurationError(
            f"Redis at `MODERATOR_REDIS__URL` refuses us ({_kind(error)}); check user, password, database number and "
            "the rights to GET and SET keys that begin with `moderator:`"
        )
    if _speaks_no_tls(error):
        return ConfigurationError(
            "the server at `MODERATOR_REDIS__URL` does not speak TLS as asked; check its port and certificates, or "
            "use redis:// instead of rediss://"
        )
    return CacheUnavailableError(f"Redis at `MODERATOR_REDIS__URL` does not answer ({type(error).__name__})")


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, ResponseError) and str(error).startswith(_REFUSALS)


def _kind(error: Exception) -> str:
    return next((word for word in _REFUSALS if word in str(error)), type(error).__name__)


def _speaks_no_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
