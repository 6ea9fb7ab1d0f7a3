from pathlib import Path

from moderator.playground.checking import check
from moderator.playground.edits import edited
from moderator.policy.files.folder import read_files
from moderator.policy.loader import check_folder

FOLDER = Path("policies")
FILES = read_files(FOLDER)


def test_a_good_folder_is_ok_with_its_snapshot_and_tests() -> None:
    record = check(FILES, FOLDER, 0).record

    policies, _ = check_folder(FOLDER, now_ms=0)
    assert policies is not None
    assert (record["ok"], record["snapshot"], record["problems"]) == (True, policies.snapshot, [])
    assert {test["state"] for test in record["tests"]} == {"passed"}  # type: ignore[attr-defined]


def test_an_error_has_the_code_place_and_hint_of_policy_check() -> None:
    files = edited(
        FILES, {"message-safety.yaml": FILES["message-safety.yaml"].decode().replace("below 0.30", "under 0.30")}
    )  # type: ignore[union-attr]

    checked = check(files, FOLDER, 0)

    _, problems = check_folder(files, FOLDER, 0)
    assert list(checked.problems) == problems
    first = checked.record["problems"][0]  # type: ignore[index]
    line = files["message-safety.yaml"].decode().splitlines()[first["line"] - 1]  # type: ignore[union-attr]
    assert (first["code"], first["severity"], first["file"]) == ("P030", "error", "message-safety.yaml")
    assert line[first["column"] - 1 :][: first["width"]] == "under 0.30"
    assert (checked.record["ok"], checked.record["snapshot"], checked.record["tests"]) == (False, None, [])


def test_a_failing_test_says_what_differs() -> None:
    files = edited(
        FILES, {"message-safety.yaml": FILES["message-safety.yaml"].decode().replace("mode: live", "mode: shadow")}
    )  # type: ignore[union-attr]

    tests = check(files, FOLDER, 0).record["tests"]

    failed = [test for test in tests if test["state"] == "failed"]  # type: ignore[attr-defined]
    assert failed
    assert {"what", "expected", "got", "why"} == failed[0]["mismatches"][0].keys()
    assert failed[0]["file"] == "message-safety.test.yaml"
