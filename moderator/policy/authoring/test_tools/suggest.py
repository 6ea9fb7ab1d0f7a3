"""Tests at, just under and just over each limit, ready to be pasted; what they expect is what is decided today."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, islice

from moderator.events import RuleResult, Verdict
from moderator.policy.authoring.test_tools.nudge import limit_and_step
from moderator.policy.authoring.test_tools.scenes import Micros, Scene, rewards_for, scenes
from moderator.policy.engine.judge import Judge
from moderator.policy.files.folder import stem_of
from moderator.policy.given_numbers import event_with, rewards_from
from moderator.policy.language.ast import Condition, Policy, Rule
from moderator.policy.language.event_time import iso_utc
from moderator.policy.language.fields import METADATA
from moderator.policy.language.scale import MILLION, fits_six_decimals, show
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import in_quotes
from moderator.policy.test_runner import event_of, objectives_of

MAX_TRIES = 4_096
"""How many combinations of events and other scores are tried to find one where a comparison alone decides."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One test; `text` is its YAML, an item of the list under `tests:`; `is_new`: the policy has no tests yet."""

    policy: str
    file: str
    is_new: bool
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Tests, without those whose names exist already.

    Attributes:
        untestable: the limits for which no test could be made, each with its rule.
    """

    tests: tuple[Suggestion, ...]
    untestable: tuple[tuple[Rule, Condition], ...]


def suggest(policies: PolicySet) -> Suggestions:
    """Give tests for every limit of every live and shadow rule."""
    written = {(test.policy, test.name) for test in policies.tests}
    found = [
        (rule, condition, tests)
        for policy in policies.policies
        for rule in policy.rules
        if rule.mode != "off"
        for condition, tests in _for_rule(rule, policy, policies)
    ]
    new = (test for _, _, tests in found for test in tests if (test.policy, test.name) not in written)
    return Suggestions(tuple(new), tuple((rule, condition) for rule, condition, tests in found if not tests))


def _for_rule(rule: Rule, policy: Policy, policies: PolicySet) -> Iterator[tuple[Condition, list[Suggestion]]]:
    """Give each of a rule's limits with its tests."""
    judge = policies.bind(objectives_of(policies))
    names: set[str] = set()
    for condition in rule.conditions:
        if condition.limit is not None or condition.percent is not None:
            yield condition, list(_for_limit(rule, condition, policy, policies, judge=judge, names=names))


def _for_limit(
    rule: Rule, condition: Condition, policy: Policy, policies: PolicySet, *, judge: Judge, names: set[str]
) -> Iterator[Suggestion]:
    steps = _steps(condition, policies)
    scene = _decisive_scene(rule, condition, steps, policies, judge) if steps else None
    for words, score in steps if scene else ():
        assert scene is not None
        micros = {**scene.micros, **rewards_for(condition.signal, score)}
        verdict, result = _judged(rule, scene, micros, policies, judge)
        scores = None if _contradicts_fields(scene, micros, policies) else _written_scores(micros, policies)
        if scores is not None and result is not None:
            name = _new_name(f"{rule.id.partition('/')[2]} with {condition.signal.name} {words}", names)
            text = _yaml(name, _given(scene, scores, policies), verdict, result)
            yield Suggestion(policy.name, *_file(policy, policies), name, text)


def _new_name(name: str, names: set[str]) -> str:
    """Number a name from the second time on: a rule may have the same limit twice."""
    numbered = (name if number == 1 else f"{name} ({number})" for number in count(1))
    free = next(one for one in numbered if one not in names)
    names.add(free)
    return free


def _file(policy: Policy, policies: PolicySet) -> tuple[str, bool]:
    """Name the file that the policy's tests are in, or would be in; and whether it is new."""
    there = (test.span.file.name for test in policies.tests if test.policy == policy.name)
    file = next(there, None)
    return (f"{stem_of(policy.file)}.test.yaml", True) if file is None else (file, False)


