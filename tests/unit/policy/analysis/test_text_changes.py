"""Lists that are edited: what is claimed of verdicts, and that no event contradicts it."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from moderator.events import Turn
from moderator.policy import PolicySet, load_policies
from moderator.policy.analysis.diff import Claim, diff
from moderator.policy.analysis.diff_text import change_lines
from moderator.policy.authoring.counterexamples import counterexamples
from tests.unit.policy.folders import OBJECTIVES, SETTINGS, SIGNALS, a_folder, a_policy, a_rule, an_event

MORE: Claim = "can only flag more"
LESS: Claim = "can only flag less"
SAME: Claim = "flags the same"
WORDS = "  scam-words: {about: Scam wording, from_text: {words: lists/scam.txt}}\n"
AT_LEAST = a_rule("scam-words: at least 1")
UNLESS = a_rule("safety: below 0.9", more="unless: {scam-words: at least 1}")
BETWEEN = a_rule("all: [{scam-words: at least 1}, {scam-words: at most 1}]")
MISSING = a_rule("any: [{safety: below 0.3}, {scam-words: missing}]")
TEXTS = ["", "scam", "free", "scam free", "scam gift", "scam free gift"]


def a_set(folder: Path, entries: str, rule: str, signal: str = WORDS) -> PolicySet:
    a_folder(folder, a_policy(rule), settings=f"{SETTINGS}if_fact_missing: allow\n", signals=SIGNALS + signal)
    (folder / "lists").mkdir(exist_ok=True)
    (folder / "lists" / "scam.txt").write_text(entries)
    return load_policies(folder)


def verdicts(policies: PolicySet) -> Mapping[tuple[str, float], str]:
    """What is decided of every text and some safeties."""
    judge, signals = policies.bind(OBJECTIVES), policies.text_signals
    assert signals is not None
    return {
        (text, safety): judge.decide(
            signals.measure(an_event(conversation=(Turn("assistant", text),)))[0], [safety, 0.7, 0.6, 0.6], 0
        ).verdict
        for text, safety in product(TEXTS, [0.1, 0.95])
    }


@pytest.mark.parametrize(
    ("rule", "old", "new", "claim"),
    [
        (AT_LEAST, "scam\n", "scam\nfree\n", MORE),
        (AT_LEAST, "scam\nfree\n", "scam\n", LESS),
        (AT_LEAST, "scam\n", "free\n", None),
        (AT_LEAST, "scam\n", "# ours\nSCAM\n", SAME),
        (AT_LEAST, "scam\n", "\uff33CAM\nfree\n", MORE),
        (UNLESS, "scam\n", "scam\nfree\n", LESS),
        (UNLESS, "scam\nfree\n", "scam\n", MORE),
        (BETWEEN, "scam\n", "scam\nfree\n", None),
        (a_rule("scam-words: below 1"), "scam\n", "scam\nfree\n", LESS),
        (MISSING, "scam\n", "scam\nfree\n", None),
    ],
)
def test_an_edited_list_is_claimed_through_rules_as_a_limit_is(
    tmp_path: Path, rule: str, old: str, new: str, claim: Claim | None
) -> None:
    before, after = a_set(tmp_path / "old", old, rule), a_set(tmp_path / "new", new, rule)

    found = diff(before, after)

    assert found.claim == claim
    was, now = verdicts(before), verdicts(after)
    gained = [case for case in was if (was[case], now[case]) == ("allow", "flag")]
    lost = [case for case in was if (was[case], now[case]) == ("flag", "allow")]
    assert not (gained and claim in {LESS, SAME})
    assert not (lost and claim in {MORE, SAME})


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("scam\n", "scam\na\nb\nc\n", "lists/scam.txt: 3 entries added: scam-words can be higher"),
        ("scam\nfree\n", "scam\n", "lists/scam.txt: 1 entry removed: scam-words can be lower"),
        ("scam\n", "a\nb\nc\n", "lists/scam.txt: 3 entries added, 1 removed: scam-words can be higher or lower"),
    ],
)
def test_a_list_is_reported_by_its_entries(tmp_path: Path, old: str, new: str, line: str) -> None:
    found = diff(a_set(tmp_path / "old", old, AT_LEAST), a_set(tmp_path / "new", new, AT_LEAST))

    lines = [line for change in found.changes for line in change_lines(change)]
    assert lines[0] == line
    assert lines[1].startswith("chat-safety/unsafe-reply: changed by a signal, a list, a calibration or an exemption")


def test_a_signal_that_reads_the_text_otherwise_proves_nothing(tmp_path: Path) -> None:
    part = WORDS.replace("lists/scam.txt", "lists/scam.txt, match: part")

    found = diff(a_set(tmp_path / "old", "scam\n", AT_LEAST), a_set(tmp_path / "new", "scam\n", AT_LEAST, part))

    assert found.claim is None
    assert found.changes[0].lines == ("match word -> part",)


def test_of_a_list_edited_both_ways_an_event_is_shown_for_each_side(tmp_path: Path) -> None:
    before, after = a_set(tmp_path / "old", "scam\n", AT_LEAST), a_set(tmp_path / "new", "free\n", AT_LEAST)
    versions = next(change.versions for change in diff(before, after).changes if change.versions)

    search = counterexamples(*versions)

    assert [(each.flagged_by, dict(each.signals)) for each in search.found] == [
        ("A", {"scam-words": 1.0}),
        ("B", {"scam-words": 1.0}),
    ]


def test_numbers_that_a_text_cannot_have_are_not_tried(tmp_path: Path) -> None:
    before, after = a_set(tmp_path / "old", "scam\n", BETWEEN), a_set(tmp_path / "new", "scam\nfree\n", BETWEEN)
    versions = next(change.versions for change in diff(before, after).changes if change.versions)

    search = counterexamples(*versions)

    assert [(each.flagged_by, dict(each.signals)) for each in search.found] == [
        ("A", {"scam-words": 1.0}),
        ("B", {"scam-words": 1.0}),
    ]
