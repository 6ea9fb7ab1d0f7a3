"""What is built from settings alone, for the stream and for lines."""

import gc
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from moderator.cache import InMemoryScoreCache, RedisScoreCache, RedisVerdictCache
from moderator.errors import ConfigurationError
from moderator.events import EncodedDecision, Rejection
from moderator.objectives import ModelOutputs
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.pipeline.ports import ScoreCache, Scorer, VerdictCache
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import read_folder
from moderator.policy.live.snapshot_store import SnapshotStore
from moderator.policy.live.start import Start, choose
from moderator.settings import Settings

if TYPE_CHECKING:
    from moderator.scoring.engine import Engine

log = get_logger(__name__)


class SystemClock:
    """The machine's time."""

    def now_s(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic_s(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()


class NoVerdictCache:
    """Stores nothing: without Redis nobody can ask for a verdict."""

    def put_many(self, outcomes: Sequence[EncodedDecision | Rejection]) -> None:
        """Drop them."""


def choose_policies(settings: Settings) -> Start:
    """Read and test the policies once; before the model is loaded, for that takes long.

    Raises:
        PolicyError: they may not decide, and no last good ones are stored that may.
        ConfigurationError: the state folder cannot be used.
    """
    state_dir = settings.policies.state_dir
    store = None if state_dir is None else SnapshotStore(state_dir)
    if store is not None:
        store.create()
    return choose(read_folder(settings.policies.path), Admission(), store)


def load_scorer(settings: Settings) -> "Engine":
    from moderator.scoring import engine  # noqa: PLC0415 - torch alone takes seconds

    return engine.load_scorer(settings.model, settings.reading, stream_pass_ms=settings.http.stream_pass_ms)


def require_temporary_folder() -> str:
    """Name the folder that libraries need even where we write nothing.

    Raises:
        ConfigurationError: there is none that can be written.
    """
    try:
        return tempfile.gettempdir()
    except OSError:
        raise ConfigurationError(
            "no folder for temporary files can be written; mount one and name it in `TMPDIR`"
        ) from None


def freeze_start_up_objects() -> None:
    """Exempt them from garbage collection, and collect rarely: a window's objects hold no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def outputs_of_model(settings: Settings) -> ModelOutputs:
    """Give what the model scores, before its weights are read."""
    from moderator.scoring import engine  # noqa: PLC0415 - torch alone takes seconds

    return engine.read_outputs(settings.model)


def open_caches(
    settings: Settings, scorer: Scorer, metrics: Metrics, stack: ExitStack
) -> tuple[ScoreCache, VerdictCache]:
    if settings.redis.url is None:
        log.warning("no_redis", hint="scores are cached in memory, verdicts nowhere; set MODERATOR_REDIS__URL")
        return InMemoryScoreCache(metrics), NoVerdictCache()
    objective_count = len(scorer.identity.objectives)
    scores = RedisScoreCache(settings.redis, objective_count, metrics, time.monotonic)
    verdicts = RedisVerdictCache(settings.redis, metrics, time.monotonic)
    stack.enter_context(closing(scores))
    stack.enter_context(closing(verdicts))
    return scores, verdicts
