"""What the page Why says of a decision."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from moderator.console.figures.why import limit_of, why_of
from moderator.events import ConditionResult, Decision, Turn
from moderator.pipeline.decision import Decider, Timestamps, encode
from moderator.policy import load_policies
from moderator.policy.test_runner import objectives_of
from tests.builders import a_model, a_record, a_scored_event, an_event, some_policies, some_scores
from tests.unit.console.decisions import a_decision


def _condition(phrase: str, score: float | None, margin: float | None, **more: Any) -> ConditionResult:
    given = {"part": "when", "signal": "safety", "phrase": phrase, "score": score, "margin": margin}
    return cast("ConditionResult", {**given, "holds": None, "borderline": False, **more})


@pytest.mark.parametrize(
    ("condition", "limit"),
    [
        (_condition("below 0.30", 0.21, 0.09), 0.30),
        (_condition("at least 2", None, None), 2.0),
        (_condition("in the lowest 2%", 0.21, 0.04), 0.25),
        (_condition("in the highest 2%", 0.21, -0.04), 0.25),
        (_condition("in the highest 2%", None, None), None),
        (_condition("missing", None, None), None),
        (_condition("<script>", 0.1, 0.1), None),
    ],
)
def test_the_limit_is_read_from_the_phrase_or_from_the_margin(condition: ConditionResult, limit: float | None) -> None:
    assert limit_of(condition) == limit


@pytest.mark.parametrize(
    ("condition", "finding"),
    [
        (_condition("below 0.30", 0.21, 0.09, holds=True), "holds by 0.09"),
        (_condition("below 0.30", 0.9, -0.6, holds=False), "misses by 0.6"),
        (_condition("at most 0.30", 0.3, 0.0, holds=True), "holds, just at the limit"),
        (_condition("below 0.30", None, None, cause="not_finite"), "not known: it is not finite"),
        (_condition("missing", 0.3, None, holds=False), "does not hold"),
    ],
)
def test_a_comparison_says_by_how_much_it_holds_or_misses(condition: ConditionResult, finding: str) -> None:
    decision = a_decision()
    decision["rules"][0]["conditions"] = [condition]

    (rule,) = why_of(cast("Decision", decision), None).others

    assert rule.conditions[0].finding == finding


def test_with_the_policies_at_hand_rules_are_in_words_and_on_their_scale(tmp_path: Path) -> None:
    decision = cast("Decision", a_decision(flag=True))

    why = why_of(decision, some_policies(tmp_path / "policies"))

    (rule,) = why.deciding
    assert "when safety is below 0.30" in rule.words
    assert rule.finding == "flags, high"
    assert rule.conditions[0].scale is not None
    assert (rule.conditions[0].scale.low, rule.conditions[0].scale.high) == (0.0, 1.0)
    assert why.elsewhere == ["safety/doubtful"]


def test_without_its_policies_a_decision_is_explained_by_what_it_recorded() -> None:
    why = why_of(cast("Decision", a_decision(flag=True)), None)

    assert not why.is_known
    assert why.deciding[0].conditions[0].limit == 0.30
    assert why.deciding[0].words == ""


@pytest.mark.parametrize(
    ("parts", "note"),
    [
        ({"status": "unscored", "error": "out of memory"}, "Unscored, so no rule was asked: out of memory."),
        ({"status": "degraded"}, "Degraded: a score that a rule needs is missing."),
        ({"shadow_verdict": "flag"}, "With every shadow rule live: flag."),
        ({"skipped_parts": 2}, "Parts, such as images, that were not judged: 2."),
        (
            {"reading": {"cut": "message", "passages": 1, "removed": 0, "skipped": {}}},
            "Some of the judged message was not read: it was too long.",
        ),
    ],
)
def test_what_weakens_a_verdict_is_noted(parts: dict[str, Any], note: str) -> None:
    assert note in why_of(cast("Decision", a_decision(**parts)), None).notes


def test_a_rule_that_lacks_a_fact_does_not_say_that_a_score_is_missing(tmp_path: Path) -> None:
    policies = load_policies(Path("policies"))
    decider = Decider(policies, replace(a_model(), objectives=tuple(objectives_of(policies))))
    event = an_event(Turn("user", "hello"), role="member", metadata={})
    scored = a_scored_event(some_scores(*(0.9 for _ in decider.model.objectives)))
    decision = decider.decide(a_record(), event, scored, 0.0, Timestamps(0.0, 0.01, 0.02, "2026-11-30T12:00:00.000Z"))

    why = why_of(cast("Decision", orjson.loads(encode(decision).value)), policies)

    found = {rule.result["rule"]: rule.finding for rule in (*why.deciding, *why.others)}
    assert found["newcomers/new-account"] == "a fact is missing; lets it pass"
