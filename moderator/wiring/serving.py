"""`moderator serve`: the API without a stream."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Final

from moderator.cache import check_redis
from moderator.errors import CacheUnavailableError
from moderator.observability.health import HealthBoard
from moderator.observability.logging import get_logger
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy.live.admission import Admission
from moderator.settings import Settings
from moderator.wiring.judging import open_judging
from moderator.wiring.parts import freeze_start_up_objects
from moderator.wiring.process import await_answers, log_started, opened

log = get_logger(__name__)

_TURN_S: Final = 0.25


def serve_requests(settings: Settings, stop: threading.Event, loaded: Callable[[], object]) -> None:
    """Answer requests until `stop` is set and those that were let in are answered; nothing connects to Kafka.

    `loaded` is called when the model is warm: before that there is nothing to finish, and the process may end at once.

    Raises:
        ConfigurationError: policies, model, port or the address of Redis are wrong.
        ScorerUnavailableError: the device failed.
        DrainTimeoutError: requests were not answered in time.
    """
    with opened(settings, stop) as process, closing(ScoringThread()) as scoring:
        _check_redis(settings)
        start, scorer = process.load(scoring, process.start)
        loaded()
        with open_judging(settings, start, scoring, scorer, metrics=process.metrics, board=process.board) as judging:
            judging.follow(Admission(scorer.identity), stop)
            judging.open(process.intake)
            freeze_start_up_objects()
            log_started(scorer.identity.name, judging.decider().snapshot)
            _run(process.board, scoring, stop)
            log.info("draining")
            await_answers(process.intake, time.monotonic() + settings.drain_timeout_s, settings)
        log.info("stopped")


def _check_redis(settings: Settings) -> None:
    if settings.redis.url is None:
        return
    try:
        check_redis(settings.redis)
    except CacheUnavailableError as error:  # no reason to wait: decisions do not depend on it
        log.warning("cache_away", error=str(error))


def _run(board: HealthBoard, scoring: ScoringThread, stop: threading.Event) -> None:
    """Keep health up to date until `stop` is set."""
    is_over = False
    while not is_over:
        is_over = stop.wait(_TURN_S)
        if scoring.failure is not None:
            raise scoring.failure
        board.snapshot = replace(
            board.snapshot,
            phase="serving",
            turned_at_s=time.monotonic(),
            scoring_since_s=scoring.busy_since_s,
            is_draining=is_over,
        )
