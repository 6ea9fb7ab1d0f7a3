"""The supervisor of several workers: starts them, forwards signals, and gives their exit code.

It loads no model and has no connection: the workers share the partitions as replicas on several machines do.
"""

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from moderator.ending import SIGNALS
from moderator.observability.logging import get_logger
from moderator.supervisor.child import killed_with_parent
from moderator.supervisor.workers import Worker

MODERATOR: Final = (sys.executable, "-m", "moderator")
_FORWARDED: Final = SIGNALS

log = get_logger(__name__)


class _Ended(NamedTuple):
    """A worker has ended; `code` is minus the signal's number when one killed it."""

    worker: int
    code: int


class Supervisor:
    """Runs the workers until all have ended; the kernel kills them when this process is killed.

    Every SIGTERM, SIGINT and SIGHUP is forwarded to every worker. When a worker fails, the others are asked to drain,
    and killed when they do not end in time. When a worker ends with 0, somebody asked it to: the others continue.
    """

    def __init__(self, workers: Sequence[Worker], *, grace_s: float, command: Sequence[str]) -> None:
        """Take what to run; nothing runs yet.

        Args:
            workers: n >= 1 of them.
            grace_s: how long the others may take to end after one has failed.
            command: what each of them runs.
        """
        self._workers = workers
        self._command = command
        self._grace_s = grace_s
        self._is_ending = False
        self._kill_at_s: float | None = None
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        # the only kind of queue that a signal handler may put into while its own thread waits for it
        self._events: queue.SimpleQueue[_Ended | signal.Signals] = queue.SimpleQueue()

    def run(self) -> int:
        """Run in the main thread; give 0, or the exit code of the first that failed, 128 + n for a signal n."""
        before = {number: signal.signal(number, self._enqueue) for number in _FORWARDED}
        try:
            self._start()
            return self._wait()
        finally:
            self._send(signal.SIGKILL)  # only where this method fails are any left
            for number, handler in before.items():
                signal.signal(number, handler)

    def _enqueue(self, number: int, _: object) -> None:
        self._events.put(signal.Signals(number))

    def _start(self) -> None:
        for index, worker in enumerate(self._workers):
            # in a session of its own: we forward Ctrl-C, and each worker would otherwise receive it twice
            process = subprocess.Popen(
                killed_with_parent(self._command),
                stdin=subprocess.DEVNULL,
                env=worker.environment,
                start_new_session=True,
            )
            self._processes[index] = process
            threading.Thread(target=self._watch, args=(index, process), daemon=True).start()
            log.info("worker_started", worker=index, device=worker.device, pid=process.pid)

    def _watch(self, index: int, process: subprocess.Popen[bytes]) -> None:
        self._events.put(_Ended(index, process.wait()))

    def _wait(self) -> int:
        failure = 0
        while self._processes:
            try:
                event = self._events.get(timeout=self._timeout_s())
            except queue.Empty:
                self._kill_at_s = None
                self._send(signal.SIGKILL)
                continue
            if isinstance(event, _Ended):
                code = self._remove(event)
                failure = failure or code
            else:
                self._is_ending = True
                self._send(event)
        return failure

    def _remove(self, ended: _Ended) -> int:
        """Give the exit code of a worker that has ended; where it failed, make the others end too."""
        del self._processes[ended.worker]
        code = ended.code if ended.code >= 0 else 128 - ended.code
        device = self._workers[ended.worker].device
        (log.warning if code else log.info)("worker_ended", worker=ended.worker, device=device, exit_code=code)
        if code and self._kill_at_s is None:
            self._kill_at_s = time.monotonic() + self._grace_s
            if not self._is_ending:  # a second signal would cut their drain short
                self._is_ending = True
                self._send(signal.SIGTERM)
        return code

    def _timeout_s(self) -> float | None:
        return None if self._kill_at_s is None else max(0.0, self._kill_at_s - time.monotonic())

    def _send(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            process.send_signal(number)
