"""Coverage, mutation and suggestions: what the tests of a folder show, and what they would not notice."""

from pathlib import Path
from typing import Any

import pytest

from moderator.policy import PolicySet, load_policies
from moderator.policy.analysis.untimed import untimed_tests
from moderator.policy.authoring.test_tools.coverage import cover
from moderator.policy.authoring.test_tools.mutants import mutants_of
from moderator.policy.authoring.test_tools.mutate import mutate
from moderator.policy.authoring.test_tools.suggest import Suggestions, suggest
from moderator.policy.test_runner import closed_gaps, run_tests, untested_rules
from tests.unit.policy.folders import CHAT_SAFETY, EXEMPTIONS, SETTINGS, SIGNALS, a_folder, a_policy, a_rule, a_set

EVENT = "{speaker: assistant, tenant: acme, channel: general}"
MATCHED = "{verdict: flag, rules: {unsafe-reply: matched}}"
NOT_MATCHED = "{verdict: allow, rules: {unsafe-reply: not matched}}"


def a_test(name: str, safety: float | str, expect: str, more: str = "") -> str:
    scores = f"scores: {{safety: {safety}, helpfulness: 2}}\n      other_scores: missing"
    given = f"    given:\n      event: {EVENT}\n      {scores}\n"
    return f"  - test: {name}\n{more}{given}    expect: {expect}\n"


def a_tested_set(folder: Path, *tests: str, policy: str | None = None) -> PolicySet:
    text = f"tests_for: chat-safety\ntests:\n{''.join(tests)}" if tests else None
    return load_policies(a_folder(folder, policy or a_policy(), tests=[text] if text else []))


def changes_of(folder: Path, rule: str) -> list[str]:
    return [mutant.change for mutant in mutants_of(a_tested_set(folder, policy=a_policy(rule)).rules[0])]


def test_coverage_counts_what_passing_tests_say_of_a_rule(tmp_path: Path) -> None:
    policies = a_tested_set(
        tmp_path,
        a_test("below", 0.1, MATCHED),
        a_test("at", 0.3, NOT_MATCHED),
        a_test("no score", "missing", "{verdict: flag, rules: {unsafe-reply: unknown}}"),
        a_test("says nothing of the rule", 0.1, "{verdict: flag}"),
        a_test("fails", 0.1, NOT_MATCHED),
    )

    (one,) = cover(policies, run_tests(policies))

    assert dict(one.outcomes) == {"matched": 1, "not matched": 1, "unknown": 1}
    assert [(seen.held, seen.missed, seen.unknown) for seen in one.conditions] == [(1, 1, 1)]
    assert one.is_whole


def test_coverage_is_not_whole_while_a_comparison_went_one_way_or_an_exception_spared_nobody(tmp_path: Path) -> None:
    rule = a_rule("all: [{safety: below 0.3}, {helpfulness: below 3}]", more="except: [{role: staff}]")
    event = EVENT.replace("}", ", role: member}")
    scores = "{safety: %s, helpfulness: 1, correctness: 1, honesty: 0.5}"
    text = "".join(
        f"  - test: {name}\n    given: {{event: {event}, scores: {scores % safety}}}\n    expect: {expect}\n"
        for name, safety, expect in (("below", 0.1, MATCHED), ("at", 0.3, NOT_MATCHED))
    )
    policies = a_tested_set(tmp_path, text, policy=a_policy(rule))

    (one,) = cover(policies, run_tests(policies))

    assert [seen.is_whole for seen in one.conditions] == [True, False]
    assert (one.unused_exceptions, one.is_whole) == ((1,), False)


def test_a_known_gap_neither_fails_nor_shows_anything(tmp_path: Path) -> None:
    gap = a_test("sarcasm is understood", 0.9, MATCHED, more="    known_gap: true\n")
    policies = a_tested_set(tmp_path, a_test("at", 0.3, NOT_MATCHED), gap)

    results = run_tests(policies)

    assert [(result.fails, bool(result.mismatches)) for result in results] == [(False, False), (False, True)]
    assert [problem.code for problem in untested_rules(policies)] == ["P074"]
    assert closed_gaps(results) == []


def test_a_known_gap_that_passes_is_told(tmp_path: Path) -> None:
    policies = a_tested_set(tmp_path, a_test("at", 0.3, NOT_MATCHED, more="    known_gap: true\n"))

    assert [problem.code for problem in closed_gaps(run_tests(policies))] == ["P076"]


