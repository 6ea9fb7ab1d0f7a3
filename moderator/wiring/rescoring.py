"""Events scored and judged again, with the pipeline of live traffic, over a range that ends."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from prometheus_client import CollectorRegistry

from moderator.cache import InMemoryScoreCache
from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, Partition, Published, Record
from moderator.observability.metrics import Metrics
from moderator.pipeline.current_decider import CurrentDecider
from moderator.pipeline.processor import Processor
from moderator.replays.carrying import Notice
from moderator.settings import Settings
from moderator.stream.kafka.replaying.run import Run
from moderator.wiring.lines import Judges
from moderator.wiring.parts import NoVerdictCache, SystemClock


def rescore(settings: Settings, judges: Judges, run: Run, stop: threading.Event, notice: Notice) -> None:
    """Score, decide and write every event of a run, until it is done or `stop` is set; the judges can be used once.

    Scores are cached in memory alone: what is asked is what this model gives, on this device.

    Args:
        settings: windows, reading, drain time.
        judges: model and policies.
        run: without a sink nothing is written.
        stop: ends it after the windows in flight.
        notice: called after each window.

    Raises:
        FencedError: another process makes this run.
        ScorerUnavailableError, StoppedError: to continue is impossible or would do harm; nothing written is lost.
    """
    with closing(judges.scoring):
        Processor(
            settings=settings,
            source=run.source,
            sink=run.sink or _NoSink(),
            scoring=judges.scoring,
            scorer=judges.scorer,
            score_cache=InMemoryScoreCache(Metrics(CollectorRegistry())),
            verdict_cache=NoVerdictCache(),
            current_decider=CurrentDecider(judges.policies, judges.scorer.identity, settings.include_content),
            observer=_NoticeObserver(notice),
            clock=SystemClock(),
            stop=stop,
            dead_letter_limit=None,
        ).run()


class _NoSink:
    """Writes nothing."""

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Take all."""
        return Published(committed=spans, retry=[])

    def reject_oversized(self, record: Record, decision: EncodedDecision) -> DeadLetter | None:
        """Accept any decision."""

    def close(self) -> None:
        """Release nothing."""


class _NoticeObserver:
    """Passes on what was published."""

    def __init__(self, notice: Notice) -> None:
        self._notice = notice

    def polled(self, records: int) -> None:
        """Do nothing."""

    def published(self, committed: Sequence[DecidedSpan], score_s: float, publish_s: float) -> None:  # noqa: ARG002 - a port's signature
        """Pass it on."""
        self._notice(committed)

    def loop_iterated(self, *, scoring_since_s: float | None, oldest: Callable[[], Mapping[Partition, int]]) -> None:
        """Do nothing: no probe asks."""

    def draining(self) -> None:
        """Do nothing: no probe asks."""
