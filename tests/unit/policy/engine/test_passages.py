"""Events that were read in several passages: of each signal the worst one counts."""

from pathlib import Path

import pytest

from moderator.policy import Judgement, PolicySet
from tests.unit.policy.folders import NOON_MS, SETTINGS, a_policy, a_rule, a_set, an_event, outcomes_of, result_of

SIGNALS = """\
signals:
  safety:   {about: How safe, from: is_safe, scale: {low: 0, high: 1}, good: high}
  danger:   {about: How unsafe, from: is_safe, scale: {multiply: -100, add: 100, low: 0, high: 100}, good: low}
  toxicity: {about: How toxic, from: toxic, scale: {low: 0, high: 1}, good: low}
  quality:  {about: How good, from: quality, scale: {low: 0, high: 1}, good: high}
  poor:     {about: The worse of the two, lowest_of: [safety, quality]}
  style:    {about: Either way, from: style, scale: {low: 0, high: 1}, good: high}
  dull:     {about: Either way, from: style, scale: {low: 0, high: 1}, good: low}
"""
OBJECTIVES = ("is_safe", "toxic", "quality", "style", "unused")
FIRST = [0.9, 0.7, 0.2, 0.3, 0.1]
SECOND = [0.1, 0.2, 0.5, 0.6, -0.4]


@pytest.fixture
def policies(tmp_path: Path) -> PolicySet:
    limits = (
        "safety: below 0.15",
        "danger: above 85",
        "toxicity: above 0.65",
        "poor: below 0.15",
        "quality: below 0.1",
    )
    rules = [a_rule(limit, name=limit.partition(":")[0]) for limit in limits]
    return a_set(tmp_path, a_policy(*rules), signals=SIGNALS)


def decide(policies: PolicySet, *passages: list[float | None]) -> Judgement:
    return policies.bind(OBJECTIVES).decide_passages(an_event(), passages, NOON_MS)


def test_the_worst_passage_of_each_signal_counts_and_conditions_name_it(policies: PolicySet) -> None:
    judgement = decide(policies, [*FIRST], [*SECOND])

    wanted = {"safety": (0.1, 1), "danger": (90.0, 1), "toxicity": (0.7, 0), "poor": (0.1, 1), "quality": (0.2, 0)}
    for name, (score, passage) in wanted.items():
        [condition] = result_of(judgement, f"chat-safety/{name}")["conditions"]
        assert (condition["score"], condition["passage"]) == (score, passage)
    assert judgement.signals == {name: score for name, (score, _) in wanted.items()} | {"style": 0.3, "dull": 0.6}
    assert outcomes_of(judgement) == {**dict.fromkeys(wanted, "matched"), "quality": "not matched"}


def test_of_equal_passages_the_first_is_named(policies: PolicySet) -> None:
    [condition] = result_of(decide(policies, [*FIRST], [*FIRST]), "chat-safety/safety")["conditions"]

    assert condition["passage"] == 0


def test_one_passage_is_decided_as_a_message_that_is_read_at_once(policies: PolicySet) -> None:
    judge = policies.bind(OBJECTIVES)

    assert decide(policies, [*FIRST]) == judge.decide(an_event(), FIRST, NOON_MS)


def test_a_score_that_any_passage_lacks_is_missing(policies: PolicySet) -> None:
    judgement = decide(policies, [*FIRST], [0.1, None, 0.5, 0.6, 0.0])

    [condition] = result_of(judgement, "chat-safety/toxicity")["conditions"]
    assert (condition["score"], condition["cause"]) == (None, "absent")
    assert "passage" not in condition
    assert outcomes_of(judgement)["toxicity"] == "unknown"
    assert judgement.status == "degraded"


def test_passages_without_any_score_are_unscored_as_a_message_that_is_read_at_once(tmp_path: Path) -> None:
    rule = a_rule("account_age_h: below 24", more="applies_to: {tenant: acme}\nuntil: 2027-01-01")
    age = "{about: Its age, from_event: metadata.account_age_h, scale: {low: 0, unit: hours}, good: high}"
    files = {"signals": f"{SIGNALS}  account_age_h: {age}\n", "settings": f"{SETTINGS}if_fact_missing: allow\n"}
    judge = a_set(tmp_path, a_policy(rule), **files).bind(OBJECTIVES)
    event = an_event(tenant="acme", metadata={"account_age_h": "3"})

    judgement = judge.decide_passages(event, [[None] * 5, [None] * 5], NOON_MS)

    assert judgement.status == "unscored"
    assert judgement == judge.decide(event, [None] * 5, NOON_MS)


def test_rewards_are_those_that_the_signals_take_and_else_the_least(policies: PolicySet) -> None:
    judge = policies.bind(OBJECTIVES)

    assert judge.worst_rewards([FIRST, SECOND]) == [0.1, 0.7, 0.2, 0.3, -0.4]
    assert judge.worst_rewards([FIRST]) == FIRST
