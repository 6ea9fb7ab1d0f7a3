"""`*.test.yaml` run against the policies, by the same judge that decides in production."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from moderator.events import ChatEvent, MetadataValue, RuleResult, Turn
from moderator.policy.engine.combining import Judgement
from moderator.policy.engine.judge import Judge
from moderator.policy.given_numbers import by_source, event_with, rewards_from
from moderator.policy.language.ast import PolicyTest, Rule, TestOutcome
from moderator.policy.language.fields import METADATA, cut_of, hidden_text_named, speaker_of
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import Diagnostic, Diagnostics, in_quotes, quote


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that differs from what a test expects; `why` shows the rule's comparisons."""

    what: str
    expected: str
    got: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class TestResult:
    """The result of one test: what was decided, and what was expected instead."""

    test: PolicyTest
    judgement: Judgement
    mismatches: tuple[Mismatch, ...]

    @property
    def fails(self) -> bool:
        """Something mismatched that should not; a test marked `known_gap` never fails."""
        return bool(self.mismatches) and not self.test.known_gap


def run_tests(policies: PolicySet) -> list[TestResult]:
    """Run every test of the folder, in the order of files and lines."""
    judge = policies.bind(objectives_of(policies))
    return [_result(test, judge, policies) for test in policies.tests]


def untested_rules(policies: PolicySet) -> list[Diagnostic]:
    """Give an error for each live rule without a test in which it matches, or one in which it does not.

    A rule without conditions matches every event that it is for, so that one is needed which it is not for.
    """
    diagnostics = Diagnostics()
    if not policies.tests:
        diagnostics.error("P073", policies.policies[0].file, "there are no tests", "add a *.test.yaml file next to it")
    tests = [test for test in policies.tests if not test.known_gap]
    shown = {(rule, outcome) for test in tests for rule, outcome in test.expected.rules.items()}
    for rule in policies.rules:
        lacking = [each for each in tested_outcomes(rule) if not any((rule.id, outcome) in shown for outcome in each)]
        if rule.mode == "live" and lacking:
            words = " or ".join(f'"{outcome}"' for each in lacking for outcome in each)
            message = f"the live rule {rule.id} has no test that expects it to be {words}"
            diagnostics.error("P074", rule.span, message, _example(rule, lacking[0][0]))
    return diagnostics.all


def tested_outcomes(rule: Rule) -> tuple[tuple[TestOutcome, ...], ...]:
    """Give what tests must show of a live rule: of each of these groups one outcome."""
    return (("matched",), ("not matched",) if rule.conditions else ("does not apply", "spared"))


def closed_gaps(results: Sequence[TestResult]) -> list[Diagnostic]:
    """Give an error for each test that is marked `known_gap` and passes."""
    diagnostics = Diagnostics()
    for result in results:
        if result.test.known_gap and not result.mismatches:
            message = f"{quote(result.test.name)} is marked known_gap and passes"
            diagnostics.error("P076", result.test.span, message, "remove known_gap: from now on the test must pass")
    return diagnostics.all


def objectives_of(policies: PolicySet) -> list[str]:
    """Give every objective that the folder's signals are read from, no doubles."""
    return list(dict.fromkeys(name for signal in policies.signals for name in signal.objectives))


def rewards_of(test: PolicyTest, policies: PolicySet) -> list[float | None] | None:
    """Give the test's rewards in the order of `objectives_of`; None when the model gave no score."""
    if test.micro_by_signal is None:
        return None
    return rewards_from(by_source(test.micro_by_signal, policies.signals), objectives_of(policies))


def event_of_test(test: PolicyTest, policies: PolicySet) -> ChatEvent:
    """Give the event of a test, with what is read from its text, and the facts and texts that its `scores` give."""
    event = event_of(test.event, test.text)
    if policies.text_signals is not None:
        event, _ = policies.text_signals.measure(event)
    return event_with(event, by_source(test.micro_by_signal or {}, policies.signals))


def event_of(fields: Mapping[str, MetadataValue], text: str = "") -> ChatEvent:
    """Give the event that a test's fields describe, with one message; metadata is under `metadata.<key>`."""
    metadata = {key.removeprefix(METADATA): value for key, value in fields.items() if key.startswith(METADATA)}
    texts = {key: value for key, value in fields.items() if isinstance(value, str)}
    return ChatEvent(
        id=texts.get("id", ""),
        conversation=(Turn(speaker_of(texts["speaker"]), text),),
        conversation_id=texts.get("conversation_id"),
        tenant=texts.get("tenant"),
        channel=texts.get("channel"),
        locale=texts.get("locale"),
        user=texts.get("user"),
        role=texts.get("role"),
        metadata=metadata,
        cut=cut_of(texts.get("cut", "nothing")),
        hidden_text=hidden_text_named(texts.get("hidden_text", "none")),
    )


def _result(test: PolicyTest, judge: Judge, policies: PolicySet) -> TestResult:
    judgement = judge.decide(event_of_test(test, policies), rewards_of(test, policies), test.at_ms or 0)
    return TestResult(test, judgement, tuple(_mismatches(test, judgement, policies)))


def _example(rule: Rule, outcome: TestOutcome) -> str:
    return f"add one with rules: {{{in_quotes(rule.id.partition('/')[2])}: {outcome}}}"


def _mismatches(test: PolicyTest, judgement: Judgement, policies: PolicySet) -> Iterable[Mismatch]:
    expected = test.expected
    yield from _differ("verdict", expected.verdict, judgement.verdict)
    yield from _differ("severity", expected.severity, judgement.severity or "none")
    yield from _differ("shadow_verdict", expected.shadow_verdict, judgement.shadow_verdict)
    yield from _differ("status", expected.status, judgement.status)
    yield from _differ("action", expected.action, judgement.action or "none")
    notified = [f"{notice['to']} {notice['key']}" for notice in judgement.notify]
    for what, wanted, got in (
        ("reasons", expected.reasons, judgement.reasons),
        ("queues", expected.queues, judgement.queues),
        ("labels", expected.labels, judgement.labels),
        ("notify", expected.notify, notified),
    ):
        if wanted is not None:
            yield from _differ(what, _listed(wanted), _listed(got))
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
