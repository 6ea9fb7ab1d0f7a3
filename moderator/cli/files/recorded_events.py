"""`--events` of every command that reads recorded decisions: a file, standard input, or a range of Kafka's topics."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from moderator.cli.files.standard_streams import STDIN, open_input
from moderator.errors import ConfigurationError

if TYPE_CHECKING:
    from moderator.backtest.batches import Batch

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class RecordedEvents:
    """Recorded decisions, ready to be read once.

    Attributes:
        total: how much there is, in `unit`; None where that is unknown.
        source: what reports call them.
    """

    batches: "Iterable[Batch]"
    total: int | None
    unit: str
    source: str


@contextmanager
def open_events(events: str, bootstrap_servers: str | None) -> Iterator[RecordedEvents]:
    """Open what `--events` names.

    Raises:
        ConfigurationError: there is no such file, topic or range.
        BrokerUnavailableError: Kafka does not answer.
    """
    from moderator.stream.kafka.ranges.decision_range import is_range

    if is_range(events):
        with _open_kafka(events, bootstrap_servers) as opened:
            yield opened
    else:
        with open_input(events) as raw:
            yield _pipe(raw, "standard input") if events == STDIN else _file(Path(events), raw)


def _file(path: Path, file: FileIO) -> RecordedEvents:
    """Cut a file into ranges that any process can open; what has no size is read as it comes."""
    from moderator.backtest.batches import ranges_of

    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        return _pipe(file, str(path))
    if os.pread(file.fileno(), len(_GZIP), 0) == _GZIP:
        raise ConfigurationError(f"`{path}` is compressed: pipe what `gunzip -c {path}` gives into `--events -`")
    return RecordedEvents(ranges_of(path, status.st_size), status.st_size, "bytes", str(path))


def _pipe(raw: FileIO, name: str) -> RecordedEvents:
    from moderator.backtest.batches import lines_of

    return RecordedEvents(lines_of(raw, name), None, "bytes", name)


@contextmanager
def _open_kafka(events: str, bootstrap_servers: str | None) -> Iterator[RecordedEvents]:
    from moderator.backtest.batches import Records
    from moderator.observability.logging import configure_logging
    from moderator.settings import load_settings
    from moderator.stream.kafka.ranges.decision_range import parse_range
    from moderator.stream.kafka.ranges.decisions import KafkaDecisions

    wanted = parse_range(events)
    settings = load_settings({"kafka.bootstrap_servers": bootstrap_servers})
    configure_logging("error" if settings.log.level == "error" else "warning")
    with KafkaDecisions(settings.kafka, wanted) as decisions:
        yield RecordedEvents(map(Records, decisions), decisions.total, "offsets", f"`{events}`")
