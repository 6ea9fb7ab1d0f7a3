"""The parent of several workers: starts them, forwards signals, and ends as they end.

It loads no model and holds no connection: the workers share the partitions as replicas on several machines do.
"""

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from moderator.observability.logging import get_logger
from moderator.supervisor.child import dying_with_parent
from moderator.supervisor.workers import Worker

RUN: Final = (sys.executable, "-m", "moderator", "run")
_FORWARDED: Final = (signal.SIGTERM, signal.SIGINT)

log = get_logger(__name__)


class _Ended(NamedTuple):
    """A worker has ended; `code` is minus the signal's number when one killed it."""

    worker: int
    code: int


class Supervisor:
    """Runs the workers until all have ended; the kernel kills them when this process is killed.

    SIGTERM and SIGINT go on to every worker, as often as they come. A worker that fails ends the others: they drain,
    and what has not ended in time is killed. One that ends with 0 was asked to by somebody, and leaves the others at
    work.
    """

    def __init__(self, workers: Sequence[Worker], *, patience_s: float, command: Sequence[str] = RUN) -> None:
        """Take what to run; nothing runs yet.

        Args:
            workers: n >= 1 of them.
            patience_s: how long the others may take to end after one has failed.
            command: what each of them runs.
        """
        self._workers = workers
        self._command = command
        self._patience_s = patience_s
        self._is_ending = False
        self._kill_at_s: float | None = None
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        # the one kind of queue that a signal handler may put into while its own thread waits for it
        self._happened: queue.SimpleQueue[_Ended | signal.Signals] = queue.SimpleQueue()

    def run(self) -> int:
        """Run from the main thread; give 0, or the exit code of the first that failed, 128 + n for a signal n."""
        before = {number: signal.signal(number, self._hear) for number in _FORWARDED}
        try:
            self._start()
            return self._await()
        finally:
            self._send(signal.SIGKILL)  # none is left but where we ourselves failed
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _: object) -> None:
        self._happened.put(signal.Signals(number))

    def _start(self) -> None:
        for index, worker in enumerate(self._workers):
            # in a session of its own: Ctrl-C is for us to forward, else each would hear it twice
            process = subprocess.Popen(
                dying_with_parent(self._command),
                stdin=subprocess.DEVNULL,
                env=worker.environment,
                start_new_session=True,
            )
            self._processes[index] = process
            threading.Thread(target=self._watch, args=(index, process), daemon=True).start()
            log.info("worker_started", worker=index, device=worker.device, pid=process.pid)

    def _watch(self, index: int, process: subprocess.Popen[bytes]) -> None:
        self._happened.put(_Ended(index, process.wait()))

    def _await(self) -> int:
        failure = 0
        while self._processes:
            try:
                happened = self._happened.get(timeout=self._timeout_s())
            except queue.Empty:
                self._kill_at_s = None
                self._send(signal.SIGKILL)
                continue
            if isinstance(happened, _Ended):
                code = self._part_with(happened)
                failure = failure or code
            else:
                self._is_ending = True
                self._send(happened)
        return failure

    def _part_with(self, ended: _Ended) -> int:
        """Give the exit code of a worker that has ended; where it failed, see that the others end as well."""
        del self._processes[ended.worker]
        code = ended.code if ended.code >= 0 else 128 - ended.code
        device = self._workers[ended.worker].device
        (log.warning if code else log.info)("worker_ended", worker=ended.worker, device=device, exit_code=code)
        if code and self._kill_at_s is None:
            self._kill_at_s = time.monotonic() + self._patience_s
            if not self._is_ending:  # a second signal would cut their drain short
                self._is_ending = True
                self._send(signal.SIGTERM)
        return code

    def _timeout_s(self) -> float | None:
        return None if self._kill_at_s is None else max(0.0, self._kill_at_s - time.monotonic())

    def _send(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            process.send_signal(number)
