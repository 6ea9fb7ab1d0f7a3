"""How far reading has come, as every page says it."""

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class LagState:
    """How far the group is behind.

    Attributes:
        partitions: events that are not decided yet, by partition.
        problem: why that is not known; empty where it is.
    """

    partitions: Mapping[int, int]
    problem: str = ""


NO_LAG = LagState({}, "not known yet")


class Source(Protocol):
    """Where decisions come from; read by a thread of its own.

    Attributes:
        name: what pages call it, such as a file's name.
        state, lag: replaced and never changed; no lag: None, there is no group.
    """

    name: str
    state: SourceState
    lag: LagState | None

    def run(self) -> None:
        """Read until there is nothing more, or until `stop`."""
        ...

    def stop(self) -> None:
        """Let `run` return soon."""
        ...
