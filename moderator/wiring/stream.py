"""The stream: from settings to a loop that runs, and to its end."""

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing

from moderator.errors import CacheUnavailableError
from moderator.http.api.intake import Intake
from moderator.observability.health import HealthBoard
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.observability.tracing.opening import open_tracing
from moderator.observability.tracing.port import Tracing
from moderator.pipeline.dead_letter_limit import DeadLetterLimit
from moderator.pipeline.observer import MonitoringObserver
from moderator.pipeline.ports import Scorer
from moderator.pipeline.processor import Processor
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy.live.admission import Admission
from moderator.policy.live.start import Start, check_again
from moderator.settings import KafkaSettings, Settings
from moderator.stream.kafka.connection import client_id
from moderator.stream.kafka.source_and_sink import begin_group, connect
from moderator.stream.kafka.topics import await_topics
from moderator.wiring.judging import open_judging
from moderator.wiring.parts import SystemClock, freeze_start_up_objects
from moderator.wiring.process import await_answers, log_started, opened
from moderator.wiring.start_checks import OF_SERVERS, StartChecks

log = get_logger(__name__)


def run_stream(settings: Settings, stop: threading.Event, loaded: Callable[[], object]) -> None:
    """Consume, decide and publish until `stop` is set and the windows in flight are published.

    The group is joined only when the model is warm. Health answers from the first moment, the API from then on.
    `loaded` is called when the model is warm: before that there is nothing to finish, and the process may end at once.

    Raises:
        ConfigurationError: policies, model, topics, the HTTP port or the address of Redis are wrong.
        BrokerUnavailableError: Kafka did not answer in time.
        ScorerUnavailableError, StoppedError: it stopped itself at run time; nothing uncommitted is lost.
    """
    with opened(settings, stop) as process, closing(ScoringThread()) as scoring:
        start = _check_servers(process.start, settings)
        start, scorer = process.load(scoring, start)
        loaded()
        moderate(
            settings,
            start,
            scoring,
            scorer,
            stop,
            metrics=process.metrics,
            board=process.board,
            intake=process.intake,
        )


def _check_servers(start: Start, settings: Settings) -> Start:
    """Make the checks, and check the policies against the topic; positions of a new group are written down.

    That is before the model is loaded: what arrives meanwhile is not skipped by a group that begins at the end.
    """
    with StartChecks(settings) as checks:
        for name in OF_SERVERS:
            try:
                if name == "positions":
                    begin_group(settings.kafka)
                else:
                    checks.make(name)
            except CacheUnavailableError as error:  # no reason to wait: decisions do not depend on it
                log.warning("cache_away", error=str(error))
        assert checks.topics is not None
        start = check_again(start, Admission(has_brokers_time=checks.topics.has_brokers_time))
    log.info("checks_passed")
    return start


def moderate(
    settings: Settings,
    start: Start,
    scoring: ScoringThread,
    scorer: Scorer,
    stop: threading.Event,
    *,
    metrics: Metrics,
    board: HealthBoard,
    intake: Intake | None = None,
) -> None:
    """Run the stream with policies that were read and tested and a scorer that its thread has warmed up.

    See `run_stream`. With an `intake` requests are let in too, and answered before this returns.
    """
    clock = SystemClock()
    with (
        open_judging(settings, start, scoring, scorer, metrics=metrics, board=board) as judging,
        ExitStack() as stack,
    ):
        if intake is not None:
            judging.open(intake)
        try:
            topics = await_topics(settings.kafka, sleep=lambda seconds: _sleep(seconds, stop))
        except _StopRequestedError:
            return
        judging.follow(Admission(scorer.identity, has_brokers_time=topics.has_brokers_time), stop)
        source, sink = connect(
            settings.kafka,
            topics.limits_bytes,
            metrics,
            trial_events=2 * settings.window.max_events,
            give_way=judging.queue.give_way,
        )
        stack.enter_context(closing(source))
        stack.enter_context(closing(sink))
        freeze_start_up_objects()
        log_started(
            scorer.identity.name,
            judging.decider().snapshot,
            instance=settings.kafka.instance_id,
            client_id=client_id(settings.kafka),
            group=settings.kafka.group_id,
            partitions=topics.partitions,
        )
        processor = Processor(
            settings=settings,
            source=source,
            sink=sink,
            scoring=scoring,
            scorer=scorer,
            score_cache=judging.score_cache,
            verdict_cache=judging.verdict_cache,
            current_decider=judging.decider,
            observer=MonitoringObserver(source, metrics, board, clock),
            clock=clock,
            stop=stop,
            dead_letter_limit=DeadLetterLimit(settings.dead_letters.max_ratio),
            interactive=judging.queue,
            tracing=_tracing(settings.kafka, scorer.identity.name, stack),
            trials=sink.marking,
        )
        processor.run()
        if intake is not None and processor.drain_until_s is not None:
            await_answers(intake, processor.drain_until_s, settings)
        log.info("stopped")


def _tracing(settings: KafkaSettings, model: str, stack: ExitStack) -> Tracing | None:
    tracing = open_tracing(
        os.environ,
        topic=settings.events_topic,
        group_id=settings.group_id,
        client_id=client_id(settings),
        model=model,
    )
    return stack.enter_context(closing(tracing)) if tracing else None


class _StopRequestedError(Exception):
    """The process was asked to stop before anything was in flight."""


def _sleep(seconds: float, stop: threading.Event) -> None:
    if stop.wait(seconds):
        raise _StopRequestedError
