"""Decisions in Kafka, and a console's source that reads them."""

import time
from collections.abc import Sequence
from threading import Thread

from kafka import KafkaProducer

from moderator.console.recent.store import Recent
from moderator.console.sources.kafka import KafkaSource
from moderator.labels.book import LabelBook
from moderator.settings import ConsoleSettings, KafkaSettings, Settings
from tests.unit.console.decisions import NOW_MS
from tests.waiting import PATIENCE_S, await_condition

START_MS = 1_790_812_800_000
"""2026-10-01T00:00:00Z; each record is a second later than the one before it."""


def publish(settings: KafkaSettings, topic: str, values: Sequence[bytes], *, commit: bool = True) -> None:
    """Write values in one transaction to partition 0, a second apart."""
    name = f"{settings.group_id}-{topic}-{time.monotonic_ns()}"
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=name)
    producer.init_transactions()
    producer.begin_transaction()
    for nth, value in enumerate(values):
        producer.send(topic, value, partition=0, timestamp_ms=START_MS + nth * 1_000)
    producer.flush()
    if commit:
        producer.commit_transaction()
    else:
        producer.abort_transaction()
    producer.close()


class RunningSource:
    """A source that reads on a thread of its own; it looks a hundred days back."""

    def __init__(self, kafka: KafkaSettings, lookback_s: int = 100 * 86_400) -> None:
        self.recent = Recent(1_000, 2**24)
        settings = Settings(kafka=kafka, console=ConsoleSettings(lookback_s=lookback_s))
        self.source = KafkaSource(settings, self.recent, LabelBook(), lambda: NOW_MS)
        self._thread = Thread(target=self.source.run, daemon=True)
        self._thread.start()

    def events(self) -> list[str]:
        return [each.event_id for each in self.recent.decisions]

    def await_state(self, state: str) -> None:
        await_condition(lambda: self.source.state.state == state)

    def close(self) -> None:
        self.source.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
