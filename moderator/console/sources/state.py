"""How far reading has come, as every page says it."""

from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["live", "catching up", "file", "broken"]


@dataclass(frozen=True, slots=True)
class SourceState:
    """What the source does now.

    Attributes:
        since_ms: since when it does so.
        detail: what is wrong or still to be read, and what is tried; in a few words.
        was_read: everything was once read to its end.
    """

    state: State
    since_ms: int
    detail: str = ""
    was_read: bool = False


class Source(Protocol):
    """Where decisions come from; read by a thread of its own.

    Attributes:
        name: what pages call it, such as a file's name.
        state: replaced and never changed.
    """

    name: str
    state: SourceState

    def run(self) -> None:
        """Read until there is nothing more, or until `stop`."""
        ...

    def stop(self) -> None:
        """Let `run` return soon."""
        ...
