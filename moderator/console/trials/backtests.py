"""Backtests over a range of time, one at a time, on a thread of their own."""

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from moderator.backtest.batches import Batch
from moderator.backtest.comparing import compare
from moderator.backtest.report.values import BacktestReport
from moderator.backtest.run import Plan
from moderator.errors import ModeratorError
from moderator.observability.logging import get_logger

log = get_logger(__name__)

State = Literal["running", "done", "failed", "cancelled"]
_KEPT = 8


class Decisions(NamedTuple):
    """What is to be read.

    Attributes:
        total: how much there is, in the unit of the batches' sizes.
        unit: `decisions`, `offsets` or `bytes`.
    """

    batches: Iterable[Batch]
    total: int
    unit: str


Open = Callable[[], AbstractContextManager[Decisions]]


class BusyError(ModeratorError):
    """Another backtest runs."""


class _CancelledError(Exception):
    """Somebody cancelled it."""


@dataclass(slots=True)
class Job:
    """One backtest.

    Attributes:
        read: of `total`, in `unit`.
    """

    id: str
    source: str
    state: State = "running"
    read: int = 0
    total: int = 0
    unit: str = "decisions"
    report: BacktestReport | None = None
    error: str | None = None
    is_cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def share(self) -> float:
        """How much is read, 0 to 1."""
        return min(1.0, self.read / self.total) if self.total else 0.0


class Backtests:
    """Runs one backtest at a time, and keeps the last few."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def start(self, plan: Plan, open_decisions: Open, source: str, folders: tuple[str, str]) -> Job:
        """Begin.

        Raises:
            BusyError: another one runs.
        """
        with self._lock:
            if any(job.state == "running" for job in self._jobs.values()):
                raise BusyError("another backtest runs: wait for its end, or cancel it")
            job = Job(uuid.uuid4().hex, source)
            self._jobs[job.id] = job
            while len(self._jobs) > _KEPT:
                del self._jobs[next(iter(self._jobs))]
        threading.Thread(target=_run, args=(job, plan, open_decisions, folders), name="backtest", daemon=True).start()
        return job

    def find(self, job_id: str) -> Job | None:
        """Give a backtest that is kept."""
        return self._jobs.get(job_id)

    @property
    def newest(self) -> Job | None:
        """The one that was started last."""
        return next(reversed(self._jobs.values()), None)


def _run(job: Job, plan: Plan, open_decisions: Open, folders: tuple[str, str]) -> None:
    def advance(size: int) -> None:
        job.read += size
        if job.is_cancelled.is_set():
            raise _CancelledError

    try:
        with open_decisions() as decisions:
            job.total, job.unit = decisions.total, decisions.unit
            job.report = compare(plan, decisions.batches, source=job.source, folders=folders, advance=advance)
    except _CancelledError:
        job.state = "cancelled"
    except ModeratorError as error:
        job.error, job.state = str(error), "failed"
    except Exception as error:  # whoever waits for it must learn that it has ended
        log.exception("backtest_crashed", cause=type(error).__name__)
        job.error, job.state = "a fault in moderator: please report it", "failed"
    else:
        job.state = "done"


@contextmanager
def given(batches: Iterable[Batch], total: int, unit: str) -> Iterator[Decisions]:
    """Open what is available."""
    yield Decisions(batches, total, unit)
