"""The address of Redis in the settings, and the client that it makes."""

import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from moderator.errors import ConfigurationError
from moderator.settings import RedisSettings

_OPTIONS: Final = (
    "db",
    "username",
    "password",
    "client_name",
    "health_check_interval",
    "socket_keepalive",
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_ca_data",
    "ssl_cert_reqs",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_min_version",
)
"""Options that an address may have; others would change what we need: deadlines, bytes as values, no retries."""
_DATABASE: Final = re.compile(r"/?|/[0-9]+")


def check_address(settings: RedisSettings) -> None:
    """Check that the client understands the address, if there is one; makes no connection.

    Raises:
        ConfigurationError: it does not.
    """
    if settings.url is not None:
        connect(settings, settings.deadline_ms / 1_000).close()


def connect(settings: RedisSettings, timeout_s: float) -> Redis:
    """Make a client; it connects when it is first used.

    Args:
        settings: must name a `url`.
        timeout_s: for a connection, and for each answer that the client itself reads.

    Raises:
        ConfigurationError: the client does not understand the address.
    """
    assert settings.url is not None
    url = settings.url.get_secret_value()
    try:
        _refuse_what_is_not_read(url)
        client = Redis.from_url(
            url,
            protocol=2,  # every server has it, and there is no handshake whose error repeats the password
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        client.connection_pool.make_connection()  # makes no connection, but refuses unknown options
    except (ValueError, TypeError, RedisError):
        raise ConfigurationError(
            "`MODERATOR_REDIS__URL` cannot be used: give redis://user:password@host:port/database; "
            "write `#`, `/`, `?` and `@` in a password as %23, %2F, %3F and %40; "
            f"the options that it may have after a `?` are {', '.join(_OPTIONS)}"
        ) from None
    return client


def _refuse_what_is_not_read(url: str) -> None:
    """Refuse options of others, and parts that the client passes over: they may be the rest of a password."""
    parts = urlsplit(url)
    has_other_options = parse_qs(parts.query, keep_blank_values=True).keys() - set(_OPTIONS)
    is_read = parts.scheme == "unix" or _DATABASE.fullmatch(parts.path)
    if has_other_options or "#" in url or not is_read:
        raise ValueError
