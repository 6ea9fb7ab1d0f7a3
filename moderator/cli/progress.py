"""The progress of long work, on stderr: a bar on a terminal, else a line every few seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_EVERY_S = 5.0
RUN_LINE_EVERY_S = 10.0
"""Of a run over a topic, which may take hours."""
_BYTES_PER_MB = 1_000_000

Advance = Callable[[int], None]


@contextmanager
def progress(doing: str, total: int | None, unit: str, line_every_s: float = LINE_EVERY_S) -> Iterator[Advance]:
    """Show progress while the block runs; call what it gives with each part that is done.

    Args:
        doing: what is being done, such as `backtest`.
        total: how much there is; None where that is unknown.
        unit: `bytes`, shown in MB, or what else is counted.
        line_every_s: how often a line is written where there is no terminal.
    """
    if sys.stderr.isatty():
        with _bar(doing, total, unit) as advance:
            yield advance
    else:
        yield _Lines(doing, total, unit, line_every_s).advance


@contextmanager
def _bar(doing: str, total: int | None, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(doing), BarColumn(), TextColumn("{task.fields[amount]}"), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=total, amount="")
        done = 0

        def advance(part: int) -> None:
            nonlocal done
            done += part
            shown.update(task, completed=done, amount=_amount_text(done, total, unit))

        yield advance


class _Lines:
    """One line every few seconds."""

    def __init__(self, doing: str, total: int | None, unit: str, every_s: float) -> None:
        self._every_s = every_s
        self._doing, self._total, self._unit = doing, total, unit
        self._done = 0
        self._written_at_s = time.monotonic()

    def advance(self, part: int) -> None:
        self._done += part
        if time.monotonic() - self._written_at_s >= self._every_s:
            self._written_at_s = time.monotonic()
            sys.stderr.write(f"{self._doing}: {_amount_text(self._done, self._total, self._unit)}\n")
            sys.stderr.flush()


def _amount_text(done: int, total: int | None, unit: str) -> str:
    amounts = (_amount(done, unit), None if total is None else _amount(total, unit))
    shown = amounts[0] if amounts[1] is None else f"{amounts[0]} of {amounts[1]}"
    share = f"{min(done / total, 1):.0%}, " if total else ""
    return f"{share}{shown} {'MB' if unit == 'bytes' else unit}"


def _amount(number: int, unit: str) -> str:
    return f"{number / _BYTES_PER_MB:,.0f}" if unit == "bytes" else f"{number:,}"