def _steps(condition: Condition, policies: PolicySet) -> list[tuple[str, Fraction]]:
    """Give the scores under, at and over a limit with their descriptions; on the human scale, within its ends."""
    found = limit_and_step(condition, policies.calibration_of(None))
    if found is None:
        return []
    limit, step = found
    shown = condition.comparison.number_in(condition.phrase)
    low, high = condition.signal.scale.low, condition.signal.scale.high
    under = limit - step if low is None else max(low, limit - step)
    over = limit + step if high is None else min(high, limit + step)
    at = (f"at {shown}", limit)
    steps = [(f"just under {shown}", under), at, (f"just over {shown}", over)]
    return [step for step in steps if step is at or step[1] != limit]


def _decisive_scene(
    rule: Rule, condition: Condition, steps: Sequence[tuple[str, Fraction]], policies: PolicySet, judge: Judge
) -> Scene | None:
    """Find an event and other scores with which the comparison alone decides whether the rule matches."""
    for scene in islice(scenes(rule, condition.signal, policies), MAX_TRIES):
        outcomes = set()
        for score in (steps[0][1], steps[-1][1]):
            _, result = _judged(rule, scene, {**scene.micros, **rewards_for(condition.signal, score)}, policies, judge)
            outcomes.add(None if result is None else result["outcome"])
        if outcomes == {"matched", "not matched"}:
            return scene
    return None


def _judged(
    rule: Rule, scene: Scene, micros: Micros, policies: PolicySet, judge: Judge
) -> tuple[Verdict, RuleResult | None]:
    rewards = rewards_from(micros, objectives_of(policies))
    judgement = judge.decide(event_with(event_of(scene.fields), micros), rewards, scene.at_ms or 0)
    return judgement.verdict, next((result for result in judgement.rules if result["rule"] == rule.id), None)


def _written_scores(micros: Micros, policies: PolicySet) -> dict[str, str] | None:
    """Write the score of each signal, derived ones aside; None when six decimals do not suffice."""
    scores: dict[str, str] = {}
    for signal in policies.signals:
        if not signal.members:
            score = signal.scale.score_of(micros[signal.source])
            if not fits_six_decimals(score):
                return None
            scores[signal.name] = show(score)
    return scores


def _contradicts_fields(scene: Scene, micros: Micros, policies: PolicySet) -> bool:
    """Whether a text signal would have another number than the field that it is read from gives."""
    read = _read_from_fields(scene, policies)
    if not read or policies.text_signals is None:
        return False
    event, _ = policies.text_signals.measure(event_of(scene.fields))
    numbers = event.text_scores or {}
    return any(numbers[name] != (micros["text", name] or 0) / MILLION for name in read)


def _read_from_fields(scene: Scene, policies: PolicySet) -> set[str]:
    """Give the text signals that are read from fields that the scene has."""
    return {signal.name for signal in policies.signals if signal.text and signal.text.of in scene.fields}


def _given(scene: Scene, scores: Mapping[str, str], policies: PolicySet) -> str:
    """Write what a test gives, each number once: a fact that is a field of the scene has its number there."""
    facts = {f"{METADATA}{signal.fact.key}": signal.name for signal in policies.signals if signal.fact}
    fields = {
        field: scores[facts[field]] if field in facts else in_quotes(value) for field, value in scene.fields.items()
    }
    given = {*map(facts.get, fields), *_read_from_fields(scene, policies)}
    others = {signal: score for signal, score in scores.items() if signal not in given}
    event, listed = (
        ", ".join(f"{in_quotes(name)}: {value}" for name, value in each.items()) for each in (fields, others)
    )
    shown = f"      scores: {{{listed}}}\n" if others else ""
    time = "" if scene.at_ms is None else f"      time: {iso_utc(scene.at_ms)}\n"
    return f"      event: {{{event}}}\n{shown}{time}"


def _yaml(name: str, given: str, verdict: Verdict, result: RuleResult) -> str:
    rule = in_quotes(result["rule"].partition("/")[2])
    expect = f"{{verdict: {verdict}, rules: {{{rule}: {result['outcome']}}}}}"
    return f"  - test: {name}\n    given:\n{given}    expect: {expect}\n"
