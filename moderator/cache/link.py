"""One Redis, called with a deadline. The only file that knows Redis' client.

A call that fails is an outage: it is counted, logged once, and followed by a back-off in which Redis is not called. So
an absent Redis costs one deadline every few seconds and not one in every window. The first success ends the outage.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from moderator.errors import ConfigurationError
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.settings import RedisSettings

log = get_logger(__name__)

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
PIECE_KEYS = 256
"""Keys of one call: the answers of one piece are kept when the next piece is past the deadline."""
WRITE_DEADLINES = 5
"""No result waits for a write, but it delays the thread that makes it."""

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

Reply = TypeVar("Reply")
Item = TypeVar("Item")


class RedisLink:
    """A connection of one thread's cache.

    Args:
        settings: must name a `url`.
        cache: whose link this is, for logs and metrics.

    Raises:
        ConfigurationError: the client does not understand the address.
    """

    def __init__(
        self,
        settings: RedisSettings,
        cache: Literal["score", "verdict"],
        metrics: Metrics,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._client = connect(settings)
        self._deadline_s = settings.deadline_ms / 1_000
        self._monotonic_s = monotonic_s
        self._cache = cache
        self._outages = metrics.cache_outages.labels(cache)
        self._up = metrics.cache_up.labels(cache)
        self._up.set(1)
        self._unwritten = metrics.cache_unwritten.labels(cache)
        self._refuses = False
        self._failures = 0
        self._failed_at_s = 0.0
        self._back_off_until_s = 0.0

    @property
    def is_backing_off(self) -> bool:
        """A call failed a short time ago, so Redis is not called now."""
        return self._failures > 0 and self._monotonic_s() < self._back_off_until_s

    def deadline(self, times: int = 1) -> Callable[[], bool]:
        """Start the deadline of one call; the function given tells whether it is over."""
        ends_at_s = self._monotonic_s() + times * self._deadline_s
        return lambda: self._monotonic_s() >= ends_at_s

    def get(self, keys: list[str]) -> list[object] | None:
        """Read the keys' values in one call; None when Redis did not answer."""
        return self._call(lambda client: list[object](client.mget(keys)))

    def set(self, values: Mapping[str, bytes], ttl_s: int) -> None:
        """Write, piece by piece, within a few deadlines; what is late or meets an outage is counted and not written."""
        is_over = self.deadline(times=WRITE_DEADLINES)
        written = 0
        for piece in pieces(list(values.items())):
            if is_over() or (refusals := self._call(_setter(piece, ttl_s))) is None:
                break
            written += len(piece) - len(refusals)
            if self._note_refusals(refusals):
                break
        self._unwritten.inc(len(values) - written)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _call(self, call: Callable[[Redis], Reply]) -> Reply | None:
        if self.is_backing_off:
            return None
        try:
            reply = call(self._client)
        except (RedisError, OSError, ValueError) as error:  # ValueError: the answer is not Redis' protocol
            self._fail(error)
            return None
        self._recover()
        return reply

    def _note_refusals(self, refusals: list[Exception]) -> bool:
        """Note whether Redis refuses writes (it is full, or a replica) although it answers reads; log a change."""
        if refusals:
            self._outages.inc()
        if refusals and not self._refuses:
            log.warning("cache_refuses_writes", cache=self._cache, error=_reason(refusals[0]))
        if self._refuses and not refusals:
            log.info("cache_takes_writes", cache=self._cache)
        self._refuses = bool(refusals)
        return self._refuses

    def _fail(self, error: Exception) -> None:
        self._outages.inc()
        self._up.set(0)
        now_s = self._monotonic_s()
        if self._failures == 0:
            self._failed_at_s = now_s
            log.warning("cache_away", cache=self._cache, error=_reason(error))
        self._back_off_until_s = now_s + min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(self._failures, 10))
        self._failures += 1

    def _recover(self) -> None:
        if self._failures:
            log.info("cache_back", cache=self._cache, away_s=round(self._monotonic_s() - self._failed_at_s, 1))
            self._failures = 0
            self._up.set(1)


def pieces(items: list[Item]) -> Iterator[list[Item]]:
    """Split items into the pieces of one call each."""
    rest = iter(items)
    while piece := list(islice(rest, PIECE_KEYS)):
        yield piece


def check_address(settings: RedisSettings) -> None:
    """Check that the client understands the address, if there is one; makes no connection.

    Raises:
        ConfigurationError: it does not.
    """
    if settings.url is not None:
        connect(settings).close()


def connect(settings: RedisSettings, timeout_s: float | None = None) -> Redis:
    """Make a client; it connects when it is first used.

    Args:
        settings: must name a `url`.
        timeout_s: for each answer; None: the deadline.

    Raises:
        ConfigurationError: the client does not understand the address.
    """
    assert settings.url is not None
    url = settings.url.get_secret_value()
    deadline_s = timeout_s or settings.deadline_ms / 1_000
    try:
        _refuse_other_options(url)
        client = Redis.from_url(
            url,
            protocol=2,  # every server has it, and there is no handshake whose error repeats the password
            socket_timeout=deadline_s,
            socket_connect_timeout=deadline_s,
            retry=Retry(NoBackoff(), 0),
        )
        client.connection_pool.make_connection()  # makes no connection, but refuses unknown options
    except (ValueError, TypeError, RedisError):
        raise ConfigurationError(
            "`MODERATOR_REDIS__URL` cannot be used: give redis://user:password@host:port/database; "
            f"the options that it may have after a `?` are {', '.join(_OPTIONS)}"
        ) from None
    return client


def _refuse_other_options(url: str) -> None:
    if parse_qs(urlsplit(url).query, keep_blank_values=True).keys() - set(_OPTIONS):
        raise ValueError


def _setter(values: list[tuple[str, bytes]], ttl_s: int) -> Callable[[Redis], list[Exception]]:
    def write(client: Redis) -> list[Exception]:
        pipeline = client.pipeline(transaction=False)
        for key, value in values:
            pipeline.set(key, value, ex=ttl_s)
        replies = pipeline.execute(raise_on_error=False)
        return [reply for reply in replies if isinstance(reply, Exception)]

    return write


def _reason(error: Exception) -> str:
    """Name the failure; a server's own text may quote what it was sent, so only the client's text is logged."""
    is_client_s = isinstance(error, RedisConnectionError | RedisTimeoutError | OSError)
    if is_client_s and not isinstance(error, AuthenticationError):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__
