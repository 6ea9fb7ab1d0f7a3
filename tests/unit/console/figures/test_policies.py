"""What the page Policies says of the folder and of each rule."""

from pathlib import Path
from typing import Any

import pytest

from moderator.console.console import Console
from moderator.console.figures.policies import RuleHits, folder_figures, rule_figures, rule_hits, status_record
from moderator.console.policies.replicas import ReplicaWord
from moderator.settings import PoliciesSettings, Settings
from tests.builders import POLICY_FILES, some_policies, write_files
from tests.unit.console.decisions import NOW_MS, a_console, a_decision

TEST = """
tests_for: safety
tests:
  - test: unsafe is flagged
    given: {event: {speaker: user}, scores: {safety: 0.1}}
    expect: {verdict: VERDICT, rules: {unsafe: matched}}
"""


def _console(folder: Path, *decisions: dict[str, Any], **files: str) -> Console:
    write_files(folder, POLICY_FILES | {name.replace("__", "."): text for name, text in files.items()})
    return a_console(*decisions, settings=Settings(policies=PoliciesSettings(path=folder)))


def _by(snapshot: str, number: int = 59, **parts: Any) -> dict[str, Any]:
    return a_decision(number, policy={"snapshot": snapshot, "format": 1, "calibration": None}, **parts)


def _state(console: Console) -> str:
    figures = folder_figures(console)
    assert figures is not None
    return figures.state


def test_policies_that_just_decided_are_in_force(tmp_path: Path) -> None:
    snapshot = some_policies(tmp_path).snapshot

    assert _state(_console(tmp_path, _by(snapshot))) == "in force"


def test_policies_that_decide_nothing_yet_are_not_yet_in_force(tmp_path: Path) -> None:
    assert _state(_console(tmp_path, _by("sha256:" + "00" * 32))) == "not yet in force"


def test_without_traffic_and_replicas_nobody_can_tell(tmp_path: Path) -> None:
    old = a_decision(decided_at="2026-11-30T11:58:00Z")

    assert _state(_console(tmp_path, old)) == "cannot tell"


def test_a_folder_that_is_missing_is_unreadable(tmp_path: Path) -> None:
    console = a_console(settings=Settings(policies=PoliciesSettings(path=tmp_path / "nothing")))

    figures = folder_figures(console)

    assert figures is not None
    assert figures.state == "unreadable"
    assert "cannot read the policy folder" in figures.problems[0]["message"]


def test_an_error_refuses_the_folder_and_has_its_place(tmp_path: Path) -> None:
    console = _console(tmp_path, safety__yaml=POLICY_FILES["safety.yaml"].replace("below 0.30", "blow 0.30"))

    figures = folder_figures(console)

    assert figures is not None
    assert figures.state == "refused"
    assert [(each["file"], each["line"], each["code"]) for each in figures.problems] == [("safety.yaml", 9, "P030")]


def test_a_failing_test_refuses_the_folder_and_its_rules_are_shown_all_the_same(tmp_path: Path) -> None:
    console = _console(tmp_path, safety__test__yaml=TEST.replace("VERDICT", "allow"))

    figures = folder_figures(console)

    assert figures is not None
    assert figures.state == "refused"
    assert figures.problems[0]["code"] is None
    assert [(each.rule.id, each.passed, each.failed) for each in rule_figures(console)] == [
        ("safety/unsafe", 0, 1),
        ("safety/doubtful", 0, 0),
    ]


def test_a_rule_without_an_objective_of_the_model_refuses_the_folder(tmp_path: Path) -> None:
    scores = {"signals": {}, "objectives": {"other": 0.5}, "overall": None}

    console = _console(tmp_path, a_decision(scores=scores, model={"name": "x", "fingerprint": "y", "dtype": "z"}))

    figures = folder_figures(console)
    assert figures is not None
    assert [each["code"] for each in figures.problems] == ["P060", "P060"]


def _word(folder: str, snapshot: str, problems: list[Any] | None = None) -> ReplicaWord:
    policies: Any = {"snapshot": snapshot, "since": None, "folder": folder, "ignored": [], "problems": problems or []}
    return ReplicaWord("http://replica:8080", NOW_MS, policies)


@pytest.mark.parametrize(
    ("folder", "is_ours", "state"),
    [
        ("in force", True, "in force"),
        ("in force", False, "not yet in force"),
        ("pending", False, "not yet in force"),
        ("refused", False, "refused"),
    ],
)
def test_a_replica_knows_better_than_traffic(tmp_path: Path, folder: str, is_ours: bool, state: str) -> None:  # noqa: FBT001
    snapshot = some_policies(tmp_path).snapshot
    console = _console(tmp_path)
    console.replicas.words = [_word(folder, snapshot if is_ours else "sha256:00")]

    assert _state(console) == state


def test_what_a_replica_says_is_given_to_programs_as_it_is(tmp_path: Path) -> None:
    console = _console(tmp_path)
    own = status_record(console)
    word = _word("refused", "sha256:00", [{"code": "P060", "message": "m"}])

    console.replicas.words = [word]

    assert status_record(console) == word.policies
    assert own is not None
    assert own.keys() == {"snapshot", "source", "since", "folder", "stale_s", "ignored", "problems"}


def test_a_rule_is_measured_by_what_it_alone_does() -> None:
    def decided(number: int, verdict: str, *rules: tuple[str, str]) -> dict[str, Any]:
        results = [
            {**a_decision(flag=True)["rules"][0], "rule": rule, "mode": mode, "counted": mode == "live"}
            for rule, mode in rules
        ]
        return a_decision(number, verdict=verdict, rules=results)

    a, b, s, t = ("p/a", "live"), ("p/b", "live"), ("p/s", "shadow"), ("p/t", "shadow")
    console = a_console(
        decided(1, "flag", a),
        decided(2, "flag", a, b),
        decided(3, "flag", a, s),
        decided(4, "allow", s),
        decided(5, "allow", s, t),
        decided(6, "allow"),
    )

    assert rule_hits(console.recent.decisions) == {
        "p/a": RuleHits(3, 0, 2, {"p/b": 1, "p/s": 1}),
        "p/b": RuleHits(1, 0, 0, {"p/a": 1}),
        "p/s": RuleHits(0, 3, 1, {"p/a": 1, "p/t": 1}),
        "p/t": RuleHits(0, 1, 0, {"p/s": 1}),
    }
