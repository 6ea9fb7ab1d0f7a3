"""What a process that serves HTTP opens first, and keeps open: health, metrics, the port; then the model."""

import secrets
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry

from moderator.cache import check_address
from moderator.errors import ConfigurationError, DrainTimeoutError
from moderator.http import HttpServer
from moderator.http.api.app import Served, create_app
from moderator.http.api.intake import Intake
from moderator.http.api.status import Replica
from moderator.observability.build import versions
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy.live.admission import Admission
from moderator.policy.live.start import Start, check_again
from moderator.settings import Settings
from moderator.wiring.parts import choose_policies, load_scorer, outputs_of_model, require_temporary_folder

if TYPE_CHECKING:
    from moderator.scoring.engine import Engine

log = get_logger(__name__)

_NAME_BYTES: Final = 4
_TURN_S: Final = 0.001
"""How long a thread may hold the interpreter: each step of a pass else waits up to 5 ms for the stream's thread."""


@dataclass(frozen=True, slots=True)
class Process:
    """What is open from the first second.

    Attributes:
        start: the policies, read and tested.
        intake: lets requests in once the model is warm.
    """

    settings: Settings
    start: Start
    metrics: Metrics
    board: HealthBoard
    intake: Intake

    def load(self, scoring: ScoringThread, start: Start) -> "tuple[Start, Engine]":
        """Load the model on the scoring thread and check these policies against it.

        Raises:
            ConfigurationError: they do not suit each other, or the model cannot be used.
        """
        self.board.snapshot = replace(self.board.snapshot, phase="model_loading")
        start, scorer = scoring.call(lambda: _load_for(start, self.settings))
        self.metrics.show_device(scorer.usage)
        if scorer.identity.is_practice:
            hint = "its scores are for trying things out only"
            log.warning("practice_model", model=scorer.identity.name, hint=hint)
        return start, scorer


@contextmanager
def opened(settings: Settings, stop: threading.Event) -> Iterator[Process]:
    """Read and test the policies, then listen until the end.

    Raises:
        ConfigurationError: no model is named; policies, port or the address of Redis are wrong.
    """
    if settings.model.path is None:
        raise ConfigurationError(
            "no model is named: set `MODERATOR_MODEL__PATH` or give `--model` a folder, a hub id, or `builtin` "
            "(a practice model)"
        )
    check_address(settings.redis)
    sys.setswitchinterval(_TURN_S)
    start = choose_policies(settings)
    metrics = Metrics(CollectorRegistry())
    metrics.policy_reload_ok.set(start.refusal is None)
    built = versions()
    metrics.build_info.labels(**built).set(1)
    now_s = time.monotonic()
    board = HealthBoard(HealthSnapshot(turned_at_s=now_s, broker_seen_at_s=now_s))
    metrics.show_readiness(board, time.monotonic)
    metrics.show_process()
    intake = Intake(stop, metrics.http)
    replica = Replica(built["version"], settings.kafka.instance_id or secrets.token_hex(_NAME_BYTES))
    app = create_app(Served(settings, intake, board, metrics, replica, time.monotonic))
    http = settings.http
    server = HttpServer(app, http.host, http.port, deadline_s=http.deadline_ms / 1_000)
    require_temporary_folder()
    server.start()
    try:
        yield Process(settings, start, metrics, board, intake)
    finally:
        server.stop()


def log_started(model: str, snapshot: str, **more: object) -> None:
    """Log that all is ready, once for each start; `more` is what else a reader of the log wants to know of it."""
    built = versions()
    log.info("started", version=built["version"], revision=built["revision"], model=model, snapshot=snapshot, **more)


def await_answers(intake: Intake, until_s: float, settings: Settings) -> None:
    """Wait until every request that was let in is answered.

    Args:
        intake: lets no other in any more.
        until_s: when the drain must be over, monotonic.
        settings: name the limit.

    Raises:
        DrainTimeoutError: that takes too long.
    """
    if not intake.await_idle(max(0.0, until_s - time.monotonic())):
        raise DrainTimeoutError(f"requests were not answered within `drain_timeout_s`, {settings.drain_timeout_s:g} s")


def _load_for(start: Start, settings: Settings) -> "tuple[Start, Engine]":
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
