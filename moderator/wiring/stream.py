"""The stream: from settings to a loop that runs, and to its end."""

import gc
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from moderator.cache import check_address
from moderator.errors import CacheUnavailableError, ConfigurationError
from moderator.http import HttpServer, create_app
from moderator.observability.build import versions
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.pipeline.current_decider import CurrentDecider
from moderator.pipeline.dead_letter_limit import DeadLetterLimit
from moderator.pipeline.observer import MonitoringObserver
from moderator.pipeline.policy_observer import PolicyObserver
from moderator.pipeline.ports import Scorer
from moderator.pipeline.processor import Processor
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import FolderWatch
from moderator.policy.live.reloading import Reloading
from moderator.policy.live.start import Start, check_again
from moderator.settings import Settings
from moderator.stream.kafka.connection import client_id
from moderator.stream.kafka.source_and_sink import begin_group, connect
from moderator.stream.kafka.topics import await_topics
from moderator.wiring.parts import SystemClock, choose_policies, load_scorer, open_caches, outputs_of_model
from moderator.wiring.start_checks import OF_SERVERS, StartChecks

if TYPE_CHECKING:
    from moderator.scoring.engine import Engine

log = get_logger(__name__)


def run_stream(settings: Settings, stop: threading.Event, loaded: Callable[[], object]) -> None:
    """Consume, decide and publish until `stop` is set and the windows in flight are published.

    The group is joined only when the model is warm. Health answers from the first moment. `loaded` is called when the
    model is: before that there is nothing to finish, and the process may end at once.

    Raises:
        ConfigurationError: policies, model, topics, the HTTP port or the address of Redis are wrong.
        BrokerUnavailableError: Kafka did not answer in time.
        ScorerUnavailableError, StoppedError: it stopped itself at run time; nothing uncommitted is lost.
    """
    if settings.model.path is None:
        raise ConfigurationError(
            "no model is named: set `MODERATOR_MODEL__PATH` or give `--model` a folder, a hub id, or `builtin` "
            "(a practice model)"
        )
    check_address(settings.redis)
    start = choose_policies(settings)
    clock = SystemClock()
    metrics = Metrics(CollectorRegistry())
    metrics.policy_reload_ok.set(start.refusal is None)
    metrics.build_info.labels(**versions()).set(1)
    board = HealthBoard(HealthSnapshot(turned_at_s=clock.monotonic_s(), broker_seen_at_s=clock.monotonic_s()))
    metrics.show_readiness(board, clock.monotonic_s)
    metrics.show_process()
    server = HttpServer(
        create_app(board, metrics.registry, clock.monotonic_s),
        settings.http.host,
        settings.http.port,
        deadline_s=settings.http.deadline_ms / 1_000,
    )
    StartChecks(settings).make("temporary_folder")
    server.start()
    with closing(ScoringThread()) as scoring:
        try:
            start = _check_servers(start, settings)
            board.snapshot = replace(board.snapshot, phase="model_loading")
            start, scorer = scoring.call(lambda: _load_for(start, settings))
            metrics.show_device(scorer.usage)
            if scorer.identity.is_practice:
                log.warning(
                    "practice_model", model=scorer.identity.name, hint="its scores are for trying things out only"
                )
            loaded()
            moderate(settings, start, scoring, scorer, stop, metrics=metrics, board=board)
        finally:
            server.stop()


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


def _load_for(start: Start, settings: Settings) -> tuple[Start, "Engine"]:
    """Check the policies against what the model scores, load it, check them once more, then warm it up."""
    since_s = time.monotonic()
    start = check_again(start, Admission(outputs=outputs_of_model(settings)))
    scorer = load_scorer(settings)
    start = check_again(start, Admission(scorer.identity))
    scorer.warm_up()
    seconds, identity = round(time.monotonic() - since_s, 1), scorer.identity
    log.info(
        "model_loaded",
        seconds=seconds,
        device=scorer.device,
        dtype=identity.dtype,
        fingerprint=identity.fingerprint,
    )
    return start, scorer


def moderate(
    settings: Settings,
    start: Start,
    scoring: ScoringThread,
    scorer: Scorer,
    stop: threading.Event,
    *,
    metrics: Metrics,
    board: HealthBoard,
) -> None:
    """Run the stream with policies that were read and tested and a scorer that its thread has warmed up.

    See `run_stream`.
    """
    clock = SystemClock()
    try:
        topics = await_topics(settings.kafka, sleep=lambda seconds: _sleep(seconds, stop))
    except _StopRequestedError:
        return
    identity = scorer.identity
    metrics.model.labels(identity.name, identity.fingerprint, identity.dtype).set(1)
    admission = Admission(identity, has_brokers_time=topics.has_brokers_time)
    start = check_again(start, admission)
    decider = CurrentDecider(start.accepted.policies, identity, settings.include_content)
    with ExitStack() as stack:
        score_cache, verdict_cache = open_caches(settings, scorer, metrics, stack)
        source, sink = connect(settings.kafka, topics.limits_bytes, metrics)
        stack.enter_context(closing(source))
        stack.enter_context(closing(sink))
        _freeze_start_up_objects()
        built = versions()
        log.info(
            "started",
            version=built["version"],
            revision=built["revision"],
            instance=settings.kafka.instance_id,
            client_id=client_id(settings.kafka),
            group=settings.kafka.group_id,
            model=identity.name,
            snapshot=start.accepted.policies.snapshot,
            partitions=topics.partitions,
        )
        _follow_policies(settings, start, admission, decider, metrics=metrics, board=board, stop=stop)
        Processor(
            settings=settings,
            source=source,
            sink=sink,
            scoring=scoring,
            scorer=scorer,
            score_cache=score_cache,
            verdict_cache=verdict_cache,
            current_decider=decider,
            observer=MonitoringObserver(source, metrics, board, clock),
            clock=clock,
            stop=stop,
            dead_letter_limit=DeadLetterLimit(settings.dead_letters.max_ratio),
        ).run()
        log.info("stopped")


def _follow_policies(
    settings: Settings,
    start: Start,
    admission: Admission,
    decider: CurrentDecider,
    *,
    metrics: Metrics,
    board: HealthBoard,
    stop: threading.Event,
) -> None:
    """Take up edits of the policies on a thread of its own: a disk that hangs must not stop the stream."""
    model = decider.model.name
    observer = PolicyObserver(metrics, board, time.monotonic, model, settings.policies.max_stale_s)
    observer.started(start)
    watch = FolderWatch(settings.policies.path)
    reloading = Reloading(watch, start, admission, swap=decider.swap, observer=observer)
    threading.Thread(target=reloading.follow, args=(stop,), name="policies", daemon=True).start()


def _freeze_start_up_objects() -> None:
    """Exempt them from garbage collection, and collect rarely: a window's objects hold no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


class _StopRequestedError(Exception):
    """The process was asked to stop before anything was in flight."""


def _sleep(seconds: float, stop: threading.Event) -> None:
    if stop.wait(seconds):
        raise _StopRequestedError
