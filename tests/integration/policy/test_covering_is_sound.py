"""What `check` says of covered and impossible rules is held against the judge: random rules, events and scores."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.events import RuleResult
from moderator.policy.analysis.covering import check_covering
from moderator.policy.engine.judge import Judge
from moderator.policy.language.ast import Condition, Rule
from moderator.policy.language.score_regions import score_regions, with_bounds
from moderator.policy.syntax.diagnostics import Diagnostics
from tests.integration.policy.test_diff_is_sound import Dice, the_example
from tests.unit.policy.folders import MODEL, OBJECTIVES

CALIBRATION = the_example().calibrations[MODEL]
SEEDS = st.integers(min_value=0, max_value=2**32)


class ScoreDice(Dice):
    """Draws rules over few signals that differ in nothing but how they go by scores, so that many cover another."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.signals = self.pick(
            ["safety", "risk"], ["usefulness", "helpfulness"], ["age", "visits"], ["safety", "age"]
        )

    def condition(self) -> Condition:
        drawn = super().condition()
        while drawn.signal.name not in self.signals:
            drawn = super().condition()
        return drawn

    def scored(self, number: int) -> Rule:
        parts = {name: self.part(name) for name in ("unless", "flags_when_missing", "flags_when_fact_missing")}
        parts["when"] = self.some_conditions()
        return replace(the_example().rules[0], id=f"chat-safety/{number}", scope=(), **parts)


def two_rules(dice: Dice) -> tuple[Rule, Rule]:
    rule = replace(dice.rule(0), mode="live", exempt_scopes=())
    return rule, replace(dice.changed(rule), id="chat-safety/1", mode="live")


def wider_of(rules: tuple[Rule, Rule]) -> str | None:
    """Give the rule that is reported to cover the other."""
    diagnostics = Diagnostics()
    policies = replace(the_example().policies[0], rules=rules)
    check_covering(replace(the_example(), policies=(policies,), exemptions=()), diagnostics)
    return diagnostics.warnings[0].message.partition(" ")[0] if diagnostics.warnings else None


def results_of(rules: tuple[Rule, ...], dice: Dice) -> Iterator[list[RuleResult]]:
    """Judge random events."""
    judge = Judge(the_example().settings, the_example().signals, rules, OBJECTIVES, calibration=CALIBRATION)
    return (judge.decide(*dice.event()).rules for _ in range(60))


def counted_of(rules: tuple[Rule, ...], dice: Dice) -> Iterator[set[str]]:
    return ({result["rule"] for result in results if result["counted"]} for results in results_of(rules, dice))


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_no_event_is_flagged_by_a_covered_rule_alone(seed: int) -> None:
    dice = Dice(seed)
    rules = two_rules(dice)

    wider = wider_of(rules)

    assert all(not counted or wider in counted for counted in (counted_of(rules, dice) if wider else ()))


@given(SEEDS)
@settings(max_examples=200, deadline=None)
def test_no_scores_are_flagged_by_a_covered_rule_alone(seed: int) -> None:
    dice = ScoreDice(seed)
    rules = dice.scored(0), dice.scored(1)

    wider = wider_of(rules)

    assert all(not counted or wider in counted for counted in (counted_of(rules, dice) if wider else ()))


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_no_scores_match_an_impossible_rule_or_fail_one_that_always_matches(seed: int) -> None:
    dice = ScoreDice(seed)
    rule = dice.scored(0)
    bounded = with_bounds(rule, CALIBRATION)
    assert bounded is not None
    regions = score_regions(bounded)
    assert regions is not None

    truth = regions.truth(bounded)

    outcomes = {result["outcome"] for results in results_of((rule,), dice) for result in results}
    assert truth.holds or "matched" not in outcomes
    assert truth.fails or "not matched" not in outcomes


def test_covered_rules_come_up_among_random_pairs() -> None:
    found = [wider_of(two_rules(Dice(Random(seed).getrandbits(32)))) for seed in range(100)]

    assert min(found.count("chat-safety/0"), found.count("chat-safety/1")) >= 3
