"""What decides: scorer, caches, policies that are followed, and the queue of requests; beside a stream or without."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from moderator.http.api.intake import Intake, Warm
from moderator.observability.health import HealthBoard
from moderator.observability.metrics import Metrics
from moderator.pipeline.current_decider import CurrentDecider
from moderator.pipeline.interactive_queue import InteractiveQueue
from moderator.pipeline.policy_observer import PolicyObserver
from moderator.pipeline.ports import ScoreCache, Scorer, VerdictCache
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import FolderWatch
from moderator.policy.live.reloading import Reloading
from moderator.policy.live.start import Start
from moderator.settings import Settings
from moderator.wiring.parts import SystemClock, open_caches


@dataclass(frozen=True, slots=True)
class Judging:
    """What decides, with a warm model."""

    decider: CurrentDecider
    score_cache: ScoreCache
    verdict_cache: VerdictCache
    queue: InteractiveQueue
    reloading: Reloading

    def open(self, intake: Intake) -> None:
        """Let requests in."""
        intake.open(Warm(self.queue, self.decider, lambda: self.reloading.status))

    def follow(self, admission: Admission, stop: threading.Event) -> None:
        """Take up edits of the policies that suit `admission`, on a thread of its own: a disk may hang.

        Raises:
            PolicyError: what decides now does not suit it, and no last good policies that do are stored.
        """
        self.reloading.begin(admission)
        threading.Thread(target=self.reloading.follow, args=(stop,), name="policies", daemon=True).start()


@contextmanager
def open_judging(
    settings: Settings,
    start: Start,
    scoring: ScoringThread,
    scorer: Scorer,
    *,
    metrics: Metrics,
    board: HealthBoard,
) -> Iterator[Judging]:
    """Put together what decides; requests that are open at the end are answered with a fault."""
    identity = scorer.identity
    metrics.model.labels(identity.name, identity.fingerprint, identity.dtype).set(1)
    decider = CurrentDecider(start.accepted.policies, identity, settings.include_content)
    observer = PolicyObserver(metrics, board, time.monotonic, identity.name, settings.policies.max_stale_s)
    watch = FolderWatch(settings.policies.path)
    reloading = Reloading(watch, start, Admission(identity), swap=decider.swap, observer=observer)
    with ExitStack() as stack:
        score_cache, verdict_cache = open_caches(settings, scorer, metrics, stack)
        queue = InteractiveQueue(
            scoring,
            scorer,
            score_cache,
            most_texts=settings.http.queue_events,
            metrics=metrics.http,
            clock=SystemClock(),
        )
        stack.enter_context(closing(queue))
        yield Judging(decider, score_cache, verdict_cache, queue, reloading)
