"""A replay from what was asked for to what came of it: range, model or recorded scores, topic, comparison."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from moderator.errors import ConfigurationError
from moderator.events import DecidedSpan
from moderator.policy import PolicySet
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import read_folder
from moderator.replays.again import (
    Counts,
    compare_spans,
    read_recorded,
    rejudge_all,
    require_comparable,
    require_target,
)
from moderator.replays.carrying import Passed
from moderator.replays.change_report import ChangeReport
from moderator.replays.comparing import Comparison
from moderator.replays.event_range import parse_bounds
from moderator.replays.naming import options_hash
from moderator.replays.recorded import RecordedOutcomes
from moderator.settings import Settings
from moderator.stream.kafka.replaying.opening import open_range, open_run, peek
from moderator.stream.kafka.replaying.outcomes import write_outcomes
from moderator.stream.kafka.replaying.run import Reading, Run, Writing
from moderator.wiring.lines import Judges, load_judges
from moderator.wiring.rescoring import rescore

ShowProgress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Show how far something has come, of so many offsets; call what the context gives with each part done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; see `moderator replay --help`.

    Attributes:
        topic: where decisions go; None: nowhere.
        is_rejudging: recorded decisions are judged again, and no model is loaded.
        may_be_live: the topic may be one of live traffic.
    """

    run_id: str
    start: str
    until: str
    topic: str | None
    rate: int | None
    is_rejudging: bool
    is_dry: bool
    is_comparing: bool
    may_be_live: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay that can be made.

    Attributes:
        policies: pass their own tests.
        outcomes: how outcomes are written to the topic; None: there is none.
        found: the range as it is now, or what an earlier process has left of it.
    """

    settings: Settings
    asked: Asked
    policies: PolicySet
    reading: Reading
    outcomes: Writing | None
    found: Run

    @property
    def written(self) -> Writing | None:
        """How this replay writes; None: it writes nothing."""
        return None if self.asked.is_dry else self.outcomes


def prepare(settings: Settings, asked: Asked) -> Replay:
    """Check all but the model, which takes long to load; changes nothing.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: range, policies or topic are wrong, or the run was started with other options.
    """
    kafka = settings.kafka
    if settings.model.path is None and not asked.is_rejudging:
        raise ConfigurationError("no model is named: give `--model`, or judge recorded scores with `--policy-only`")
    bounds = parse_bounds(asked.start, asked.until, kafka.events_topic, may_name_places=not asked.is_rejudging)
    policies = Admission().admit(read_folder(settings.policies.path)).policies
    read = (kafka.flag_topic, kafka.allow_topic) if asked.is_rejudging else (kafka.events_topic,)
    reading = Reading(read, bounds, rate=asked.rate)
    outcomes = None
    if asked.topic is not None:
        outcomes = write_outcomes(
            kafka,
            run_id=asked.run_id,
            options=_options(settings, asked, policies, read),
            topic=asked.topic,
            limit_bytes=require_target(kafka, asked.topic, may_be_live=asked.may_be_live),
        )
    found = peek(kafka, reading, None if asked.is_dry else outcomes)
    if asked.is_comparing:
        require_comparable(found.ends)
    return Replay(settings, asked, policies, reading, outcomes, found)


def make(
    replay: Replay,
    stop: threading.Event,
    show_progress: ShowProgress,
    load: Callable[[Settings], Judges] = load_judges,
) -> tuple[Counts, ChangeReport | None]:
    """Make a replay; give what was counted in this process, and what changed where that was asked.

    Args:
        replay: what to make.
        stop: ends it after the current step.
        show_progress: see `ShowProgress`.
        load: gives the model, where one is needed.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: the model is wrong, or the range is too large to be compared.
        FencedError: another process makes this run.
        ScorerUnavailableError, StoppedError: to continue is impossible or would do harm; nothing written is lost.
    """
    making = _Making(replay, stop, show_progress)
    if replay.found.total:
        making.make(load)
    return making.counts, making.report() if replay.asked.is_comparing else None


class _Making:
    """One process's part of a replay.

    Attributes:
        counts: what became of the records.
    """

    def __init__(self, replay: Replay, stop: threading.Event, show_progress: ShowProgress) -> None:
        self.counts = Counts()
        self._replay = replay
        self._stop = stop
        self._show_progress = show_progress
        self._model: str | None = None
        self._signals = [signal.name for signal in replay.policies.signals if signal.kind == "score"]
        if not replay.asked.is_comparing:
            self._signals = []
        self._recorded = RecordedOutcomes(self._signals, replay.settings.kafka.events_topic)
        self._comparison = Comparison(self._recorded, self._signals)

    def make(self, load: Callable[[Settings], Judges]) -> None:
        """Judge all that is left; the model, which takes long to load, comes first."""
        replay, kafka = self._replay, self._replay.settings.kafka
        judges = None if replay.asked.is_rejudging else load(replay.settings)
        opened = (
            open_run(kafka, replay.reading, replay.written) if replay.written else open_range(kafka, replay.reading)
        )
        with opened as run:
            if replay.asked.is_comparing:
                self._read_recorded(run)
            with self._show_progress("replay", run.total) as advance:
                self._judge(run, judges, Passed(run, advance))

    def report(self) -> ChangeReport:
        """Say what changed."""
        policies, asked = self._replay.policies, self._replay.asked
        return ChangeReport(
            asked.run_id,
            self._comparison.changes,
            self._recorded,
            frozenset(rule.id for rule in policies.active_rules),
            policies.snapshot,
            self._model,
            self.counts.not_replayable if asked.is_rejudging else None,
            is_whole=not self._replay.found.is_continued,
        )

    def _read_recorded(self, run: Run) -> None:
        kafka, reading = self._replay.settings.kafka, self._replay.reading
        shown = partial(self._show_progress, "recorded decisions")
        self._recorded = read_recorded(kafka, reading, run.ends, self._signals, stop=self._stop, show_progress=shown)
        self._comparison = Comparison(self._recorded, self._signals)

    def _judge(self, run: Run, judges: Judges | None, passed: Passed) -> None:
        replay, is_comparing = self._replay, self._replay.asked.is_comparing

        def notice(spans: Sequence[DecidedSpan]) -> None:
            self.counts.note(spans)
            passed.note(spans)
            if is_comparing and judges:
                compare_spans(self._comparison, spans)

        if judges:
            self._model = judges.scorer.identity.fingerprint
            rescore(replay.settings, judges, run, self._stop, notice)
        else:
            compared = self._comparison if is_comparing else None
            rejudge_all(
                run, replay.policies, replay.outcomes, self._stop, notice, counts=self.counts, comparison=compared
            )


def _options(settings: Settings, asked: Asked, policies: PolicySet, read: Sequence[str]) -> str:
    return options_hash(
        command="replay",
        bounds=(asked.start, asked.until),
        read=read,
        to=asked.topic,
        policies=policies.snapshot,
        model=None if asked.is_rejudging else settings.model.path,
        include_content=settings.include_content,
    )
