"""The scoring thread: the only thread that loads, warms up and runs the model.

On a CPU each thread that runs torch has a team of OpenMP threads of its own. With the model loaded on one thread and
used on another, two teams share the cores, and scoring loses a quarter to a third of its speed.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from moderator.pipeline.moderation import ScoredWindow

CLOSE_TIMEOUT_S = 5.0

Result = TypeVar("Result")


class ScoringThread:
    """Runs one job at a time.

    Args:
        monotonic_s: the clock, in seconds.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._window: Future[ScoredWindow] | None = None
        self._lock = threading.Lock()
        self._jobs_left = 0
        self._busy_since_s: float | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run_all, name="scoring", daemon=True)
        self._thread.start()

    @property
    def busy_since_s(self) -> float | None:
        """Since when it has been at its present job, in monotonic seconds; None while there is none."""
        return self._busy_since_s

    @property
    def failure(self) -> BaseException | None:
        """What a job raised that nobody waits for; None where none has."""
        return self._failure

    @property
    def has_window(self) -> bool:
        """A window was submitted and not yet taken."""
        return self._window is not None

    def call(self, job: Callable[[], Result]) -> Result:
        """Run a job, such as loading the model, and wait for it; handlers of signals run meanwhile.

        Raises:
            Exception: what the job raised.
        """
        return self._put(job).result()

    def run_soon(self, job: Callable[[], object]) -> None:
        """Pass on a job that nobody waits for; what it raises is raised by the next `take`, and kept as `failure`."""
        self._put(job).add_done_callback(self._keep_failure)

    def submit(self, score: Callable[[], ScoredWindow]) -> None:
        """Pass a window on; call only while there is none."""
        assert self._window is None
        self._window = self._put(score)

    def take(self, timeout_s: float) -> ScoredWindow | None:
        """Give the scored window; None when there is none, or it is not done within `timeout_s`.

        Raises:
            ModeratorError: what scoring raised, or a job that nobody waited for.
        """
        if self._failure is not None:
            raise self._failure
        if self._window is None:
            return None
        try:
            self._window.exception(timeout_s)
        except TimeoutError:
            return None
        done, self._window = self._window, None
        return done.result()

    def close(self) -> None:
        """Let the thread end after its present job, and wait a few seconds for that.

        A thread that runs device code while the interpreter exits would abort the process.
        """
        self._jobs.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)

    def _put(self, job: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()

        def run() -> None:
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits
                self._end_job()
                future.set_exception(error)
            else:
                self._end_job()
                future.set_result(result)

        with self._lock:
            self._jobs_left += 1
            if self._busy_since_s is None:
                self._busy_since_s = self._monotonic_s()
        self._jobs.put(run)
        return future

    def _end_job(self) -> None:
        with self._lock:
            self._jobs_left -= 1
            self._busy_since_s = self._monotonic_s() if self._jobs_left else None

    def _keep_failure(self, done: Future[object]) -> None:
        self._failure = self._failure or done.exception()

    def _run_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
