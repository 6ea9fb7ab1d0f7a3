"""Decisions without a stream: JSON lines in, decisions out."""

import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from io import FileIO
from typing import BinaryIO

from prometheus_client import CollectorRegistry

from moderator.cache import InMemoryScoreCache
from moderator.observability.metrics import Metrics
from moderator.pipeline.current_decider import CurrentDecider
from moderator.pipeline.observer import CountingObserver
from moderator.pipeline.policy_observer import log_warnings
from moderator.pipeline.ports import Scorer
from moderator.pipeline.processor import Processor
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.policy import PolicySet
from moderator.policy.live.admission import Accepted, Admission
from moderator.policy.live.folder_watch import read_folder
from moderator.settings import Settings
from moderator.stream.jsonl import JsonLinesSink, JsonLinesSource
from moderator.wiring.parts import NoVerdictCache, SystemClock, load_scorer


@dataclass(frozen=True, slots=True)
class Judges:
    """What decides without a stream: policies, and a scorer that suits them, warmed up on its thread.

    Attributes:
        is_draft: the policies are tried out; every decision says so.
    """

    policies: PolicySet
    scorer: Scorer
    scoring: ScoringThread
    is_draft: bool = False


def load_judges(settings: Settings, *, is_draft: bool = False) -> Judges:
    """Load policies and model; as a draft the policies may fail their own tests.

    Raises:
        ConfigurationError: one of them is wrong, or they do not suit each other.
    """
    # loading takes long: what is wrong with any model is reported first
    accepted = Admission(takes_drafts=is_draft).admit(read_folder(settings.policies.path))
    scoring = ScoringThread()
    try:
        return scoring.call(lambda: _load_judges(settings, accepted, scoring, is_draft=is_draft))
    except BaseException:
        scoring.close()
        raise


def _load_judges(settings: Settings, accepted: Accepted, scoring: ScoringThread, *, is_draft: bool) -> Judges:
    scorer = load_scorer(settings)
    accepted = Admission(scorer.identity).check(accepted)
    log_warnings(accepted.warnings)
    scorer.warm_up()
    return Judges(accepted.policies, scorer, scoring, is_draft)


def score_lines(
    settings: Settings, judges: Judges, lines: FileIO, *, name: str, decisions: BinaryIO, dead_letters: BinaryIO
) -> Mapping[str, int]:
    """Decide on JSON lines with the same pipeline, without Kafka and Redis; the judges can be used once.

    `name` is what decisions call the input: the file's base name, or `-`. Gives the sums of `lines`, `flagged`,
    `allowed` and `dead_letters`.

    Raises:
        ScorerUnavailableError: the device failed.
        OSError: an output cannot be written.
    """
    observer = CountingObserver()
    decider = CurrentDecider(
        judges.policies, judges.scorer.identity, settings.include_content, is_draft=judges.is_draft
    )
    source = JsonLinesSource(lines, name, settings.max_event_bytes)
    with closing(source), closing(judges.scoring):
        Processor(
            settings=settings,
            source=source,
            sink=JsonLinesSink(decisions, dead_letters),
            scoring=judges.scoring,
            scorer=judges.scorer,
            score_cache=InMemoryScoreCache(Metrics(CollectorRegistry())),
            verdict_cache=NoVerdictCache(),
            current_decider=decider,
            observer=observer,
            clock=SystemClock(),
            stop=threading.Event(),
            dead_letter_limit=None,
        ).run()
    return observer.counts
