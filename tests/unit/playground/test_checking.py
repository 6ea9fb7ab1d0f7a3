from pathlib import Path

from moderator.playground.checking import check
from moderator.playground.edits import edited, shown_text
from moderator.policy.files.folder import Unreadable, read_files
from moderator.policy.loader import check_folder

FOLDER = Path("policies")
FILES = read_files(FOLDER)
POLICY = "message-safety.yaml"


def test_a_good_folder_is_ok_with_its_snapshot_and_tests() -> None:
    record = check(FILES, FOLDER, 0).record

    policies, _ = check_folder(FOLDER, now_ms=0)
    assert policies is not None
    assert (record["ok"], record["snapshot"], record["problems"]) == (True, policies.snapshot, [])
    assert {test["state"] for test in record["tests"]} == {"passed"}  # type: ignore[attr-defined]


def changed(was: str, now: str) -> dict[str, bytes | Unreadable]:
    return edited(FILES, {POLICY: (FOLDER / POLICY).read_text().replace(was, now)})


def test_an_error_has_the_code_place_and_hint_of_policy_check() -> None:
    files = changed("below 0.30", "under 0.30")

    checked = check(files, FOLDER, 0)

    _, problems = check_folder(files, FOLDER, 0)
    assert list(checked.problems) == problems
    first = checked.record["problems"][0]  # type: ignore[index]
    assert (first["code"], first["severity"], first["file"]) == ("P030", "error", POLICY)
    text = shown_text(files[POLICY]) or ""
    assert text.splitlines()[first["line"] - 1][first["column"] - 1 :][: first["width"]] == "under 0.30"
    assert (checked.record["ok"], checked.record["snapshot"], checked.record["tests"]) == (False, None, [])


def test_a_failing_test_says_what_differs() -> None:
    tests = check(changed("mode: live", "mode: shadow"), FOLDER, 0).record["tests"]

    failed = [test for test in tests if test["state"] == "failed"]  # type: ignore[attr-defined]
    assert failed
    assert failed[0]["mismatches"][0].keys() == {"what", "expected", "got", "why"}
    assert failed[0]["file"] == "message-safety.test.yaml"
