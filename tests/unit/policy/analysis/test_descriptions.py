from pathlib import Path

import pytest

from moderator.policy.analysis.descriptions import date_in_words, describe_rule
from tests.unit.policy.community import a_community
from tests.unit.policy.folders import CHAT_SAFETY, EXEMPTIONS, SETTINGS, SIGNALS, a_policy, a_rule, a_set

POINTS = SIGNALS.replace("low: 0, high: 4}", "low: 0, high: 4, unit: points}")


def words_of(folder: Path, rule: str, *, signals: str = POINTS) -> str:
    """Give how a rule is described, from `when` on."""
    policies = a_set(folder, a_policy(rule), signals=signals)
    return describe_rule(policies.rules[0]).partition("when ")[2].partition("; flag it")[0]


def test_the_languages_own_example_is_read_as_its_specification_reads_it(tmp_path: Path) -> None:
    policies = a_set(tmp_path, CHAT_SAFETY, signals=POINTS, exemptions=EXEMPTIONS)

    unsafe, useless, stricter = (describe_rule(rule, policies.exemptions) for rule in policies.rules)

    assert useless.startswith(
        "useless-and-doubtful, live for 25% of users, from 1 October 2026 until 1 January 2027, for speaker "
        '"assistant", in channel "general" or "help", in locale "en" or locales that start with "en-": when safety is '
        "below 0.55 and either usefulness is below 1.0 points or honesty is in the lowest 2%, unless correctness is at "
        'least 3.0 points; except role "moderator" or "staff", and except tenant "acme" and channel "help"; flag it, '
        'medium, "low_quality".'
    )
    assert useless.endswith(
        'Where a score is missing it does not flag; labelled "quality-pilot"; meant to flag at most 1.5% of events.'
    )
    assert unsafe.endswith('red-team-room exempts tenant "acme" and channel "red-team" until 15 December 2026.')
    assert stricter.startswith(
        'stricter-safety, watched only, for speaker "assistant": when safety is below 0.40; flag'
    )


def test_the_second_parts_example_is_read_as_its_specification_reads_it(tmp_path: Path) -> None:
    policies = a_community(tmp_path)

    young, scam, announcements, reported = (describe_rule(rule) for rule in policies.rules)

    assert young.startswith(
        'young-account, live, for speaker "user": when account-age is below 24 hours; except role "moderator"; flag '
        'it, medium, "new_account", action "hold", queue "newcomers", tell the user "young-account". '
    )
    assert scam.startswith(
        'scam, live, for speaker "user": when scam-words is at least 1 and links is at least 1; flag it, high, "spam", '
        'action "remove", queue "spam". Where a fact is missing it does not flag.'
    )
    assert announcements == (
        'announcements-only, live, for speaker "user", in channel "announcements" or channels that start with "news-": '
        'whatever the message says; except role "moderator" or "staff"; flag it, low, "clutter", action "remove".'
    )
    assert reported == (
        'reported, live, for speaker "user": when reports is at least 1 reports; tag it "reported"; the verdict stays '
        "as it is. Where something is missing it does not tag."
    )


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("safety: missing", "safety is missing"),
        ("all: [{safety: below 0.3}]", "safety is below 0.3"),
        (
            "all: [{safety: below 0.3}, {honesty: missing}, {helpfulness: below 2}]",
            "safety is below 0.3 and honesty is missing and helpfulness is below 2 points",
        ),
        (
            "any: [{safety: below 0.3}, {all: [{honesty: missing}, {helpfulness: below 2}]}]",
            "either safety is below 0.3 or both honesty is missing and helpfulness is below 2 points",
        ),
        (
            "all: [{any: [{safety: below 0.3}, {honesty: missing}]}, {helpfulness: below 2}]",
            "either safety is below 0.3 or honesty is missing, and helpfulness is below 2 points",
        ),
        (
            "any: [{any: [{safety: below 0.3}, {honesty: missing}]}, {helpfulness: below 2}]",
            "either safety is below 0.3 or honesty is missing or helpfulness is below 2 points",
        ),
    ],
)
def test_what_belongs_together_can_be_heard(tmp_path: Path, when: str, words: str) -> None:
    assert words_of(tmp_path, a_rule(when)) == words


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("{locale: [de, de-*]}", 'in locale "de" or locales that start with "de-"'),
        ("{locale: [de-AT]}", 'in locale "de-at"'),
        ("{tenant: acme*}", 'of tenants that start with "acme"'),
        ('{tenant: "*"}', "of any tenant"),
        ("{role: [guest, member]}", 'by role "guest" or "member"'),
        ("{metadata.surface: web}", 'with metadata.surface "web"'),
        ("{metadata.surface: w*}", 'with values of metadata.surface that start with "w"'),
        (r'{tenant: "ac\nme"}', r'of tenant "ac\nme"'),
        ("""{tenant: 'ac"me'}""", r'of tenant "ac\"me"'),
    ],
)
def test_a_scope_is_read_with_the_head(tmp_path: Path, scope: str, words: str) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(more=f"applies_to: {scope}")))

    assert f", {words}: when" in describe_rule(policies.rules[0])


def test_times_are_reported_only_where_they_are_not_midnight() -> None:
    midnight_ms = 1_790_812_800_000

    assert date_in_words(midnight_ms) == "1 October 2026"
    assert date_in_words(midnight_ms + 9 * 3_600_000) == "1 October 2026, 09:00 UTC"
    assert date_in_words(midnight_ms + 1_500) == "1 October 2026, 00:00:01.500 UTC"


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("live", "unsafe-reply, live for 10% of users: when"),
        ("shadow", "unsafe-reply, watched only: when"),
        ("off", "unsafe-reply, off: when"),
    ],
)
def test_a_rollout_is_named_of_live_rules_alone_as_others_regard_none(tmp_path: Path, mode: str, words: str) -> None:
    policies = a_set(tmp_path, a_policy(a_rule(mode=mode, more="rollout: 10% of users"), a_rule(name="live")))

    assert describe_rule(policies.rules[0]).startswith(words)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("any: [{age: missing}, {age: below 5}]", ""),
        ("age: missing", ""),
        ("slurs: at least 1", ""),
        ("age: below 5", "Where a fact is missing it does not {}."),
        ("names: at least 1", "Where a fact is missing it does not {}."),
        ("all: [{age: missing}, {names: at least 1}]", "Where a fact is missing it does not {}."),
    ],
)
def test_what_a_missing_number_does_is_said_where_the_rule_compares_it_and_it_can_be_missing(
    tmp_path: Path, when: str, words: str
) -> None:
    signals = f"""{SIGNALS}
  age:   {{about: Age, from_event: metadata.age, scale: {{low: 0}}, good: none}}
  slurs: {{about: Slurs, from_text: {{words: [idiot, fool]}}}}
  names: {{about: Names, from_text: {{words: [idiot], of: metadata.name}}}}
"""
    settings = f"{SETTINGS}if_fact_missing: allow\n"
    tags = a_rule(when, name="tags").replace("flag: {severity: high, reason: unsafe_content}", "tag: [label]")
    policies = a_set(tmp_path, a_policy(a_rule(when), tags), signals=signals, settings=settings)

    flags, tagging = (describe_rule(rule) for rule in policies.rules)

    assert flags.partition('"unsafe_content". ')[2] == words.format("flag")
    assert tagging.partition("as it is. ")[2] == words.format("tag").replace("a fact", "something")
