"""What each replica of `moderator run` and `serve` says of its policies, asked every few seconds."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from pydantic import SecretStr

from moderator.errors import ModeratorError
from moderator.replica_status import ReplicaPolicies, read_replica

_EVERY_S = 4.0
TOKEN_SETTING: Final = "MODERATOR_CONSOLE__SCORER_TOKEN"  # noqa: S105 - a variable's name


class ReplicaWord(NamedTuple):
    """What one replica answered.

    Attributes:
        policies: None where it did not answer as a replica does.
        error: why not; empty where it did.
    """

    url: str
    at_ms: int
    policies: ReplicaPolicies | None
    error: str = ""


class Replicas:
    """Asks replicas for their status on a thread of its own.

    Attributes:
        words: in the order of the addresses, replaced and never changed; empty until the first was asked.
    """

    def __init__(self, urls: Sequence[str], token: SecretStr | None, now_ms: Callable[[], int]) -> None:
        self.urls = tuple(urls)
        self.words: Sequence[ReplicaWord] = ()
        self._token = token
        self._now_ms = now_ms
        self._stop = threading.Event()

    def run(self) -> None:
        """Ask until `stop`; without addresses, return."""
        while self.urls and not self._stop.is_set():
            self.ask()
            self._stop.wait(_EVERY_S)

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stop.set()

    def ask(self) -> None:
        """Ask each once."""
        self.words = [self._word(url) for url in self.urls]

    def _word(self, url: str) -> ReplicaWord:
        try:
            policies = read_replica(url, self._token, TOKEN_SETTING)
        except ModeratorError as error:
            return ReplicaWord(url, self._now_ms(), None, str(error))
        return ReplicaWord(url, self._now_ms(), policies)
