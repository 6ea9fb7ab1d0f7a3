"""Runs a console: reads decisions on a thread of its own, serves pages, and ends in order at a signal."""

import signal
import sys
import threading
import time
from types import FrameType

from moderator.console.app import create_app
from moderator.console.console import Console
from moderator.console.recent.store import Recent
from moderator.console.review.desk import Desk
from moderator.console.sources.file import FileSource
from moderator.console.sources.state import Source
from moderator.errors import ConfigurationError
from moderator.events import iso_time
from moderator.http import HttpServer
from moderator.labels.sink import LabelFile
from moderator.settings import Settings

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_console(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: the decisions cannot be read, or the address cannot be listened on.
    """
    stop = threading.Event()
    _stop_at_signals(stop)
    console = _console(settings)
    given = settings.console
    server = HttpServer(create_app(console), given.host, given.port, variables="MODERATOR_CONSOLE__")
    port = server.start()
    threading.Thread(target=console.source.run, name="source", daemon=True).start()
    host = f"[{given.host}]" if ":" in given.host else given.host
    sys.stdout.write(f"console at http://{host}:{port}/\n")
    sys.stdout.flush()
    stop.wait()
    console.source.stop()
    server.stop()


def _console(settings: Settings) -> Console:
    recent = Recent(settings.console.recent_decisions, settings.console.recent_bytes)
    return Console(settings, recent, _source(settings, recent), _desk(settings, recent), _now_ms)


def _desk(settings: Settings, recent: Recent) -> Desk:
    given = settings.console
    file = None if given.labels_file is None else LabelFile(given.labels_file)
    sink = None if given.read_only else file
    desk = Desk(recent, sink, given.review_sample, lambda: iso_time(_now_ms() / 1_000))
    for value in file.values() if file else ():
        desk.book.take(None, value)
    return desk


def _source(settings: Settings, recent: Recent) -> Source:
    path = settings.console.decisions_file
    if path is None:
        raise ConfigurationError("no decisions are named: start with --decisions FILE")
    return FileSource(path, recent, _now_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _stop_at_signals(stop: threading.Event) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in _SIGNALS:
        signal.signal(number, end)
