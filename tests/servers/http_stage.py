"""The HTTP API on a scorer that follows a script: no model, no server, no socket."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from moderator.events import Scores, Turn, Unscored
from moderator.http import HttpServer
from moderator.http.api.app import Served, create_app
from moderator.http.api.intake import Intake, Warm
from moderator.http.api.status import Replica
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.metrics import Metrics
from moderator.pipeline.current_decider import CurrentDecider
from moderator.pipeline.interactive_queue import InteractiveQueue
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy import load_policies
from moderator.policy.live.status import PolicyStatus
from moderator.settings import Settings, load_settings
from moderator.testing import ScriptedScorer
from moderator.wiring.parts import SystemClock
from tests.builders import POLICY_FILES, some_scores, write_files
from tests.servers.in_process import client_of
from tests.unit.pipeline.dict_cache import DictCache

TOKEN = "a-token-of-the-tests"
FLAGGED = "unsafe"

Script = Callable[[Sequence[Turn]], Scores | Unscored]


def by_word(conversation: Sequence[Turn]) -> Scores | Unscored:
    """Find every text safe that does not say that it is not."""
    content = conversation[-1].content
    if "poison" in content:
        raise ValueError(content)
    if "unscored" in content:
        return Unscored("the model's scores are not finite")
    return some_scores(0.2 if FLAGGED in content else 0.9, 0.7)


class Stage:
    """The application, and everything that a test may want to see or to stop."""

    def __init__(
        self,
        folder: Path,
        scoring: ScoringThread,
        script: Script,
        intake: type[Intake] = Intake,
        **settings: object,
    ) -> None:
        self.settings = settings_of(settings)
        self.stop = threading.Event()
        self.metrics = Metrics(CollectorRegistry())
        now_s = time.monotonic()
        self.board = HealthBoard(HealthSnapshot(now_s, now_s, phase="serving"))
        self.intake = intake(self.stop, self.metrics.http)
        self.scorer = ScriptedScorer(script)
        self.cache = DictCache()
        self.scoring = scoring
        policies = load_policies(folder)
        self.decider = CurrentDecider(policies, self.scorer.identity, "none")
        self.queue = InteractiveQueue(
            scoring,
            self.scorer,
            self.cache,
            most_texts=self.settings.http.queue_events,
            metrics=self.metrics.http,
            clock=SystemClock(),
        )
        self.status = PolicyStatus(policies.snapshot, "sha256:source", 1_790_000_000.0, "in force", (), ())
        replica = Replica("0.2.0", "a1b2c3")
        served = Served(self.settings, self.intake, self.board, self.metrics, replica, time.monotonic)
        self.app = create_app(served)
        self.client = client_of(self.app, base_url="http://localhost", headers=headers_of(self.settings))
        self.open()

    def open(self) -> None:
        self.intake.open(Warm(self.queue, self.decider, lambda: self.status))

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the scoring thread busy meanwhile."""
        is_over = threading.Event()
        self.scoring.run_soon(lambda: is_over.wait(30))
        try:
            yield
        finally:
            is_over.set()

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def settings_of(given: Mapping[str, object]) -> Settings:
    # on a busy machine too, a request is late only where a test is about that
    overrides = {"http.token": TOKEN, "http.deadline_ms": 60_000} | {
        name.replace("__", "."): value for name, value in given.items()
    }
    return load_settings(overrides, environ={}, folder=Path("/nowhere"))


def headers_of(settings: Settings) -> dict[str, str]:
    return {"authorization": f"Bearer {TOKEN}"} if settings.http.token else {}


@contextmanager
def a_stage(
    folder: Path, script: Script = by_word, files: Mapping[str, str] = POLICY_FILES, **settings: Any
) -> Iterator[Stage]:
    scoring = ScoringThread()
    stage = Stage(write_files(folder, files), scoring, script, **settings)
    try:
        yield stage
    finally:
        scoring.close()


@contextmanager
def served(stage: Stage) -> Iterator[int]:
    """Serve the stage on a socket; give its port."""
    server = HttpServer(stage.app, "127.0.0.1", 0, deadline_s=stage.settings.http.deadline_ms / 1_000)
    try:
        yield server.start()
    finally:
        server.stop()
