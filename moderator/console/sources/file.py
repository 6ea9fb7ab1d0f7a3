"""Decisions from a file of JSON lines, as `moderator score` writes them; read once."""

import threading
from collections.abc import Callable
from pathlib import Path

from moderator.backtest.batches import lines_of
from moderator.console.recent.store import Recent
from moderator.console.sources.state import LagState, SourceState
from moderator.errors import ConfigurationError, reason_of


class FileSource:
    """Reads one file into memory; see `Source`.

    Raises:
        ConfigurationError: there is no such file, or it cannot be read.
    """

    def __init__(self, path: Path, recent: Recent, now_ms: Callable[[], int]) -> None:
        self.name = str(path)
        self.lag: LagState | None = None
        self._recent = recent
        self._now_ms = now_ms
        self._stop = threading.Event()
        self.state = SourceState("catching up", now_ms(), f"reading {path.name}")
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise ConfigurationError(f"cannot read `{path}`: {reason_of(error)}; name a file of decisions") from error

    def run(self) -> None:
        """Read to the end; a file that breaks off is reported, and what was read stays."""
        try:
            with self._file as file:
                for lines in lines_of(file, self.name):
                    self._recent.add_decisions(line for line in lines.values() if line.strip())
                    if self._stop.is_set():
                        return
        except OSError as error:
            self.state = SourceState("broken", self._now_ms(), f"reading {self.name} failed: {reason_of(error)}")
        else:
            self.state = SourceState("file", self._now_ms(), was_read=True)

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stop.set()
