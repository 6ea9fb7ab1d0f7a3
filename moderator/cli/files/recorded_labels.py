"""`--labels` of the commands that count by them: a file, or the topic that the console writes."""

from pathlib import Path
from typing import TYPE_CHECKING

from moderator.counted import counted
from moderator.errors import ConfigurationError

if TYPE_CHECKING:
    from moderator.backtest.labels import Labels

KAFKA = "kafka"


def read_any_labels(labels: str | None, bootstrap_servers: str | None) -> "Labels":
    """Read what `--labels` names; nothing where it names nothing.

    Raises:
        ConfigurationError: the file is missing or wrong, or there is no label.
        BrokerUnavailableError: Kafka does not answer.
    """
    from moderator.backtest.labels import NO_LABELS, read_labels

    if labels is None:
        return NO_LABELS
    return _read_topic(bootstrap_servers) if labels == KAFKA else read_labels(Path(labels))


def label_file(labels: str | None) -> Path | None:
    """Give the file that `--labels` names; None for the topic."""
    return None if labels is None or labels == KAFKA else Path(labels)


def _read_topic(bootstrap_servers: str | None) -> "Labels":
    from moderator.backtest.labels import labels_of
    from moderator.labels.book import LabelBook
    from moderator.observability.logging import configure_logging
    from moderator.settings import load_settings
    from moderator.stream.kafka.ranges.decision_range import TimeRange
    from moderator.stream.kafka.ranges.decisions import KafkaDecisions

    settings = load_settings({"kafka.bootstrap_servers": bootstrap_servers})
    configure_logging("error" if settings.log.level == "error" else "warning")
    topic, book = settings.kafka.labels_topic, LabelBook()
    with KafkaDecisions(settings.kafka, TimeRange(), [topic]) as records:
        for record in (record for polled in records for record in polled):
            book.take(record.key, record.value)
    if book.invalid:
        wrong = counted(book.invalid, "record that is no label", "records that are no labels")
        raise ConfigurationError(f"topic `{topic}` holds {wrong}: name a file")
    if not len(book):
        raise ConfigurationError(f"topic `{topic}` holds no label: label decisions on the console's page Review")
    return labels_of(book)
