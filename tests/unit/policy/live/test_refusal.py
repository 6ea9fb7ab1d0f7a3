"""Why a folder is refused, with the policy in which it lies and its owner."""

import pickle
from pathlib import Path

import pytest

from moderator.errors import PolicyError
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import read_folder
from moderator.policy.live.refusal import Refusal, refusal_of
from moderator.policy.problems import PolicyProblemsError
from tests.builders import FAILING, POLICY_FILES, write_files


def refused(folder: Path, **files: str) -> Refusal:
    write_files(folder, POLICY_FILES | {name.replace("__", "."): text for name, text in files.items()})
    state = read_folder(folder)
    with pytest.raises(PolicyError) as caught:
        Admission().admit(state)
    return refusal_of(state, caught.value)


def test_a_failing_test_names_itself_its_file_and_the_policys_owner(tmp_path: Path) -> None:
    refusal = refused(tmp_path, safety__test__yaml=FAILING)

    (problem,) = refusal.problems
    assert (problem.code, problem.file, problem.line, problem.column) == (None, "safety.test.yaml", 3, 11)
    assert problem.message == 'the test "everything is flagged" fails'
    assert (problem.policy, problem.owner) == ("safety", "trust-safety@example.com")
    assert "owner: trust-safety@example.com; anyone may mark the test known_gap: true instead" in refusal.error
    assert (refusal.policies, refusal.owners) == (("safety",), ("trust-safety@example.com",))


@pytest.mark.parametrize(
    ("head", "policy", "owner"),
    [
        ("policy: spam\nowner: spam@example.com\nrules: [", "spam", "spam@example.com"),
        ("policy: \"spam\"   # ours\nowner: 'spam team'\nnothing: 1\n", "spam", "spam team"),
        ("policy: spam\r\nowner: spam@example.com # ours\r\nnothing: 1\r\n", "spam", "spam@example.com"),
        ("rules: []\n", "other", None),
        ("policy:\nowner:\n", "other", None),
    ],
)
def test_the_owner_of_a_policy_that_cannot_be_read_is_still_found(
    tmp_path: Path, head: str, policy: str, owner: str | None
) -> None:
    refusal = refused(tmp_path, other__yaml=head)

    assert {(problem.policy, problem.owner) for problem in refusal.problems} == {(policy, owner)}


def test_what_lies_in_no_policy_has_no_owner(tmp_path: Path) -> None:
    refusal = refused(tmp_path, settings__yaml=POLICY_FILES["settings.yaml"] + "nothing: 1\n")

    assert [(problem.code, problem.policy, problem.owner) for problem in refusal.problems] == [("P011", None, None)]
    assert refusal.policies == ()


def test_a_folder_that_cannot_be_listed_is_one_problem_without_a_place(tmp_path: Path) -> None:
    state = read_folder(tmp_path / "nowhere")
    assert isinstance(state.files, PolicyError)

    (problem,) = refusal_of(state, state.files).problems

    assert problem.record == {
        "code": None,
        "severity": "error",
        "file": None,
        "line": None,
        "column": None,
        "message": f"cannot read the policy folder `{tmp_path / 'nowhere'}`: no such file or directory; "
        "name the folder that holds settings.yaml, or mount it there",
        "hint": "",
        "policy": None,
        "owner": None,
    }


def test_the_error_survives_being_sent_to_another_process(tmp_path: Path) -> None:
    write_files(tmp_path, POLICY_FILES | {"other.yaml": "policy: ["})
    with pytest.raises(PolicyProblemsError) as caught:
        Admission().admit(read_folder(tmp_path))

    received = pickle.loads(pickle.dumps(caught.value))

    assert (str(received), received.problems) == (str(caught.value), caught.value.problems)
