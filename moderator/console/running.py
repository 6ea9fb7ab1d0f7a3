"""Runs a console: reads decisions on a thread of its own, serves pages, and ends in order at a signal."""

import gc
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from moderator.console.app import create_app
from moderator.console.console import Console
from moderator.console.policies.outputs import outputs_of
from moderator.console.policies.replicas import Replicas
from moderator.console.policies.watch import PolicyWatch
from moderator.console.recent.store import Recent
from moderator.console.review.desk import Desk
from moderator.console.sources.file import FileSource
from moderator.console.sources.kafka import KafkaSource
from moderator.console.sources.state import Source
from moderator.console.trials.trials import make_trials
from moderator.errors import ConfigurationError
from moderator.events import iso_time
from moderator.http import HttpServer
from moderator.http.access import is_loopback
from moderator.labels.book import LabelBook
from moderator.labels.sink import LabelFile, LabelSink
from moderator.settings import ConsoleSettings, Settings

if TYPE_CHECKING:
    from moderator.cache import VerdictReader


class _Worker(Protocol):
    def run(self) -> None: ...

    def stop(self) -> None: ...


_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SWITCH_S = 0.001
"""How long a thread that computes, such as a comparison of decisions, keeps one that serves a page waiting."""


def run_console(settings: Settings, *, loads_model: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; with `loads_model` typed text is scored by the settings' model in this process.

    Raises:
        ConfigurationError: the decisions cannot be read, or the address cannot be listened on.
    """
    stop = threading.Event()
    _stop_at_signals(stop)
    sys.setswitchinterval(_SWITCH_S)
    # what a decision leaves behind holds no cycles, and looking for some costs a backtest one part in twenty
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    given = settings.console
    _require_access(given)
    console = console_for(settings, loads_model=loads_model)
    server = HttpServer(create_app(console), given.host, given.port, variables="MODERATOR_CONSOLE__")
    port = server.start()
    workers: dict[str, _Worker] = {"source": console.source, "policies": console.folder, "replicas": console.replicas}
    for name, worker in workers.items():
        threading.Thread(target=worker.run, name=name, daemon=True).start()
    host = f"[{given.host}]" if ":" in given.host else given.host
    sys.stdout.write(f"console at http://{host}:{port}/\n")
    sys.stdout.flush()
    stop.wait()
    for worker in workers.values():
        worker.stop()
    server.stop()


def _require_access(given: ConsoleSettings) -> None:
    if not is_loopback(given.host) and given.token is None and given.user_header is None:
        raise ConfigurationError(
            f"others can reach the console at `{given.host}`: set `MODERATOR_CONSOLE__TOKEN`, or "
            "`MODERATOR_CONSOLE__USER_HEADER` behind a proxy that logs people in"
        )


def console_for(settings: Settings, *, loads_model: bool = False) -> Console:
    """Put a console together; nothing is read and no thread runs yet.

    Raises:
        ConfigurationError: a file cannot be read or written, or the model cannot be used.
    """
    given = settings.console
    recent = Recent(given.recent_decisions, given.recent_bytes)
    urls = [url.strip() for url in given.scorer_url.split(",")] if given.scorer_url else []
    desk = _desk(settings, recent)
    return Console(
        settings=settings,
        recent=recent,
        source=_source(settings, recent, desk.book),
        desk=desk,
        folder=PolicyWatch(settings.policies.path, settings.policies.state_dir, lambda: outputs_of(recent), _now_ms),
        replicas=Replicas(urls, given.scorer_token, _now_ms),
        trials=make_trials(settings, recent, urls, _now_ms, loads_model=loads_model),
        verdicts=_verdicts(settings),
        now_ms=_now_ms,
    )


def _desk(settings: Settings, recent: Recent) -> Desk:
    given = settings.console
    file = None if given.labels_file is None else LabelFile(given.labels_file)
    sink = None if given.read_only else file or _label_topic(settings)
    desk = Desk(recent, sink, given.review_sample, lambda: iso_time(_now_ms() / 1_000))
    for value in file.values() if file else ():
        desk.book.take(None, value)
    return desk


def _label_topic(settings: Settings) -> LabelSink | None:
    if settings.console.decisions_file is not None:
        return None
    from moderator.stream.kafka.label_topic import LabelTopic  # noqa: PLC0415 - a file needs no client of Kafka

    return LabelTopic(settings.kafka)


def _verdicts(settings: Settings) -> "VerdictReader | None":
    if settings.redis.url is None:
        return None
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - Redis' client is loaded only where it is used

    from moderator.cache import VerdictReader  # noqa: PLC0415
    from moderator.observability.metrics import Metrics  # noqa: PLC0415

    return VerdictReader(settings.redis, Metrics(CollectorRegistry()), time.monotonic)


def _source(settings: Settings, recent: Recent, book: LabelBook) -> Source:
    path = settings.console.decisions_file
    if path is not None:
        return FileSource(path, recent, _now_ms)
    return KafkaSource(settings, recent, book, _now_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _stop_at_signals(stop: threading.Event) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in _SIGNALS:
        signal.signal(number, end)
