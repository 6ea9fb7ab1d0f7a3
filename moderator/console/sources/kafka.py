"""Decisions, dead letters and labels from Kafka's topics, as they are published."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from moderator.console.recent.store import RawDeadLetter, Recent
from moderator.console.sources.state import NO_LAG, LagState, SourceState, State
from moderator.events import Record
from moderator.labels.book import LabelBook
from moderator.settings import Settings

if TYPE_CHECKING:
    from moderator.stream.kafka.following.follower import Progress, TopicFollower

_LAG_EVERY_S: Final = 5.0


class KafkaSource:
    """Follows the output topics; see `Source`. What it reads outlives every outage.

    Args:
        settings: brokers, topics, and how far back they are read.
        recent: takes decisions and dead letters.
        book: takes labels.
    """

    def __init__(self, settings: Settings, recent: Recent, book: LabelBook, now_ms: Callable[[], int]) -> None:
        self.name = settings.kafka.bootstrap_servers
        self.lag: LagState | None = NO_LAG
        self.state = SourceState("catching up", now_ms(), f"connecting to {self.name}")
        self._settings = settings
        self._recent = recent
        self._book = book
        self._now_ms = now_ms
        self._follower = self._make_follower()
        self._stop = threading.Event()

    def run(self) -> None:
        """Read until `stop`."""
        threading.Thread(target=self._watch_lag, name="lag", daemon=True).start()
        self._follower.run()

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stop.set()
        self._follower.stop()

    def _make_follower(self) -> "TopicFollower":
        from moderator.stream.kafka.following.follower import TopicFollower  # noqa: PLC0415 - a file needs no client

        kafka = self._settings.kafka
        start_ms = self._now_ms() - self._settings.console.lookback_s * 1_000
        topics: dict[str, int | None] = dict.fromkeys(
            (kafka.flag_topic, kafka.allow_topic, kafka.dead_letter_topic), start_ms
        )
        # compacted: what people said long ago is still the last word on its event
        topics[kafka.labels_topic] = None
        return TopicFollower(kafka, topics, self._receive, self._report)

    def _receive(self, topic: str, records: Sequence[Record]) -> None:
        if topic == self._settings.kafka.labels_topic:
            for record in records:
                self._book.take(record.key, record.value)
        elif topic == self._settings.kafka.dead_letter_topic:
            self._recent.add_dead_letters(RawDeadLetter(each.headers, each.timestamp_ms) for each in records)
        else:
            self._recent.add_decisions(each.value for each in records)

    def _report(self, progress: "Progress") -> None:
        before = self.state
        was_read = before.was_read or progress.is_at_end
        state, detail = _said(progress)
        since_ms = before.since_ms if before.state == state else self._now_ms()
        self.state = SourceState(state, since_ms, detail, was_read)

    def _watch_lag(self) -> None:
        from moderator.stream.kafka.following.lag import read_lag  # noqa: PLC0415 - a file needs no client

        while not self._stop.is_set():
            lag = read_lag(self._settings.kafka)
            self.lag = LagState(lag.partitions, lag.problem)
            self._stop.wait(_LAG_EVERY_S)


def _said(progress: "Progress") -> tuple[State, str]:
    if progress.trouble:
        return "broken", progress.trouble
    return ("live", "") if progress.is_at_end else ("catching up", f"records to read: {progress.left:,}")
