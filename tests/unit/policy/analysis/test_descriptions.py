from pathlib import Path

import pytest

from moderator.policy.analysis.descriptions import date_in_words, describe_rule
from tests.unit.policy.folders import CHAT_SAFETY, EXEMPTIONS, SIGNALS, a_policy, a_rule, a_set

POINTS = SIGNALS.replace("low: 0, high: 4}", "low: 0, high: 4, unit: points}")


def words_of(folder: Path, rule: str, *, signals: str = POINTS) -> str:
    """Give how a rule is described, from `when` on."""
    policies = a_set(folder, a_policy(rule), signals=signals)
    return describe_rule(policies.rules[0]).partition("when ")[2].partition("; flag it")[0]


def test_the_languages_own_example_is_read_as_its_specification_reads_it(tmp_path: Path) -> None:
    policies = a_set(tmp_path, CHAT_SAFETY, signals=POINTS, exemptions=EXEMPTIONS)

    unsafe, useless, stricter = (describe_rule(rule, policies.exemptions) for rule in policies.rules)

    assert useless.startswith(
        "useless-and-doubtful, live for 25% of users, from 1 October 2026 until 1 January 2027, in channels general or "
        "help, in English: when safety is below 0.55 and either usefulness is below 1.0 points or honesty is in the "
        "lowest 2%, unless correctness is at least 3.0 points; except moderators and staff, and except tenant acme in "
        "channel help; flag it, medium, low quality."
    )
    assert useless.endswith(
        "Judges assistant replies; where a score is missing it does not flag; labelled quality-pilot; meant to flag at "
        "most 1.5% of events."
    )
    assert unsafe.endswith("red-team-room exempts tenant acme in channel red-team until 15 December 2026.")
    assert stricter.startswith("stricter-safety, watched only: when safety is below 0.40; flag it, high")


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
        ("{locale: [de, de-*]}", "in German"),
        ("{locale: [de-AT]}", "in locale de-at"),
        ("{tenant: acme*}", "of tenant acme*"),
        ("{role: [guest, member]}", "by roles guest or member"),
        ("{metadata.surface: web}", "with surface web"),
        (r'{tenant: "ac\nme"}', r"of tenant ac\nme"),
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
