"""Count all recorded decisions in one pass on every core: each process counts batches, and the counts are merged."""

import gc
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, cast

from moderator.backtest.batches import Batch
from moderator.backtest.ledger import Advance, Ledger
from moderator.backtest.study import C, Counted, Done, Study, count_batch
from moderator.errors import StoppedError


def count_all(make: Callable[[], Study[C]], batches: Iterable[Batch], *, processes: int, advance: Advance) -> C:
    """Count every decision of the batches.

    Args:
        make: makes a new study in each process; it is sent to the process.
        batches: in order.
        processes: how many share the work; a single batch is counted in this one.
        advance: called with the size of each batch that is done.

    Raises:
        ConfigurationError: some values are not decisions, each named with its place; or there is no decision.
        StoppedError: a process ended unexpectedly.
    """
    every = iter(batches)
    first = list(islice(every, 2))
    ledger = Ledger(advance)
    tasks = ledger.number(chain(first, every))
    if processes == 1 or len(first) == 1:
        counted = _count_here(make, tasks, ledger)
    else:
        counted = _count_shared(make, tasks, ledger, processes)
    ledger.require_decisions()
    return counted


def _count_here(make: Callable[[], Study[C]], tasks: Iterable[tuple[int, Batch]], ledger: Ledger) -> C:
    study = make()
    for number, batch in tasks:
        ledger.note(number, count_batch(study, number, batch))
    return study.counted


def _count_shared(
    make: Callable[[], Study[C]], tasks: Iterator[tuple[int, Batch]], ledger: Ledger, processes: int
) -> C:
    with _workers(make, processes) as workers:
        try:
            _share_out(tasks, workers, ledger)
            counted = [worker.counted() for worker in workers]
        except (EOFError, BrokenPipeError) as error:
            raise StoppedError("a process that shared the work has ended: is there enough memory?") from error
    total = counted[0]
    for each in counted[1:]:
        total.merge(each)
    return total


def _share_out(tasks: Iterator[tuple[int, Batch]], workers: "list[_Worker[C]]", ledger: Ledger) -> None:
    """Give each worker a batch, and the next one when it is done, until there are no more."""
    busy = {worker.connection: worker for worker in workers if worker.take(tasks)}
    while busy:
        for connection in wait(list(busy)):
            worker = busy[cast("Connection", connection)]
            ledger.note(*worker.done())
            if not worker.take(tasks):
                del busy[worker.connection]


class _Worker(Generic[C]):
    """Another process with its own study; it counts one batch at a time."""

    def __init__(self, process: SpawnProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self._number = 0

    def take(self, tasks: Iterator[tuple[int, Batch]]) -> bool:
        """Send it the next batch; False when there is none."""
        task = next(tasks, None)
        if task is None:
            return False
        self._number = task[0]
        self.connection.send(task)
        return True

    def done(self) -> tuple[int, Done]:
        """Wait for the batch it was sent."""
        return self._number, cast("Done", self._answer())

    def counted(self) -> C:
        """Ask for what it counted; it then ends."""
        self.connection.send(None)
        return cast("C", self._answer())

    def _answer(self) -> object:
        answer = self.connection.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer


@contextmanager
def _workers(make: Callable[[], Study[C]], processes: int) -> Iterator[list[_Worker[C]]]:
    # spawned, not forked: other threads of this process may hold locks
    context = get_context("spawn")
    workers: list[_Worker[C]] = []
    try:
        for _ in range(processes):
            own_end, far_end = context.Pipe()
            process = context.Process(target=_serve, args=(make, far_end), daemon=True)
            with _interrupts_ignored():
                process.start()
            far_end.close()
            workers.append(_Worker(process, own_end))
        yield workers
    finally:
        for worker in workers:
            worker.connection.close()
            worker.process.terminate()
            worker.process.join()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C, which reaches every process of a terminal; a process started here keeps ignoring it."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _serve(make: Callable[[], Study[Counted]], connection: Connection) -> None:
    """Count batches until there are no more; every error is sent to the process that started this one."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # what a decision leaves behind holds no cycles
    try:
        study = make()
        while (task := connection.recv()) is not None:
            connection.send(count_batch(study, *task))
        connection.send(study.counted)
    except (EOFError, BrokenPipeError):
        return  # the process that started this one has ended
    except Exception as error:  # noqa: BLE001 - the other process raises it
        connection.send(error)