def test_a_test_without_a_time_is_told_only_where_time_matters(tmp_path: Path) -> None:
    test = a_test("at", 0.3, NOT_MATCHED)
    timeless = a_tested_set(tmp_path / "a", test)
    scheduled = a_tested_set(tmp_path / "b", test, policy=a_policy(a_rule(more="starts: 2026-10-01")))

    assert untimed_tests(timeless) == []
    assert [problem.code for problem in untimed_tests(scheduled)] == ["P071"]


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        (
            a_rule("safety: below 0.30"),
            ["below 0.30 -> at most 0.30", "below 0.30 -> below 0.29", "below 0.30 -> below 0.31"],
        ),
        (a_rule("helpfulness: at least 4"), ["at least 4 -> above 4", "at least 4 -> at least 3.96"]),
        (
            a_rule("honesty: in the lowest 2%"),
            ["in the lowest 2% -> in the lowest 1%", "in the lowest 2% -> in the lowest 3%"],
        ),
        (a_rule("honesty: in the highest 0.1%"), ["in the highest 0.1% -> in the highest 0.2%"]),
        (a_rule("safety: missing"), []),
    ],
)
def test_limits_are_nudged_and_words_swapped_within_the_scale(tmp_path: Path, rule: str, changes: list[str]) -> None:
    assert [change.partition(" ")[2] for change in changes_of(tmp_path, rule)] == changes


def test_groups_are_swapped_and_exceptions_dropped(tmp_path: Path) -> None:
    rule = a_rule(
        "any: [{safety: missing}, {honesty: missing}]",
        more="unless: {honesty: missing}\nexcept: [{role: staff}]\napplies_to: {tenant: acme}\nstarts: 2026-10-01",
    )

    assert changes_of(tmp_path, rule) == [
        "any -> all",
        "without unless",
        "without item 1 of except",
        "without applies_to tenant",
        "without starts",
    ]


def test_a_slip_that_no_test_notices_is_named(tmp_path: Path) -> None:
    loose = a_tested_set(tmp_path / "a", a_test("low", 0.1, MATCHED), a_test("high", 0.9, NOT_MATCHED))
    tight = a_tested_set(tmp_path / "b", a_test("under", 0.29, MATCHED), a_test("at", 0.3, NOT_MATCHED))

    assert len(mutate(loose).unnoticed) == 3
    assert (mutate(tight).tried, mutate(tight).unnoticed) == (3, ())


def test_a_change_that_flags_the_same_is_no_slip(tmp_path: Path) -> None:
    rule = a_rule("any: [{safety: below 0.30}, {all: [{safety: below 0.30}, {helpfulness: below 3}]}]")
    policies = a_tested_set(tmp_path, a_test("under", 0.29, MATCHED), policy=a_policy(rule))

    named = [mutant.change for mutant in mutate(policies).unnoticed]

    assert any(change.startswith("safety") for change in named)
    assert not any(change.startswith("helpfulness") for change in named)


def test_what_is_suggested_passes_and_notices_every_slip_at_a_limit(tmp_path: Path) -> None:
    bare = a_set(tmp_path / "bare", CHAT_SAFETY, exemptions=EXEMPTIONS)
    text = "".join(suggestion.text for suggestion in suggest(bare).tests)
    folder = a_folder(
        tmp_path / "whole", CHAT_SAFETY, exemptions=EXEMPTIONS, tests=[f"tests_for: chat-safety\ntests:\n{text}"]
    )
    policies = load_policies(folder)

    results = run_tests(policies)
    named = [mutant.change for mutant in mutate(policies).unnoticed]

    assert len(results) == 18
    assert not any(result.mismatches for result in results)
    assert untimed_tests(policies) + untested_rules(policies) == []
    assert not [change for change in named if "->" in change and "all" not in change.split()]
    assert suggest(policies) == Suggestions((), ())


def test_nothing_is_suggested_where_there_is_no_limit(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule("safety: missing")))

    assert suggest(policies) == Suggestions((), ())


@pytest.mark.parametrize(
    "when", ["all: [{safety: below 0.3}, {honesty: missing}]", "helpfulness: in the lowest 2%"], ids=["alone", "scale"]
)
def test_a_limit_for_which_no_test_can_be_made_is_named(tmp_path: Path, when: str) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(when)))

    suggested = suggest(policies)

    (rule,) = policies.rules
    assert suggested == Suggestions((), ((rule, rule.conditions[0]),))


