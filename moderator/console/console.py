"""Everything that pages read: settings, what is held in memory, and how far the source has come."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from moderator.console.policies.replicas import Replicas
from moderator.console.policies.watch import PolicyWatch
from moderator.console.recent.store import Recent
from moderator.console.review.desk import Desk
from moderator.console.sources.state import Source
from moderator.console.trials.trials import Trials
from moderator.labels.record import Reviewer
from moderator.settings import Settings

if TYPE_CHECKING:
    from moderator.cache import VerdictReader

LOCAL = Reviewer("local", "local")
"""Whoever is at this machine, where no login is needed."""


@dataclass(frozen=True, slots=True)
class Console:
    """The parts of one console.

    Attributes:
        now_ms: the clock, in milliseconds since 1970.
        verdicts: what the verdict cache holds; None without Redis.
    """

    settings: Settings
    recent: Recent
    source: Source
    desk: Desk
    folder: PolicyWatch
    replicas: Replicas
    verdicts: "VerdictReader | None"
    trials: Trials
    now_ms: Callable[[], int]

    @property
    def as_of_ms(self) -> int:
        """Up to when figures of the last hour count: now, in a file its newest decision."""
        if self.source.state.state != "file":
            return self.now_ms()
        newest_ms = self.recent.newest_ms
        return self.now_ms() if newest_ms is None else newest_ms


def console_of(request: Request) -> Console:
    """Give the console that answers a request; a page takes it as `GivenConsole`."""
    console: Console = request.app.state.console
    return console


def reviewer_of(request: Request) -> Reviewer:
    """Say who asks, as the access to the console knows it."""
    reviewer: Reviewer = getattr(request.state, "reviewer", LOCAL)
    return reviewer


GivenConsole = Annotated[Console, Depends(console_of)]
GivenReviewer = Annotated[Reviewer, Depends(reviewer_of)]
