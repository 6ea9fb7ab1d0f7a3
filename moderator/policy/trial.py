"""`*.test.yaml` run against the policies, by the same judge that decides in production."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moderator.events import ChatEvent, RuleResult, Turn
from moderator.policy.judge import Judge, Judgement
from moderator.policy.loader import PolicySet
from moderator.policy.model import PolicyTest, Rule, TestOutcome
from moderator.policy.problems import Problem, Report
from moderator.policy.scale import MILLION
from moderator.policy.scopes import speaker_of
from moderator.policy.settings_file import METADATA


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that a test expected otherwise; `why` shows the rule's comparisons."""

    what: str
    expected: str
    got: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of one test; it passed when nothing mismatched."""

    test: PolicyTest
    mismatches: tuple[Mismatch, ...]


def run_tests(policies: PolicySet) -> list[TestResult]:
    """Run every test of the folder, in the order of files and lines."""
    judge = policies.bind(_objectives(policies))
    return [TestResult(test, tuple(_mismatches(test, judge, policies))) for test in policies.tests]


def coverage_problems(policies: PolicySet) -> list[Problem]:
    """Give an error for each live rule without a test in which it matches, or one in which it does not."""
    report = Report()
    if not policies.tests:
        report.error("P073", policies.policies[0].file, "there are no tests", "add a *.test.yaml file beside it")
    shown = {(rule, outcome) for test in policies.tests for rule, outcome in test.expected.rules.items()}
    for rule in policies.rules:
        wanted: tuple[TestOutcome, ...] = ("matched", "not matched")
        lacking = [outcome for outcome in wanted if (rule.id, outcome) not in shown]
        if rule.mode == "live" and lacking:
            message = f"the live rule {rule.id} has no test that expects it to be {' or '.join(map(repr, lacking))}"
            report.error("P074", rule.span, message.replace("'", '"'), _example(rule, lacking[0]))
    return report.problems


def _example(rule: Rule, outcome: TestOutcome) -> str:
    return f"add one with rules: {{{rule.id.partition('/')[2]}: {outcome}}}"


def _objectives(policies: PolicySet) -> list[str]:
    return list(dict.fromkeys(signal.objective for signal in policies.signals))


def _mismatches(test: PolicyTest, judge: Judge, policies: PolicySet) -> Iterable[Mismatch]:
    judgement = judge.decide(_event(test), _rewards(test, policies))
    expected = test.expected
    yield from _differ("verdict", expected.verdict, judgement.verdict)
    yield from _differ("severity", expected.severity, judgement.severity or "none")
    yield from _differ("shadow_verdict", expected.shadow_verdict, judgement.shadow_verdict)
    yield from _differ("status", expected.status, judgement.status)
    if expected.reasons is not None:
        yield from _differ("reasons", _listed(expected.reasons), _listed(judgement.reasons))
    yield from _rule_mismatches(test, judgement, policies.rules)


def _rule_mismatches(test: PolicyTest, judgement: Judgement, rules: Sequence[Rule]) -> Iterable[Mismatch]:
    results = {result["rule"]: result for result in judgement.rules}
    off = {rule.id for rule in rules if rule.mode == "off"}
    for rule, expected in test.expected.rules.items():
        result = results.get(rule)
        if result is None:
            yield from _differ(rule, expected, "off" if rule in off else "does not apply")
        else:
            yield from _differ(rule, expected, result["outcome"], _why(result))


def _differ(what: str, expected: str | None, got: str, why: str = "") -> Iterable[Mismatch]:
    if expected is not None and expected != got:
        yield Mismatch(what, expected, got, why)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _why(result: RuleResult) -> str:
    return "; ".join(
        f"{'unless ' if condition['part'] == 'unless' else ''}{condition['signal']} "
        f"{'is missing' if condition['score'] is None else condition['score']}, {condition['phrase']}"
        for condition in result["conditions"]
    )


def _rewards(test: PolicyTest, policies: PolicySet) -> list[float | None] | None:
    if test.micro_by_signal is None:
        return None
    micro = {signal.objective: test.micro_by_signal[signal.name] for signal in policies.signals}
    return [None if value is None else value / MILLION for value in (micro[name] for name in _objectives(policies))]


def _event(test: PolicyTest) -> ChatEvent:
    given = test.event
    metadata = {key.removeprefix(METADATA): value for key, value in given.items() if key.startswith(METADATA)}
    return ChatEvent(
        id=test.name,
        conversation=(Turn(speaker_of(given["speaker"]), ""),),
        conversation_id=given.get("conversation_id"),
        tenant=given.get("tenant"),
        channel=given.get("channel"),
        locale=given.get("locale"),
        user=given.get("user"),
        role=given.get("role"),
        time=given.get("time"),
        metadata=metadata,
    )
