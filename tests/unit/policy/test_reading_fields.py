"""Rules that match on how an event was read, and what becomes of an event that was not read whole."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from moderator.cli.policy import app
from moderator.policy import PolicySet
from moderator.policy.analysis.descriptions import describe_rule
from moderator.policy.test_runner import run_tests
from tests.unit.policy.folders import (
    SETTINGS,
    a_folder,
    a_policy,
    a_rule,
    a_set,
    an_event,
    judge_raw,
    outcomes_of,
    problems_of,
)

SILENT = SETTINGS.replace("if_truncated: flag\n", "")
ALLOWING = SETTINGS.replace("if_truncated: flag", "if_truncated: allow")


@pytest.mark.parametrize(
    ("line", "read", "fits"),
    [
        ("{cut: message}", {"cut": "message"}, True),
        ("{cut: message}", {"cut": "context"}, False),
        ("{cut: [context, message]}", {"cut": "context"}, True),
        ("{cut: nothing}", {}, True),
        ("{hidden_text: found}", {"hidden_text": "found"}, True),
        ("{hidden_text: found}", {}, False),
        ("{hidden_text: none, cut: nothing}", {}, True),
    ],
)
def test_a_rule_may_match_on_how_an_event_was_read(tmp_path: Path, line: str, read: Any, *, fits: bool) -> None:
    applies = a_rule(name="applies", more=f"applies_to: {line}")
    spares = a_rule(name="spares", more=f"except: [{line}]")
    policies = a_set(tmp_path, a_policy(applies, spares))

    outcomes = outcomes_of(judge_raw(policies, an_event(**read), safety=0.1))

    assert outcomes == ({"applies": "matched", "spares": "spared"} if fits else {"spares": "matched"})


@pytest.mark.parametrize("line", ["{cut: all}", "{cut: mess*}", "{cut: [message, no]}", "{hidden_text: yes}"])
def test_another_value_is_an_error(tmp_path: Path, line: str) -> None:
    folder = a_folder(tmp_path, a_policy(head=f"applies_to: {line}"))

    assert {problem.code for problem in problems_of(folder)} <= {"P014", "P023"}
    assert problems_of(folder)


def test_settings_need_not_list_these_fields_and_may_not(tmp_path: Path) -> None:
    listed = a_folder(tmp_path, settings=SETTINGS.replace("role: sometimes", "role: sometimes, cut: always"))

    [problem] = problems_of(listed)

    assert problem.code == "P012"
    assert problem.message == "every event has cut, so rules may match on it without a line here"


def test_a_critical_rule_on_them_is_no_rule_on_a_field_that_only_some_events_have(tmp_path: Path) -> None:
    rule = a_rule(more="applies_to: {hidden_text: found}", flag="{severity: critical, reason: unsafe_content}")

    assert problems_of(a_folder(tmp_path, a_policy(rule))) == []


def test_words_say_how_the_event_was_read(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(more="applies_to: {cut: [context, message], hidden_text: found}")))

    words = describe_rule(policies.rules[0])

    assert "where older turns were not read or where some of the message was not read, with hidden text:" in words


TESTS = """\
tests_for: chat-safety
tests:
  - test: a message that was cut
    given: {event: {speaker: assistant, tenant: acme, channel: general, cut: message}, scores: {safety: 0.9}}
    expect: {verdict: flag, severity: medium, reasons: [truncated], rules: {unsafe-reply: not matched}}
  - test: a message with hidden text
    given: {event: {speaker: assistant, tenant: acme, channel: general, hidden_text: found}, scores: {safety: 0.9}}
    expect: {verdict: flag, severity: high, reasons: [unsafe_content], rules: {hidden: matched}}
  - test: an ordinary message
    given: {event: {speaker: assistant, tenant: acme, channel: general}, scores: {safety: 0.9}}
    expect: {verdict: allow, rules: {hidden: does not apply}}
"""


def test_tests_say_how_an_event_was_read_and_else_it_was_read_whole(tmp_path: Path) -> None:
    hidden = a_rule("safety: below 0.95", name="hidden", more="applies_to: {hidden_text: found}")
    signals = "signals: {safety: {about: How safe, from: beavertails-is_safe, scale: {low: 0, high: 1}, good: high}}"
    policies = a_set(tmp_path, a_policy(a_rule(), hidden), tests=[TESTS], signals=signals)

    assert [result.mismatches for result in run_tests(policies)] == [(), (), ()]


def test_a_test_with_another_value_is_an_error(tmp_path: Path) -> None:
    tests = TESTS.replace("cut: message", "cut: everything").replace("{hidden: ", "{unsafe-reply: ")

    assert "P014" in {problem.code for problem in problems_of(a_folder(tmp_path, tests=[tests]))}


def verdict_of(policies: PolicySet, cut: str, safety: float = 0.9) -> tuple[str, str | None, list[str], str, str]:
    judgement = judge_raw(policies, an_event(cut=cut), safety=safety)
    return judgement.verdict, judgement.severity, judgement.reasons, judgement.shadow_verdict, judgement.status


@pytest.mark.parametrize("settings", [SETTINGS, SILENT])
def test_a_message_that_was_not_read_whole_is_flagged_where_no_rule_flags_it(tmp_path: Path, settings: str) -> None:
    policies = a_set(tmp_path, settings=settings)

    assert verdict_of(policies, "message") == ("flag", "medium", ["truncated"], "flag", "scored")
    assert verdict_of(policies, "message", safety=0.1) == ("flag", "high", ["unsafe_content"], "flag", "scored")
    assert verdict_of(policies, "context") == ("allow", None, [], "allow", "scored")


def test_a_folder_may_allow_what_was_not_read_whole(tmp_path: Path) -> None:
    assert verdict_of(a_set(tmp_path, settings=ALLOWING), "message") == ("allow", None, [], "allow", "scored")


def test_a_shadow_rule_that_matches_leaves_a_cut_message_flagged(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(mode="shadow"), a_rule("safety: below 0.01", name="live")))

    assert verdict_of(policies, "message", safety=0.1) == ("flag", "medium", ["truncated"], "flag", "scored")


def test_only_to_allow_it_changes_the_snapshot(tmp_path: Path) -> None:
    said, silent, allowing = (
        a_set(tmp_path / str(number), settings=settings).snapshot
        for number, settings in enumerate((SETTINGS, SILENT, ALLOWING))
    )

    assert said == silent != allowing


def test_policy_check_says_once_what_happens_where_settings_do_not(tmp_path: Path) -> None:
    silent, said = (
        CliRunner().invoke(app, ["check", "--strict", str(a_folder(tmp_path / name, settings=settings))])
        for name, settings in (("silent", SILENT), ("said", SETTINGS))
    )

    assert silent.stdout.count("note: settings.yaml does not say if_truncated") == 1
    assert "note" not in said.stdout
    assert (silent.exit_code, said.exit_code) == (0, 0)


def test_the_reason_is_the_engines(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, settings=SETTINGS.replace("[unsafe_content,", "[truncated, unsafe_content,"))

    assert "P017" in {problem.code for problem in problems_of(folder)}
