"""Walk over all recorded decisions once, on every core: each process counts its batches, and the counts are merged.

Batches are handed out in order, so that what is wrong with a line can be told with its number.
"""

import gc
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, NamedTuple, Protocol, Self, TypeVar, cast

from moderator.backtest.batches import Batch
from moderator.backtest.decision import NoDecisionError, explain, read_decision
from moderator.errors import ConfigurationError, StoppedError
from moderator.events import Decision

SHOWN_PROBLEMS = 10

Position = tuple[int, int]
"""A decision's batch, and its place within; in the order of the input."""
Advance = Callable[[int], None]


class Counted(Protocol):
    """What a study has counted; sent between processes."""

    def merge(self, other: Self) -> None:
        """Take in what another process counted."""
        ...


C = TypeVar("C", bound=Counted)
C_co = TypeVar("C_co", bound=Counted, covariant=True)


class Study(Protocol[C_co]):
    """Counts decisions, one after the other."""

    @property
    def counted(self) -> C_co:
        """What was counted so far."""
        ...

    def add(self, position: Position, decision: Decision) -> None:
        """Count one decision; KeyError, TypeError, ValueError and AttributeError may mean that it is none."""
        ...


class Problem(NamedTuple):
    """A value that is no decision: which of its batch from 0, on which line of it from 1, and why."""

    nth: int
    line: int
    text: str


class Done(NamedTuple):
    """A batch that was walked over."""

    lines: int
    decisions: int
    problems: list[Problem]


def count_all(make: Callable[[], Study[C]], batches: Iterable[Batch], *, processes: int, advance: Advance) -> C:
    """Count every decision of the batches.

    Args:
        make: makes a study, in each process anew; must be sendable to another process.
        batches: in order.
        processes: how many share the work; a single batch is counted here.
        advance: called with the size of each batch that is done.

    Raises:
        ConfigurationError: values that are no decisions, each with its place; or there is no decision at all.
        StoppedError: a process ended by itself.
    """
    every = iter(batches)
    first = list(islice(every, 2))
    ledger = Ledger(advance)
    tasks = ledger.number(chain(first, every))
    if processes == 1 or len(first) == 1:
        counted = _count_here(make, tasks, ledger)
    else:
        counted = _count_apart(make, tasks, ledger, processes)
    ledger.require_decisions()
    return counted


class Ledger:
    """Which batches were handed out, and what was found in them."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._out: dict[int, Batch] = {}
        self._done: dict[int, Done] = {}
        self._faulty: dict[int, Batch] = {}
        self._problems = 0

    def number(self, batches: Iterable[Batch]) -> Iterator[tuple[int, Batch]]:
        """Hand out batches with their numbers, until more of what is wrong would not be shown."""
        for number, batch in enumerate(batches):
            if self._problems > SHOWN_PROBLEMS:
                return
            self._out[number] = batch
            yield number, batch

    def note(self, number: int, done: Done) -> None:
        """Note what was found in a batch."""
        batch = self._out.pop(number)
        self._done[number] = done
        if done.problems:
            self._faulty[number] = batch
            self._problems += len(done.problems)
        self._advance(batch.size)

    def require_decisions(self) -> None:
        """Refuse what is not decisions from end to end.

        Raises:
            ConfigurationError: names the first values that are none.
        """
        problems = list(islice(self._shown(), SHOWN_PROBLEMS + 1))
        if len(problems) > SHOWN_PROBLEMS:
            problems[SHOWN_PROBLEMS:] = ["and more"]
        if problems:
            raise ConfigurationError("\n".join(problems))
        if not any(done.decisions for done in self._done.values()):
            raise ConfigurationError("there is no decision to read: the input is empty")

    def _shown(self) -> Iterator[str]:
        lines_before = 0
        for number in sorted(self._done):
            done = self._done[number]
            for problem in done.problems:
                place = self._faulty[number].place(problem.nth, lines_before + problem.line)
                yield f"{place}: {problem.text}"
            lines_before += done.lines


def walk(study: Study[Counted], number: int, batch: Batch) -> Done:
    """Count one batch; what is no decision is told, up to one more than is shown."""
    lines = decisions = 0
    problems: list[Problem] = []
    for index, value in enumerate(batch.values()):
        lines += 1
        if value is not None and not value.strip():
            continue
        try:
            _add(study, (number, index), value)
            decisions += 1
        except NoDecisionError as error:
            problems.append(Problem(index, lines, str(error)))
            if len(problems) > SHOWN_PROBLEMS:
                break
    return Done(lines, decisions, problems)


def _add(study: Study[Counted], position: Position, value: bytes | None) -> None:
    decision = read_decision(value)
    try:
        study.add(position, decision)
    except (KeyError, TypeError, ValueError, AttributeError):
        wrong = explain(decision)
        if wrong is None:
            raise  # a fault of ours
        raise wrong from None


def _count_here(make: Callable[[], Study[C]], tasks: Iterable[tuple[int, Batch]], ledger: Ledger) -> C:
    study = make()
    for number, batch in tasks:
        ledger.note(number, walk(study, number, batch))
    return study.counted


def _count_apart(make: Callable[[], Study[C]], tasks: Iterator[tuple[int, Batch]], ledger: Ledger, processes: int) -> C:
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
    """Give each worker a batch, and whoever is done the next one, until all are done."""
    busy = {worker.connection: worker for worker in workers if worker.take(tasks)}
    while busy:
        for connection in wait(list(busy)):
            worker = busy[cast("Connection", connection)]
            ledger.note(*worker.done())
            if not worker.take(tasks):
                del busy[worker.connection]


class _Worker(Generic[C]):
    """Another process with a study of its own; one batch at a time."""

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
    # spawned, not forked: threads of ours may hold locks
    context = get_context("spawn")
    workers: list[_Worker[C]] = []
    try:
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(make, theirs), daemon=True)
            with _interrupts_ignored():
                process.start()
            theirs.close()
            workers.append(_Worker(process, ours))
        yield workers
    finally:
        for worker in workers:
            worker.connection.close()
            worker.process.terminate()
            worker.process.join()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C, which reaches every process of a terminal; one started meanwhile ignores it for good."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _serve(make: Callable[[], Study[Counted]], connection: Connection) -> None:
    """Count what comes, until there is no more; the process that started us hears of every error."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # what a decision leaves behind holds no cycles
    try:
        study = make()
        while (task := connection.recv()) is not None:
            connection.send(walk(study, *task))
        connection.send(study.counted)
    except (EOFError, BrokenPipeError):
        return  # the process that started us is gone
    except Exception as error:  # noqa: BLE001 - raised again where it can be told
        connection.send(error)
