"""How the demo looks: a table that grows on a terminal, plain lines elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from moderator.demo.rows import Row
from moderator.demo.table import header, plain, table_row

_OTHER_LINES = 4


class Screen:
    """Prints steps, rows and sentences to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._meter = _meter(console)
        self._task = self._meter.add_task("deciding with the practice model", visible=False, progress="")
        self._lines_below_header: int | None = None

    def say(self, text: str = "", style: str = "") -> None:
        """Print a sentence, broken between words where it is too long for the terminal."""
        self._print(Text(text, style=style), is_broken=True)

    def command(self, text: str) -> None:
        """Print a command to copy: one line however long it is."""
        self._print(Text(f"  {text}", "bold"))

    def done(self, text: str) -> None:
        """Print that something is ready."""
        self._print(Text.assemble(("✓ ", "green"), text), is_broken=True)

    def warn(self, text: str) -> None:
        """Print what is missing."""
        self.say(f"! {text}", "yellow")

    def note(self, text: str) -> None:
        """Print what the reader should know."""
        self.say(text, "italic yellow")

    def table(self, lines: Mapping[str, str]) -> None:
        """Print titles with their values."""
        if not self._console.is_terminal:
            for title, text in lines.items():
                self.say(f"{title}: {text}")
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        for title, text in lines.items():
            grid.add_row(Text(title, "bold", no_wrap=True), Text(text, overflow="fold"))
        self._console.print(grid)

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Show what is being done while the block runs; on a terminal only."""
        with self._console.status(doing) if self._console.is_terminal else nullcontext():
            yield

    @contextmanager
    def meter(self, total: int) -> Iterator[None]:
        """Show the progress of the events while the block runs; on a terminal only."""
        self._meter.update(self._task, total=total, visible=True)
        with self._meter:
            yield

    def count(self, sent: int, back: int) -> None:
        """Update the meter: how many events were sent and how many came back."""
        self._meter.update(self._task, completed=back, progress=f"{sent} sent, {back} back")

    def row(self, row: Row, signals: Sequence[str]) -> None:
        """Print one row; on a terminal the columns' names are repeated on every screenful."""
        if not self._console.is_terminal:
            self.say(plain(row))
            return
        width, height = self._console.size
        if self._lines_below_header is None or self._lines_below_header >= height - _OTHER_LINES:
            self._print(header(signals, width))
            self._lines_below_header = 0
        shown = table_row(row, signals, width)
        self._lines_below_header += shown.plain.count("\n") + 1
        self._print(shown)

    def _print(self, line: Text, *, is_broken: bool = False) -> None:
        self._console.print(line, soft_wrap=not (is_broken and self._console.is_terminal))


def _meter(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn("{task.fields[progress]}")
    return Progress(*columns, console=console, transient=True, expand=True, disable=not console.is_terminal)
