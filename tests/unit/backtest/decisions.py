"""Recorded decisions for the tests, made by the pipeline's own decider from rewards by name."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from moderator.backtest.batches import Lines
from moderator.backtest.labels import NO_LABELS, Labels
from moderator.backtest.processes import count_all
from moderator.backtest.report.summary import backtest_report
from moderator.backtest.report.values import BacktestReport
from moderator.backtest.run import Backtest, Counts, Plan
from moderator.backtest.study import Study
from moderator.events import Cut, ModelIdentity, Scores, Unscored
from moderator.pipeline.decision import Decider, Timestamps, encode
from moderator.policy import PolicySet
from tests.builders import a_record, a_scored_event, some_scores
from tests.unit.policy.folders import NOON_MS, a_model, an_event

_BOUND: dict[int, tuple[PolicySet, ModelIdentity, Decider]] = {}

USUAL = (0.9, 0.7, 0.6, 0.6)
"""Safety, helpfulness, correctness, honesty as rewards: nothing is flagged."""


def recorded(
    policies: PolicySet,
    *rewards: float,
    model: ModelIdentity | None = None,
    at_ms: int | None = NOON_MS,
    decided_at: str = "2026-10-05T12:00:00.412Z",
    **event: Any,
) -> bytes:
    """Give one recorded decision; no rewards at all make it unscored."""
    scores = Scores(rewards, tuple(0.1 for _ in rewards), truncated=False) if rewards else Unscored("not finite")
    return encode(
        _decider(policies, model or a_model()).decide(
            a_record(timestamp_ms=at_ms),
            an_event(**event),
            a_scored_event(scores),
            0.0,
            Timestamps(0.0, 0.0, 0.0, decided_at),
        )
    ).value


def recorded_as_read(policies: PolicySet, cut: Cut, removed: int = 0) -> bytes:
    """Give one recorded decision on an event that was read so, which no rule of the usual policies flags."""
    at = Timestamps(0.0, 0.0, 0.0, "2026-10-05T12:00:00.412Z")
    scored = a_scored_event(some_scores(*USUAL), cut=cut, removed=removed)
    return encode(_decider(policies, a_model()).decide(a_record(), an_event(), scored, 0.0, at)).value


def recorded_in_passages(policies: PolicySet, *passages: Sequence[float]) -> bytes:
    """Give one recorded decision on an event that was read in passages of these rewards."""
    at = Timestamps(0.0, 0.0, 0.0, "2026-10-05T12:00:00.412Z")
    scored = a_scored_event(*(some_scores(*rewards) for rewards in passages))
    return encode(
        _decider(policies, a_model()).decide(a_record(timestamp_ms=NOON_MS), an_event(), scored, 0.0, at)
    ).value


def _decider(policies: PolicySet, model: ModelIdentity) -> Decider:
    """Bind policies once for all the decisions that a test records with them."""
    bound = _BOUND.get(id(policies))
    if bound is None or bound[:2] != (policies, model):
        bound = _BOUND[id(policies)] = (policies, model, Decider(policies, model))
    return bound[2]


def some_recorded(policies: PolicySet, safeties: Iterable[float], **event: Any) -> list[bytes]:
    """Give decisions on events `evt-0`, `evt-1` and so on, of these safeties."""
    return [recorded(policies, safety, *USUAL[1:], id=f"evt-{nth}", **event) for nth, safety in enumerate(safeties)]


def changed(decision: bytes, **fields: Any) -> bytes:
    """Tamper with a decision's top-level fields."""
    return json.dumps(json.loads(decision) | fields).encode()


def counts_of(
    baseline: PolicySet,
    candidate: PolicySet,
    decisions: Sequence[bytes],
    *,
    labels: Labels = NO_LABELS,
    sweep: str | None = None,
) -> Counts:
    def make() -> Study[Counts]:
        return Backtest(Plan(baseline, candidate, labels, sweep))

    lines = Lines("standard input", decisions, 1)
    return count_all(make, [lines], processes=1, advance=lambda _: None)


def report_of(
    baseline: PolicySet,
    candidate: PolicySet,
    decisions: Sequence[bytes],
    *,
    labels: Labels = NO_LABELS,
    sweep: str | None = None,
) -> BacktestReport:
    counts = counts_of(baseline, candidate, decisions, labels=labels, sweep=sweep)
    return backtest_report(Plan(baseline, candidate, labels, sweep), counts, "decisions.jsonl", ("before", "after"))


def some_labels(**verdicts: Any) -> Labels:
    """Label events by number: `some_labels(flag=range(5), allow=[7])`."""
    by_key = {(None, f"evt-{nth}"): verdict for verdict, numbers in verdicts.items() for nth in numbers}
    return Labels(by_key)  # type: ignore[arg-type]  # verdicts are keywords


def write_lines(file: Path, decisions: Iterable[bytes]) -> Path:
    file.write_bytes(b"".join(decision + b"\n" for decision in decisions))
    return file
