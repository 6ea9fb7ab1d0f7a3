"""Which decisions a backtest reads: those that are held, or a range of time from Kafka or the file."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from moderator.backtest.batches import Batch, Lines, Records, ranges_of
from moderator.backtest.decision import InvalidDecisionError, read_decision
from moderator.console.recent.store import Recent
from moderator.console.trials.backtests import Decisions, given
from moderator.errors import ConfigurationError, reason_of
from moderator.policy.language.event_time import parse_time_ms
from moderator.settings import KafkaSettings

Times = tuple[int | None, int | None]
"""From (included) and to (not included), ms since 1970; None: no end."""

_AT_ONCE: Final = 200


def open_held(recent: Recent) -> AbstractContextManager[Decisions]:
    """Open the decisions that are held now."""
    values = [each.value for each in recent.decisions]
    cuts = (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
    return given((Lines("held decisions", some, len(some)) for some in cuts), len(values), "decisions")


def open_file(path: Path, times: Times) -> AbstractContextManager[Decisions]:
    """Open the decisions of a file that were made in a range of time; what is no decision is left out.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ConfigurationError(f"cannot read `{path}`: {reason_of(error)}") from error
    return given(_lines_between(path, size, times), size, "bytes")


@contextmanager
def open_kafka(settings: KafkaSettings, times: Times) -> Iterator[Decisions]:
    """Open the decisions that were published in a range of time.

    Raises:
        BrokerUnavailableError, ConfigurationError: see `KafkaDecisions`.
    """
    # with a file of decisions Kafka's client is not loaded
    from moderator.stream.kafka.ranges.decision_range import TimeRange  # noqa: PLC0415
    from moderator.stream.kafka.ranges.decisions import KafkaDecisions  # noqa: PLC0415

    with KafkaDecisions(settings, TimeRange(*times)) as records:
        yield Decisions(map(Records, records), records.total, "offsets")


def _lines_between(path: Path, size: int, times: Times) -> Iterator[Batch]:
    for part in ranges_of(path, size):
        yield Lines(path.name, [line for line in part.values() if _is_between(line, times)], part.size)


def _is_between(line: bytes, times: Times) -> bool:
    try:
        at_ms = parse_time_ms(read_decision(line)["decided_at"])
    except (InvalidDecisionError, KeyError, TypeError):
        return False
    start_ms, end_ms = times
    return at_ms is not None and (start_ms is None or at_ms >= start_ms) and (end_ms is None or at_ms < end_ms)