def test_a_limit_beside_a_percentage_has_its_tests_and_so_has_a_percentage_on_any_scale(tmp_path: Path) -> None:
    when = "all: [{safety: below 0.3}, {honesty: in the lowest 2%}, {helpfulness: in the lowest 30%}]"
    policies = a_set(tmp_path, a_policy(a_rule(when)))

    suggested = suggest(policies)

    assert suggested.untestable == ()
    assert [suggestion.name.partition(" with ")[2] for suggestion in suggested.tests] == [
        f"{signal} {place} {limit}"
        for signal, limit in (("safety", "0.3"), ("honesty", "2%"), ("helpfulness", "30%"))
        for place in ("just under", "at", "just over")
    ]


def test_a_limit_that_stands_twice_has_its_tests_twice(tmp_path: Path) -> None:
    half = "{safety: below 0.5}"
    twice = f"any: [{{all: [{half}, {{helpfulness: below 1}}]}}, {{all: [{half}, {{correctness: below 1}}]}}]"
    policies = a_set(tmp_path, a_policy(a_rule(twice)))

    names = [suggestion.name for suggestion in suggest(policies).tests]

    assert (len(names), len(set(names))) == (12, 12)
    assert "unsafe-reply with safety at 0.5 (2)" in names


def test_a_value_that_yaml_would_read_otherwise_is_suggested_in_quotes(tmp_path: Path) -> None:
    rule = a_rule(more='applies_to: {tenant: "0123", channel: "true", role: "a: b", locale: "Ünï"}')
    policies = a_set(tmp_path, a_policy(rule))

    (first, *_) = suggest(policies).tests

    assert 'tenant: "0123", channel: "true", role: "a: b", locale: "ünï"' in first.text


@pytest.mark.parametrize(
    ("when", "places"),
    [
        ("safety: below 0.005", ["just under", "at", "just over"]),
        ("safety: at most 0.995", ["just under", "at", "just over"]),
        ("helpfulness: below 0.03", ["just under", "at", "just over"]),
        ("safety: at least 1", ["just under", "at"]),
    ],
)
def test_a_limit_near_an_end_of_its_scale_has_its_tests_within_it(tmp_path: Path, when: str, places: list[str]) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule(when)))

    suggested = suggest(load_policies(folder))

    assert suggested.untestable == ()
    assert [one.name.partition(" with ")[2].rsplit(" ", 1)[0].split(" ", 1)[1] for one in suggested.tests] == places
    text = "".join(one.text for one in suggested.tests)
    tested = a_folder(tmp_path, a_policy(a_rule(when)), tests=[f"tests_for: chat-safety\ntests:\n{text}"])
    assert not any(result.mismatches for result in run_tests(load_policies(tested)))


def test_a_number_is_suggested_once_where_the_event_has_it_too(tmp_path: Path) -> None:
    signals = f"""{SIGNALS}
  strikes: {{about: Strikes, from_event: metadata.surface, scale: {{low: 0}}, good: none}}
  names:   {{about: Names, from_text: {{words: [idiot], of: user}}}}
"""
    settings = f"{SETTINGS}if_fact_missing: allow\n".replace("surface: sometimes", "surface: always")
    rule = a_rule("safety: below 0.30", more="rollout: 50% of users")
    files: dict[str, Any] = {"signals": signals, "settings": settings}

    suggested = suggest(a_set(tmp_path / "bare", a_policy(rule), **files))

    text = "".join(one.text for one in suggested.tests)
    tests = [f"tests_for: chat-safety\ntests:\n{text}"]
    tested = a_set(tmp_path / "tested", a_policy(rule), tests=tests, **files)
    assert len(tested.tests) == len(suggested.tests) == 3
    assert ("strikes" in text, "names" in text) == (False, False)


def test_names_that_yaml_would_read_otherwise_are_suggested_in_quotes(tmp_path: Path) -> None:
    signals = SIGNALS.replace("safety:  ", '"null":')
    policy = a_policy(a_rule('"null": below 0.30', name='"1"'), name='"2026"')
    folder = a_folder(tmp_path, policy, signals=signals)

    (suggested, *_) = suggest(load_policies(folder)).tests

    tested = a_folder(tmp_path, policy, signals=signals, tests=[f'tests_for: "2026"\ntests:\n{suggested.text}'])
    assert [result.mismatches for result in run_tests(load_policies(tested))] == [()]


def test_the_example_of_a_test_to_add_puts_such_a_name_in_quotes(tmp_path: Path) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(name='"1"')))

    hints = [problem.hint for problem in untested_rules(policies)]

    assert 'add one with rules: {"1": matched}' in hints
