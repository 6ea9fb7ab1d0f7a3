"""What `moderator run` does with its source and sink, one step at a time and without a model."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from moderator.events import DeadLetter, EncodedDecision, Published, Record
from moderator.observability.metrics import Metrics
from moderator.pipeline.ports import Sink, Source
from moderator.settings import KafkaSettings
from moderator.stream.kafka import source_and_sink
from moderator.stream.kafka.connection import client_settings
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.producing.sender import OutcomeSender
from tests.kafka_stream import decided, every_tenth_is_dead, usual_limits
from tests.waiting import PATIENCE_S

Outcome = Callable[[Record], EncodedDecision | DeadLetter]


class Loop:
    """One window at a time, paused while it is published."""

    def __init__(
        self, source: Source, sink: Sink, outcome: Outcome = every_tenth_is_dead, metrics: Metrics | None = None
    ) -> None:
        self._outcome = outcome
        self.metrics = metrics or Metrics(CollectorRegistry())
        self.source = source
        self.sink = sink
        self.committed = 0
        self._published = Published(committed=[], retry=[])

    def step(self) -> None:
        batches = self.source.poll(50)
        if not self._published.retry:
            self._published = Published(committed=[], retry=decided(batches, self._outcome))
            self.source.pause()
        if self._published.retry:
            self._published = self.sink.publish(self._published.retry)
            self.committed += sum(len(span.items) for span in self._published.committed)
        if not self._published.retry:
            self.source.resume()

    def run_until(self, is_done: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not is_done():
            assert time.monotonic() < deadline_s, f"only {self.committed} events were committed"
            self.step()

    def close(self) -> None:
        self.sink.close()
        self.source.close()


@contextmanager
def running(loop: Loop) -> Iterator[None]:
    """Step in a thread of its own, as a process of its own would."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            while not stop.is_set():
                loop.step()
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        if errors:  # also where the test waited for what therefore did not come
            raise errors[0]
    assert not thread.is_alive()


def a_loop(settings: KafkaSettings, outcome: Outcome = every_tenth_is_dead) -> Loop:
    metrics = Metrics(CollectorRegistry())
    return Loop(*source_and_sink.connect(settings, usual_limits(settings), metrics), outcome, metrics)


def a_loop_that_looks_often(settings: KafkaSettings) -> Loop:
    """Make a loop whose consumer looks for new partitions every half second instead of every five minutes."""
    client = client_settings(settings) | {"metadata_max_age_ms": 500}
    metrics = Metrics(CollectorRegistry())
    membership = Membership(lambda: source_and_sink.member(settings, client), settings.events_topic, metrics)
    sender = OutcomeSender(settings, usual_limits(settings), time.time)
    return Loop(*source_and_sink.of_membership(membership, settings, client, sender, metrics))
