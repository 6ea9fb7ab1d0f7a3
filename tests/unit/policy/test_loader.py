from pathlib import Path

import pytest

from tests.unit.policy.folders import (
    CHAT_SAFETY,
    EXEMPTIONS,
    SETTINGS,
    SIGNALS,
    a_folder,
    a_policy,
    a_rule,
    codes_of,
    problems_of,
)

TESTS = """\
tests_for: chat-safety
tests:
  - test: an unsafe reply is flagged
    given:
      event: {speaker: assistant, tenant: acme, channel: general}
      time: 2026-10-05T12:00:00Z
      scores: {safety: 0.1}
      other_scores: typical
    expect:
      verdict: flag
      rules: {unsafe-reply: matched}
"""
NEVER = "all: [safety: below 0.30, safety: above 0.50]"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("policy: chat-safety\n", "policy: Chat safety\n", "P016"),
        ("policy: chat-safety\n", "polcy: chat-safety\n", "P011"),
        ("owner: trust-safety@example.com\n", "owner: 'trust\n", "P004"),
        ("applies_to: {speaker: assistant}\n", "applies_to: {speaker: assistant\n", "P004"),
        ("rule: unsafe-reply\n", "rule: Unsafe reply\n", "P016"),
        ("rule: unsafe-reply\n", "rule: stricter-safety\n", "P015"),
        ("  - rule: unsafe-reply\n", "  - role: unsafe-reply\n", "P011"),
        ("rules:\n", "rule:\n", "P011"),
        ("policy: chat-safety\n", "policy: chat-safety\u200b\n", "P003"),
    ],
)
def test_a_name_that_cannot_be_read_is_not_reported_as_unknown(tmp_path: Path, old: str, new: str, code: str) -> None:
    policy = CHAT_SAFETY.replace(old, new, 1)
    assert policy != CHAT_SAFETY

    codes = codes_of(a_folder(tmp_path, policy, a_policy(name="other"), tests=[TESTS], exemptions=EXEMPTIONS))

    assert code in codes
    assert {"P047", "P070"}.isdisjoint(codes)


def test_without_any_policy_tests_and_exemptions_are_not_reported_to_name_unknown_ones(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, tests=[TESTS], exemptions=EXEMPTIONS)
    (folder / "policy-0.yaml").unlink()

    assert codes_of(folder) == ["P001"]


def test_an_unknown_rule_of_a_policy_whose_names_can_be_read_is_reported_next_to_another_error(tmp_path: Path) -> None:
    unread = a_policy(a_rule(name="Unsafe reply"), name="other")
    tests = TESTS.replace("{unsafe-reply:", "{unsafe-replies:")

    codes = codes_of(a_folder(tmp_path, CHAT_SAFETY, unread, tests=[tests]))

    assert sorted(codes) == ["P016", "P070"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("if_score_missing: alow", "P014"),
        ("applies_to: {tenants: acme}", "P012"),
        ("starts: tomorrow", "P041"),
    ],
)
def test_a_rule_that_can_never_match_is_reported_next_to_an_error_in_another(
    tmp_path: Path, more: str, code: str
) -> None:
    wrong = a_rule(name="wrong", more=more)

    codes = codes_of(a_folder(tmp_path, a_policy(wrong, a_rule(NEVER, name="never"))))

    assert sorted(codes) == sorted([code, "P051"])


@pytest.mark.parametrize(
    ("head", "rule", "code"),
    [
        ("applies_to: {speaker: asistant}", a_rule(more="applies_to: {speaker: assistant}"), "P014"),
        ("applies_to: {speaker: [asistant, user]}", a_rule(more="applies_to: {speaker: assistant}"), "P014"),
        ("", a_rule("any: [safety: below 0.5, safety: at least 0.5]", more="unless: {safty: missing}"), "P010"),
        ("", a_rule("safety: above 0.5, please"), "P030"),
        ("", a_rule(mode="lve"), "P014"),
    ],
)
def test_nothing_else_is_said_of_a_rule_with_an_error(tmp_path: Path, head: str, rule: str, code: str) -> None:
    codes = codes_of(a_folder(tmp_path, a_policy(rule, head=head)))

    assert codes == [code]


@pytest.mark.parametrize(
    ("settings", "signals"),
    [
        (SETTINGS.replace("always", "allways", 1), SIGNALS),
        (SETTINGS, SIGNALS.replace("good: high", "good: hi", 1)),
        (SETTINGS, SIGNALS.replace("armorm.json", "other.json", 1)),
    ],
)
def test_rules_are_not_judged_by_settings_and_signals_with_an_error(
    tmp_path: Path, settings: str, signals: str
) -> None:
    rule = a_rule("safety: in the lowest 2%", more="unless: {safety: in the lowest 2%}")

    problems = problems_of(a_folder(tmp_path, a_policy(rule), settings=settings, signals=signals))

    assert [problem.file for problem in problems] in (["settings.yaml"], ["signals.yaml"])


def test_a_field_of_a_test_that_needs_quotes_is_not_reported_as_missing(tmp_path: Path) -> None:
    tests = TESTS.replace("tenant: acme", "tenant: 0123")

    assert codes_of(a_folder(tmp_path, CHAT_SAFETY, tests=[tests])) == ["P023"]
