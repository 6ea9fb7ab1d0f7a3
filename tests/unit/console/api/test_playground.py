"""The playground's answers for programs, on a real folder and decisions that its policies made."""

import json
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from moderator.cli.app import app
from moderator.console.trials.text import NotScoredError, ScorerAwayError
from moderator.policy import load_policies
from moderator.settings import PoliciesSettings, Settings
from tests.unit.backtest.decisions import USUAL, recorded, some_recorded
from tests.unit.console.decisions import a_browser, a_console
from tests.unit.policy.folders import POLICY, a_folder, a_policy, a_rule

EVENT = {"speaker": "assistant", "tenant": "acme", "channel": "general"}
SCORES = {"safety": 0.4, "helpfulness": 3.0, "correctness": 2.5, "honesty": 0.6}


class Replica:
    """A scorer that gives one answer, and what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def score(self, event: Any) -> Any:
        self.asked.append(event)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "policies", a_policy(a_rule("safety: below 0.30")))


@pytest.fixture
def client(folder: Path) -> TestClient:
    return a_client(folder)


@pytest.fixture(scope="module")
def lasting_client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """One for all tests that neither look at the folder nor change it."""
    return a_client(a_folder(tmp_path_factory.mktemp("policies"), a_policy(a_rule("safety: below 0.30"))))


def a_client(folder: Path, scorer: Any = None) -> TestClient:
    decisions = some_recorded(load_policies(folder), [nth / 20 for nth in range(20)])
    settings = Settings(policies=PoliciesSettings(path=folder))
    return a_browser(a_console(values=decisions, settings=settings, scorer=scorer))


def changed(folder: Path, was: str = "below 0.30", now: str = "below 0.50") -> dict[str, str]:
    return {POLICY: (folder / POLICY).read_text().replace(was, now)}


def error_of(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


def test_a_good_edit_has_a_snapshot_of_its_own(client: TestClient, folder: Path) -> None:
    now, edit = (client.post("/api/check", json={"files": files}).json() for files in ({}, changed(folder)))

    assert now["snapshot"] == load_policies(folder).snapshot
    assert edit["ok"]
    assert edit["snapshot"] != now["snapshot"]


def test_a_wrong_edit_has_problems_and_no_snapshot(client: TestClient, folder: Path) -> None:
    answer = client.post("/api/check", json={"files": changed(folder, now="below 5")})

    assert answer.status_code == 200
    assert (answer.json()["ok"], answer.json()["snapshot"]) == (False, None)
    assert answer.json()["problems"][0]["code"] == "P031"


def test_the_problems_are_those_of_policy_check(client: TestClient, folder: Path) -> None:
    (folder / "notes.yaml.txt").write_text("x")

    problems = client.post("/api/check", json={}).json()["problems"]

    checked = CliRunner().invoke(app, ["policy", "check", str(folder), "--format", "json"])
    wanted = json.loads(checked.stdout)["problems"]
    assert [(each["code"], each["file"]) for each in problems] == [("P008", "notes.yaml.txt")]
    for ours, theirs in zip(problems, wanted, strict=True):
        assert {name: ours[name] for name in ("code", "file", "line", "column", "message", "hint")} == {
            name: theirs[name] for name in ("code", "file", "line", "column", "message", "hint")
        }


def test_a_file_that_is_removed_is_missed(client: TestClient) -> None:
    problems = client.post("/api/check", json={"files": {"settings.yaml": None}}).json()["problems"]

    assert ("P001", "settings.yaml") in [(problem["code"], problem["file"]) for problem in problems]


@pytest.mark.parametrize("name", ["notes.txt", "../x.yaml", "lists/x.yaml", "a\nb.yaml"])
@pytest.mark.parametrize("route", ["check", "judge", "flips", "diff"])
def test_a_name_that_no_file_has_is_refused(lasting_client: TestClient, route: str, name: str) -> None:
    answer = lasting_client.post(
        f"/api/{route}", json={"files": {name: ""}} | ({"scores": {}} if route == "judge" else {})
    )

    assert error_of(answer) == (422, "bad_edit", f"files.{name}")


@pytest.mark.parametrize(
    "route", ["api/check", "api/judge", "api/flips", "api/diff", "api/backtests", "parts/playground/flips"]
)
def test_an_edit_that_would_undo_what_another_person_did_is_refused(
    client: TestClient, folder: Path, route: str
) -> None:
    base = client.get("/parts/playground/file", params={"name": POLICY}).json()["base"]
    edit = {"files": changed(folder), "bases": {POLICY: base}} | ({"scores": {}} if route == "api/judge" else {})
    (folder / POLICY).write_text(changed(folder, now="below 0.35")[POLICY])

    answer = client.post(f"/{route}", json=edit)

    assert error_of(answer)[:2] == (409, "edit_outdated")
    assert answer.json()["outdated"] == [POLICY]


def test_an_edit_of_the_folder_as_it_is_has_a_diff(client: TestClient, folder: Path) -> None:
    base = client.get("/parts/playground/file", params={"name": POLICY}).json()["base"]

    answer = client.post("/api/diff", json={"files": changed(folder), "bases": {POLICY: base}})

    assert "below 0.50" in answer.text


@pytest.mark.parametrize("body", ['{"files": {"a.yaml": 7}}', '{"files": []}', '{"file": {}}', "[]", "null"])
def test_a_body_of_another_form_is_refused(lasting_client: TestClient, body: str) -> None:
    answer = lasting_client.post("/api/check", content=body, headers={"content-type": "application/json"})

    assert error_of(answer)[:2] == (400, "bad_request")


def test_set_scores_are_judged_by_the_edit(client: TestClient, folder: Path) -> None:
    ask = {"scores": SCORES | {"honesty": None}, "event": EVENT}

    now, edit = (client.post("/api/judge", json={"files": files, **ask}).json() for files in ({}, changed(folder)))

    assert (now["verdict"], edit["verdict"]) == ("allow", "flag")
    assert edit["scores"]["signals"]["usefulness"] == 2.5
    assert {"verdict", "shadow_verdict", "status", "severity", "reasons", "labels", "rules", "scores"} <= edit.keys()


def test_whole_numbers_are_scores(lasting_client: TestClient) -> None:
    assert (
        lasting_client.post("/api/judge", json={"scores": {"safety": 1}, "event": EVENT}).json()["verdict"] == "allow"
    )


def test_a_held_decision_is_judged_by_the_edit(client: TestClient, folder: Path) -> None:
    flips = client.post("/api/flips", json={"files": changed(folder)}).json()
    example = flips["examples"][0]

    answer = client.post("/api/judge", json={"files": changed(folder), "decision_id": example["decision_id"]})

    assert (example["before"], example["after"], answer.json()["verdict"]) == ("allow", "flag", "flag")


def test_a_text_is_scored_by_the_scorer_and_judged_by_the_edit(folder: Path) -> None:
    decision = recorded(load_policies(folder), 0.4, *USUAL[1:])
    replica = Replica(orjson.loads(decision))

    answer = a_client(folder, replica).post(
        "/api/judge", json={"files": changed(folder), "text": "hello", "event": EVENT}
    )

    assert answer.json()["verdict"] == "flag"
    assert replica.asked == [
        {"tenant": "acme", "channel": "general", "messages": [{"role": "assistant", "content": "hello"}]}
    ]


def test_a_text_is_scored_with_the_whole_time_of_a_date(folder: Path) -> None:
    replica = Replica(orjson.loads(recorded(load_policies(folder), 0.4, *USUAL[1:])))

    a_client(folder, replica).post("/api/judge", json={"text": "hello", "event": EVENT | {"time": "2026-09-01"}})

    assert replica.asked[0]["time"] == "2026-09-01T00:00:00Z"


def test_how_a_text_is_read_is_not_for_somebody_to_say(folder: Path) -> None:
    answer = a_client(folder, Replica({})).post("/api/judge", json={"text": "x", "event": EVENT | {"cut": "context"}})

    assert error_of(answer) == (422, "bad_schema", "event.cut")


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (None, (503, "no_scorer", None)),
        (Replica(ScorerAwayError("no scorer answers")), (503, "scorer_away", None)),
        (Replica(NotScoredError(422, "no_text", "the scorer refuses: blank")), (422, "no_text", "text")),
    ],
)
def test_a_text_that_nobody_scores_is_refused(folder: Path, scorer: Any, expected: Any) -> None:
    assert error_of(a_client(folder, scorer).post("/api/judge", json={"text": "x", "event": EVENT})) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (400, "bad_request", None)),
        ({"text": "x", "decision_id": "mod_none"}, (400, "bad_request", None)),
        ({"decision_id": "mod_none"}, (404, "not_held", "decision_id")),
        ({"scores": {"harm": 1}}, (422, "bad_schema", "scores.harm")),
        ({"scores": {"safety": "low"}}, (400, "bad_request", "scores.safety")),
        ({"scores": {"safety": True}}, (400, "bad_request", "scores.safety")),
        ({"scores": {"safety": "0.5"}}, (400, "bad_request", "scores.safety")),
        ({"scores": {}, "event": {"tenant": []}}, (422, "bad_schema", "event")),
        ({"decision_id": "mod_none", "event": {"tenant": "a"}}, (400, "bad_request", "event")),
    ],
)
def test_what_cannot_be_judged_is_named(lasting_client: TestClient, fields: dict[str, Any], expected: Any) -> None:
    assert error_of(lasting_client.post("/api/judge", json=fields)) == expected


def test_flips_are_counted_with_examples_and_fidelity(client: TestClient, folder: Path) -> None:
    record = client.post("/api/flips", json={"files": changed(folder)}).json()

    assert record["flips"] == {"allow_allow": 10, "allow_flag": 4, "flag_allow": 0, "flag_flag": 6}
    assert record["fidelity"]["reproduced"] == record["events"]["count"] == 20
    assert [example["event_id"] for example in record["examples"]] == ["evt-9", "evt-8", "evt-7", "evt-6"]
    assert record["examples"][0].keys() == {"decision_id", "event_id", "tenant", "before", "after", "rules"}
    assert record.keys() >= {"events", "baseline", "candidate", "fidelity", "flips", "rules", "groups"}


def test_decisions_of_an_older_folder_are_counted_and_said_to_be(client: TestClient, folder: Path) -> None:
    (folder / POLICY).write_text(changed(folder, now="below 0.20")[POLICY])

    record = client.post("/api/flips", json={}).json()

    assert (record["fidelity"]["compared"], sum(record["fidelity"]["others"].values())) == (0, 20)
    assert record["flips"]["flag_flag"] == 4


@pytest.mark.parametrize("route", ["judge", "flips"])
def test_an_edit_with_errors_is_refused_with_its_problems(client: TestClient, folder: Path, route: str) -> None:
    ask: dict[str, object] = {"scores": {}} if route == "judge" else {}

    answer = client.post(f"/api/{route}", json={"files": changed(folder, now="under 0.5"), **ask})

    assert error_of(answer) == (422, "edit_has_errors", None)
    assert answer.json()["problems"][0]["file"] == POLICY


def test_a_folder_with_errors_is_no_baseline(client: TestClient, folder: Path) -> None:
    good = (folder / POLICY).read_text()
    (folder / POLICY).write_text("policy: [")

    answer = client.post("/api/flips", json={"files": {POLICY: good}})

    assert error_of(answer) == (409, "folder_has_errors", None)
    assert client.post("/api/check", json={"files": {POLICY: good}}).json()["ok"]


def test_a_folder_that_is_away_is_said_to_be(client: TestClient, folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))

    assert error_of(client.post("/api/check", json={}))[:2] == (409, "no_folder")


def test_an_edit_that_does_not_suit_the_model_is_refused(client: TestClient, folder: Path) -> None:
    signals = (folder / "signals.yaml").read_text().replace("beavertails-is_safe", "other-objective")

    answer = client.post("/api/flips", json={"files": {"signals.yaml": signals}})

    assert error_of(answer)[:2] == (422, "unsuited")


def test_nothing_held_gives_figures_of_nothing(folder: Path) -> None:
    settings = Settings(policies=PoliciesSettings(path=folder))
    client = a_browser(a_console(settings=settings))

    record = client.post("/api/flips", json={"files": changed(folder)}).json()

    assert set(record["flips"].values()) == {0}
    assert record["events"]["count"] == 0


def test_the_diff_makes_a_copy_of_the_folder_the_edit(client: TestClient, folder: Path, tmp_path: Path) -> None:
    (folder / POLICY).write_bytes((folder / POLICY).read_bytes().replace(b"\n", b"\r\n"))
    edits = changed(folder) | {"lists/new.txt": "scam\n"}
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", folder, copy], check=True)

    answer = client.post("/api/diff", json={"files": {name: text.replace("\r", "") for name, text in edits.items()}})

    assert answer.headers["content-type"].startswith("text/x-diff")
    subprocess.run(["patch", "-p1"], input=answer.content, cwd=copy, check=True, capture_output=True)
    assert (copy / POLICY).read_bytes() == edits[POLICY].replace("\n", "\r\n").encode()
    assert (copy / "lists/new.txt").read_text() == "scam\n"


def test_the_folder_is_never_written(client: TestClient, folder: Path) -> None:
    def state() -> dict[str, Any]:
        return {str(path): (path.stat().st_mtime_ns, path.is_dir() or path.read_bytes()) for path in folder.rglob("*")}

    before = state() | {"": folder.stat().st_mtime_ns}
    for route in ("check", "flips", "diff"):
        client.post(f"/api/{route}", json={"files": changed(folder) | {"new.yaml": "x", "settings.yaml": None}})
    client.post("/api/judge", json={"files": changed(folder), "scores": SCORES, "event": EVENT})

    assert state() | {"": folder.stat().st_mtime_ns} == before
