from pathlib import Path

import pytest

from moderator.policy import load_policies
from moderator.policy.test_runner import Mismatch, run_tests, untested_rules
from tests.unit.policy.folders import SIGNALS, a_folder, a_policy, a_rule, codes_of

EVENT = "{speaker: assistant, tenant: acme, channel: general}"
SCORES = "{safety: 0.9, helpfulness: 3.0, correctness: 2.5, honesty: 0.6}"
PASSES = "{verdict: allow, rules: {unsafe-reply: not matched}}"


def a_test(name: str = "a good reply", *, event: str = EVENT, scores: str = SCORES, expect: str = PASSES) -> str:
    return f"  - test: {name}\n    given:\n      event: {event}\n      scores: {scores}\n    expect: {expect}\n"


def a_test_file(*tests: str, policy: str = "chat-safety") -> str:
    return f"tests_for: {policy}\ntests:\n{''.join(tests)}"


def mismatches(folder: Path, *tests: str, policy: str | None = None) -> list[list[Mismatch]]:
    policies = load_policies(a_folder(folder, policy or a_policy(), tests=[a_test_file(*tests)]))
    return [list(result.mismatches) for result in run_tests(policies)]


def test_a_test_that_expects_what_is_decided_passes(tmp_path: Path) -> None:
    assert mismatches(tmp_path, a_test()) == [[]]


def test_each_wrong_expectation_is_shown_with_what_was_decided(tmp_path: Path) -> None:
    expect = "{verdict: flag, severity: low, reasons: [low_quality], shadow_verdict: flag, status: degraded}"

    ((*found,),) = mismatches(tmp_path, a_test(expect=expect))

    assert [(one.what, one.expected, one.got) for one in found] == [
        ("verdict", "flag", "allow"),
        ("severity", "low", "none"),
        ("shadow_verdict", "flag", "allow"),
        ("status", "degraded", "scored"),
        ("reasons", "low_quality", "none"),
    ]


def test_a_wrong_rule_is_shown_with_its_comparisons(tmp_path: Path) -> None:
    expect = "{verdict: allow, rules: {unsafe-reply: matched}}"

    assert mismatches(tmp_path, a_test(expect=expect)) == [
        [Mismatch("chat-safety/unsafe-reply", "matched", "not matched", "safety 0.9, below 0.30")]
    ]


@pytest.mark.parametrize("outcome", ["does not apply", "off", "spared", "unknown"])
def test_every_outcome_can_be_expected(tmp_path: Path, outcome: str) -> None:
    rule = {
        "does not apply": a_rule(more="applies_to: {channel: help}"),
        "off": a_rule(mode="off"),
        "spared": a_rule("safety: above 0.5", more="except: [{tenant: acme}]"),
        "unknown": a_rule(more="if_score_missing: allow"),
    }[outcome]
    scores = SCORES.replace("0.9", "missing") if outcome == "unknown" else SCORES
    test = a_test(scores=scores, expect=f"{{verdict: allow, rules: {{unsafe-reply: {outcome}}}}}")

    assert mismatches(tmp_path, test, policy=a_policy(rule)) == [[]]


def test_a_score_on_the_human_scale_means_exactly_that_score(tmp_path: Path) -> None:
    policy = a_policy(a_rule("helpfulness: below 1.3"))
    at_the_limit = a_test("at", scores=SCORES.replace("3.0", "1.3"))
    just_below = a_test(
        "below",
        scores=SCORES.replace("3.0", "1.299995"),
        expect="{verdict: flag, rules: {unsafe-reply: matched}}",
    )

    assert mismatches(tmp_path, at_the_limit, just_below, policy=policy) == [[], []]


def test_scores_missing_as_a_whole_means_that_the_model_gave_none(tmp_path: Path) -> None:
    expect = "{verdict: flag, severity: high, reasons: [unscored], status: unscored}"

    assert mismatches(tmp_path, a_test(scores="missing", expect=expect)) == [[]]


def test_metadata_roles_and_locales_reach_the_rules(tmp_path: Path) -> None:
    scope = "applies_to: {metadata.surface: web, locale: en-*, role: staff}"
    event = "{speaker: assistant, tenant: acme, channel: x, locale: en_GB, role: staff, user: u, metadata.surface: web}"
    expect = "{verdict: flag, rules: {unsafe-reply: matched}}"
    test = a_test(event=event, scores=SCORES.replace("0.9", "0.1"), expect=expect)

    assert mismatches(tmp_path, test, policy=a_policy(a_rule(more=scope))) == [[]]


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        (a_test_file(a_test(), policy="other"), "P070"),
        (a_test_file(a_test(expect="{verdict: allow, rules: {nothing: matched}}")), "P070"),
        (a_test_file(a_test(scores="{safety: 0.9}")), "P071"),
        (a_test_file(a_test(event="{speaker: assistant}")), "P071"),
        (a_test_file(a_test(scores=SCORES.replace("3.0", "1.299999"))), "P072"),
        (a_test_file(a_test(expect="{rules: {unsafe-reply: matched}}")), "P020"),
        (a_test_file(a_test(expect="{verdict: allow, rules: {unsafe-reply: match}}")), "P014"),
        (a_test_file(a_test(), a_test()), "P015"),
        ("tests_for: chat-safety\ntests: []\n", "P020"),
    ],
)
def test_a_test_that_shows_nothing_is_an_error(tmp_path: Path, tests: str, code: str) -> None:
    assert set(codes_of(a_folder(tmp_path, tests=[tests]))) == {code}


def test_two_signals_of_one_objective_need_scores_that_belong_together(tmp_path: Path) -> None:
    risk = "  risk: {about: Risk, from: beavertails-is_safe, scale: {multiply: -1, add: 1, low: 0, high: 1}, good: low}"
    tests = [a_test_file(a_test(scores=SCORES.replace("}", f", risk: {risk}}}"))) for risk in ("0.1", "0.2")]

    fitting = codes_of(a_folder(tmp_path / "a", signals=SIGNALS + risk, tests=tests[:1]))
    contradicting = codes_of(a_folder(tmp_path / "b", signals=SIGNALS + risk, tests=tests[1:]))

    assert (fitting, contradicting) == ([], ["P072"])


def test_a_live_rule_needs_a_test_that_it_matches_and_one_that_it_does_not(tmp_path: Path) -> None:
    rules = a_policy(a_rule(), a_rule("safety: below 0.1", name="watched", mode="shadow"))
    matched = a_test("b", scores=SCORES.replace("0.9", "0.2"), expect="{verdict: flag, rules: {unsafe-reply: matched}}")
    half = load_policies(a_folder(tmp_path / "a", rules, tests=[a_test_file(a_test())]))
    whole = load_policies(a_folder(tmp_path / "b", rules, tests=[a_test_file(a_test(), matched)]))

    assert [problem.code for problem in untested_rules(half)] == ["P074"]
    assert untested_rules(whole) == []


def test_a_folder_without_tests_shows_nothing(tmp_path: Path) -> None:
    policies = load_policies(a_folder(tmp_path))

    assert [problem.code for problem in untested_rules(policies)] == ["P073", "P074"]
