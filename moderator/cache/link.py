"""A cache's way to Redis, called with a deadline.

A call that fails is counted, logged once, and followed by a back-off in which Redis is not called. So an absent Redis
costs one deadline every few seconds and not one in every window. One that does not take our password is away too. A
server that answers and refuses (a replica, a full one, one that took our rights away) is a failure of the same kind,
for reads and writes separately: a full Redis can still be read. After every failure the connection is dropped, since
the address may lead elsewhere by now.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, Literal, TypeVar

from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from moderator.cache.address import connect
from moderator.cache.backoff import Backoff
from moderator.cache.cluster import Cluster
from moderator.cache.codes import code_of
from moderator.cache.protocol import Refusal, Reply, get_command
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.settings import RedisSettings

log = get_logger(__name__)

PIECE_KEYS = 512
"""Keys of one call: the answers of one piece are kept when the next piece is past the deadline."""
WRITE_DEADLINES = 5
"""No result waits for a write, but it delays the thread that makes it."""

_OF_THE_PASSWORD: Final = ("NOAUTH", "WRONGPASS")
"""They close reads and writes alike, so that any answer shows that they are over."""
Use = Literal["read", "write"]
Item = TypeVar("Item")


class RedisLink:
    """The connections of one thread's cache.

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
        self._deadline_s = settings.deadline_ms / 1_000
        self._cluster = Cluster(connect(settings, self._deadline_s))
        self._monotonic_s = monotonic_s
        self._cache = cache
        self._outages = metrics.cache_outages.labels(cache)
        self._up = metrics.cache_up.labels(cache)
        self._up.set(1)
        self._unwritten = metrics.cache_unwritten.labels(cache)
        self._away = Backoff(monotonic_s)
        self._refused: dict[Use, Backoff] = {"read": Backoff(monotonic_s), "write": Backoff(monotonic_s)}

    def is_backing_off(self, use: Use) -> bool:
        """A call failed a short time ago, so Redis is not called now."""
        return self._away.is_on or self._refused[use].is_on

    def get(self, keys: Sequence[str]) -> list[bytes | None]:
        """Read the first keys, as many as Redis answers within the deadline; what is no text there is None."""
        values: list[bytes | None] = []
        left_s = self._deadline(self._deadline_s)
        for piece in _pieces([key.encode() for key in keys]):
            replies = self._call("read", piece, [get_command(key) for key in piece], left_s())
            if _refusals(replies) or not replies:
                break
            values += [reply if isinstance(reply, bytes) else None for reply in replies]
        return values

    def set(self, commands: Sequence[tuple[bytes, bytes]]) -> None:
        """Send keys and their commands within a few deadlines; what is late or refused is counted and not written."""
        written = 0
        left_s = self._deadline(WRITE_DEADLINES * self._deadline_s)
        for piece in _pieces(commands):
            keys, packed = zip(*piece, strict=True)
            replies = self._call("write", keys, packed, left_s())
            refused = len(_refusals(replies))
            written += len(replies) - refused
            if refused or not replies:
                break
        self._unwritten.inc(len(commands) - written)

    def skip(self, count: int) -> None:
        """Count values that were not even offered."""
        self._unwritten.inc(count)

    def close(self) -> None:
        """Close the connections."""
        self._cluster.drop()

    def _deadline(self, length_s: float) -> Callable[[], float]:
        ends_at_s = self._monotonic_s() + length_s
        return lambda: ends_at_s - self._monotonic_s()

    def _call(self, use: Use, keys: Sequence[bytes], commands: Sequence[bytes], left_s: float) -> list[Reply]:
        """Make one call, and note how it went; no answers when it was not made or failed."""
        if left_s <= 0 or self.is_backing_off(use):
            return []
        try:
            replies = self._cluster.exchange(keys, commands, left_s)
        except AuthenticationError as error:
            self._note_outage(code_of(error))
            return []
        except (BusyLoadingError, ResponseError) as error:
            self._note_refusal(use, code_of(error))
            return []
        except (RedisError, OSError, ValueError) as error:  # ValueError: the answer is not Redis' protocol
            self._note_outage(_reason(error))
            return []
        self._note_replies(use, _refusals(replies))
        return replies

    def _note_replies(self, use: Use, refusals: Sequence[Refusal]) -> None:
        if refusals and refusals[0].code in _OF_THE_PASSWORD:
            self._note_outage(refusals[0].code)
            return
        self._note_answer()
        if refusals:
            self._note_refusal(use, refusals[0].code)
        else:
            self._note_taken(use)

    def _note_outage(self, error: str) -> None:
        if not self._away.has_failed:
            log.warning("cache_away", cache=self._cache, error=error)
        self._note_failure(self._away)

    def _note_refusal(self, use: Use, error: str) -> None:
        if not self._is_refused:
            log.warning("cache_refuses_writes", cache=self._cache, error=error)
        self._note_failure(self._refused[use])

    def _note_failure(self, backoff: Backoff) -> None:
        self._outages.inc()
        backoff.note_failure()
        self._cluster.drop()
        self._up.set(0)

    def _note_answer(self) -> None:
        if self._away.has_failed:
            log.info("cache_back", cache=self._cache, away_s=self._away.lasted_s)
            self._away.end()
            self._up.set(not self._is_refused)

    def _note_taken(self, use: Use) -> None:
        if self._refused[use].has_failed:
            self._refused[use].end()
            self._up.set(not self._is_refused)
            if not self._is_refused:
                log.info("cache_takes_writes", cache=self._cache)

    @property
    def _is_refused(self) -> bool:
        return any(backoff.has_failed for backoff in self._refused.values())


def _refusals(replies: Sequence[Reply]) -> list[Refusal]:
    """Select the errors that say something of the server; WRONGTYPE says that another wrote something else there."""
    return [reply for reply in replies if isinstance(reply, Refusal) and reply.code != "WRONGTYPE"]


def _pieces(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Split items into the pieces of one call each."""
    rest = iter(items)
    while piece := list(islice(rest, PIECE_KEYS)):
        yield piece


def _reason(error: Exception) -> str:
    """Name the failure; a server's own text may quote what it was sent, so only the client's text is logged."""
    is_client_s = isinstance(error, RedisConnectionError | RedisTimeoutError | OSError)
    return f"{type(error).__name__}: {error}" if is_client_s else type(error).__name__
