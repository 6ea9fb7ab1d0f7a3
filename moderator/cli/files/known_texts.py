"""Events as they were sent, from a file or a range of Kafka's events topic."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moderator.cli.files.standard_streams import open_input
from moderator.cli.progress import Advance, progress
from moderator.events import Record

if TYPE_CHECKING:
    from moderator.backtest.stale import KnownTexts
    from moderator.policy import PolicySet
    from moderator.settings import Settings


def read_known_texts(texts: str, candidate: "PolicySet", bootstrap_servers: str | None) -> "KnownTexts":
    """Read what a candidate finds in the messages of events.

    Raises:
        ConfigurationError: there is no such file, topic or range, or it holds no event.
        BrokerUnavailableError: Kafka does not answer.
    """
    from moderator.backtest.texts import read_texts
    from moderator.settings import load_settings

    settings = load_settings({"kafka.bootstrap_servers": bootstrap_servers})
    with sent_events(texts, settings) as records:
        return read_texts(records, candidate, settings.max_event_bytes, settings.reading)


@contextmanager
def sent_events(texts: str, settings: "Settings") -> Iterator[Iterator[Record]]:
    """Open a file of events, `-`, or a range of the events topic.

    Raises:
        ConfigurationError: there is no such file, topic or range.
        BrokerUnavailableError: Kafka does not answer.
    """
    from moderator.stream.kafka.ranges.decision_range import is_range

    if is_range(texts):
        with _kafka_records(texts, settings) as records:
            yield records
        return
    with open_input(texts) as lines:
        yield (Record(texts, 0, number, None, None, line) for number, line in enumerate(lines) if line.strip())


@contextmanager
def _kafka_records(texts: str, settings: "Settings") -> Iterator[Iterator[Record]]:
    from moderator.observability.logging import configure_logging
    from moderator.stream.kafka.ranges.decision_range import parse_range
    from moderator.stream.kafka.ranges.decisions import KafkaDecisions

    configure_logging("warning")
    topics = (settings.kafka.events_topic,)
    with (
        KafkaDecisions(settings.kafka, parse_range(texts), topics) as events,
        progress("texts", events.total, "offsets") as advance,
    ):
        yield (record for records in events for record in _counted(records, advance))


def _counted(records: list[Record], advance: Advance) -> list[Record]:
    advance(len(records))
    return records
