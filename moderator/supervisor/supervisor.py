"""The supervisor of several workers: starts them, forwards signals, and says how the first of them failed.

It loads no model and has no connection: the workers share the partitions as replicas on several machines do.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from moderator.ending import REPORTED_TO, SIGNALLED, SIGNALS
from moderator.observability.logging import get_logger
from moderator.supervisor.child import killed_with_parent
from moderator.supervisor.workers import Worker

MODERATOR: Final = (sys.executable, "-m", "moderator")
_FORWARDED: Final = SIGNALS
_REPORT_BYTES: Final = 65_536

log = get_logger(__name__)


class Failure(NamedTuple):
    """Why a worker ended: exit code (128 + n for a signal n), one word for programs, and what is for people."""

    code: int
    reason: str
    error: str


class _Ended(NamedTuple):
    """A worker has ended; `code` is minus the signal's number when one killed it, `said` the event of its last line."""

    worker: int
    code: int
    said: dict[str, Any]


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

    def run(self) -> Failure | None:
        """Run in the main thread; give how the first that failed did; None: all ended with 0."""
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
            reports, reported_to = os.pipe()
            process = subprocess.Popen(
                killed_with_parent(self._command),
                stdin=subprocess.DEVNULL,
                env={**worker.environment, REPORTED_TO: str(reported_to)},
                pass_fds=(reported_to,),
                start_new_session=True,
            )
            os.close(reported_to)
            self._processes[index] = process
            threading.Thread(target=self._watch, args=(index, process, reports), daemon=True).start()
            log.info("worker_started", worker=index, device=worker.device, pid=process.pid)

    def _watch(self, index: int, process: subprocess.Popen[bytes], reports: int) -> None:
        code = process.wait()
        self._events.put(_Ended(index, code, _read_report(reports)))

    def _wait(self) -> Failure | None:
        failure = None
        while self._processes:
            try:
                event = self._events.get(timeout=self._timeout_s())
            except queue.Empty:
                self._kill_at_s = None
                self._send(signal.SIGKILL)
                continue
            if isinstance(event, _Ended):
                failed = self._remove(event)
                failure = failure or failed
            else:
                self._is_ending = True
                self._send(event)
        return failure

    def _remove(self, ended: _Ended) -> Failure | None:
        """Give how a worker that has ended failed, if it did; then make the others end too."""
        del self._processes[ended.worker]
        code = ended.code if ended.code >= 0 else SIGNALLED - ended.code
        device = self._workers[ended.worker].device
        (log.warning if code else log.info)("worker_ended", worker=ended.worker, device=device, exit_code=code)
        if code and self._kill_at_s is None:
            self._kill_at_s = time.monotonic() + self._grace_s
            if not self._is_ending:  # a second signal would cut their drain short
                self._is_ending = True
                self._send(signal.SIGTERM)
        return _failure(ended, code, device) if code else None

    def _timeout_s(self) -> float | None:
        return None if self._kill_at_s is None else max(0.0, self._kill_at_s - time.monotonic())

    def _send(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            process.send_signal(number)


def _read_report(reports: int) -> dict[str, Any]:
    """Read what a worker that has ended left in its pipe, without waiting for others that may hold it open."""
    os.set_blocking(reports, False)
    with contextlib.suppress(ValueError, BlockingIOError), os.fdopen(reports, "rb", buffering=0) as pipe:
        said: dict[str, Any] = json.loads(pipe.read(_REPORT_BYTES) or b"{}")
        return said
    return {}


def _failure(ended: _Ended, code: int, device: str) -> Failure:
    worker = f"worker {ended.worker} (`{device}`)"
    if ended.said.get("code") == code:
        return Failure(code, ended.said["reason"], f"{worker}: {ended.said.get('error')}")
    how = f"was killed by {signal.Signals(-ended.code).name}" if ended.code < 0 else f"ended with exit code {code}"
    return Failure(code, "crashed", f"{worker} {how} and could not say why")
