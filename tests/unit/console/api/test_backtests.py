from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from moderator.backtest.labels import NO_LABELS
from moderator.backtest.run import Plan
from moderator.console.trials.backtests import Backtests, BusyError
from moderator.errors import BrokerUnavailableError
from moderator.policy import PolicySet, load_policies
from moderator.settings import ConsoleSettings, PoliciesSettings, Settings
from tests.unit.backtest.decisions import USUAL, recorded, some_recorded, write_lines
from tests.unit.console.decisions import LabelList, a_browser, a_console
from tests.unit.console.gates import Gate
from tests.unit.policy.folders import POLICY, a_folder, a_policy, a_rule
from tests.waiting import await_condition


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "policies", a_policy(a_rule("safety: below 0.30")))


@pytest.fixture
def policies(folder: Path) -> PolicySet:
    return load_policies(folder)


@pytest.fixture
def client(folder: Path, policies: PolicySet, tmp_path: Path) -> TestClient:
    decisions = some_recorded(policies, [nth / 20 for nth in range(20)])
    late = recorded(policies, 0.4, *USUAL[1:], id="late", decided_at="2026-10-06T12:00:00.000Z")
    file = write_lines(tmp_path / "decisions.jsonl", [*decisions, b"no decision", late])
    settings = Settings(policies=PoliciesSettings(path=folder), console=ConsoleSettings(decisions_file=file))
    return a_browser(a_console(values=decisions, settings=settings, sink=LabelList()))


def edit(folder: Path) -> dict[str, str]:
    return {POLICY: (folder / POLICY).read_text().replace("below 0.30", "below 0.50")}


def ended(client: TestClient, **body: Any) -> Any:
    answer = client.post("/api/backtests", json=body)
    assert answer.status_code == 202, answer.text
    address = f"/api/backtests/{answer.json()['id']}"
    await_condition(lambda: client.get(address).json()["state"] != "running")
    return client.get(address).json()


def test_a_backtest_over_what_is_held_gives_the_report(client: TestClient, folder: Path) -> None:
    job = ended(client, files=edit(folder))

    assert (job["state"], job["read"], job["total"], job["error"]) == ("done", 20, 20, None)
    assert job["report"]["flips"] == {"allow_allow": 10, "allow_flag": 4, "flag_allow": 0, "flag_flag": 6}
    assert job["report"]["labels"] is None


def test_a_range_of_time_reads_the_file_of_decisions(client: TestClient) -> None:
    all_of_it = ended(client, **{"from": "2026-10-01T00:00:00Z"})
    one_day = ended(client, **{"from": "2026-10-06T00:00:00Z", "to": "2026-10-07T00:00:00Z"})

    assert [job["report"]["events"]["count"] for job in (all_of_it, one_day)] == [21, 1]


def test_labels_are_counted_where_they_are_asked_for(client: TestClient) -> None:
    held = client.post("/api/flips", json={}).json()
    assert held["events"]["count"] == 20
    client.post("/api/labels", json={"decision_id": a_decision_id(client), "judgement": "right"})

    labelled, plain = ended(client, labels=True), ended(client)

    assert (labelled["report"]["labels"]["given"], plain["report"]["labels"]) == (1, None)


def a_decision_id(client: TestClient) -> str:
    console = client.app.state.console  # type: ignore[attr-defined]
    return str(console.recent.decisions[0].decision_id)


def test_nothing_in_the_range_fails_with_a_reason(client: TestClient) -> None:
    job = ended(client, **{"from": "2030-01-01T00:00:00Z"})

    assert (job["state"], job["report"]) == ("failed", None)
    assert job["error"] == "there is no decision to read: the input is empty"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"from": "noon"}, "from"),
        ({"to": "2026-10-01T00:00:00"}, "to"),
        ({"from": "2026-10-02T00:00:00Z", "to": "2026-10-02T00:00:00Z"}, "from"),
        ({"labels": "yes"}, "labels"),
    ],
)
def test_a_wrong_time_is_refused(client: TestClient, body: Any, param: str) -> None:
    answer = client.post("/api/backtests", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_an_edit_with_errors_is_refused_before_anything_is_read(client: TestClient) -> None:
    assert client.post("/api/backtests", json={"files": {"settings.yaml": None}}).status_code == 422


def test_a_backtest_that_is_not_kept_is_not_found(client: TestClient) -> None:
    assert client.get("/api/backtests/none").status_code == client.delete("/api/backtests/none").status_code == 404


def a_plan(policies: PolicySet) -> Plan:
    return Plan(policies, policies, NO_LABELS)


def some_gate(policies: PolicySet) -> Gate:
    return Gate(some_recorded(policies, [0.1] * 5))


def test_one_backtest_runs_at_a_time_and_says_how_far_it_is(policies: PolicySet) -> None:
    backtests, gate = Backtests(), some_gate(policies)
    job = backtests.start(a_plan(policies), gate.open, "held", ("a", "b"))
    gate.gate.release(4)
    await_condition(lambda: job.read >= 2)

    with pytest.raises(BusyError, match="cancel it"):
        backtests.start(a_plan(policies), gate.open, "held", ("a", "b"))
    gate.gate.release(10)
    await_condition(lambda: job.state == "done")

    assert (job.read, job.total, job.share) == (5, 5, 1.0)
    assert backtests.newest is job


def test_a_cancelled_backtest_ends_soon_and_makes_room(policies: PolicySet) -> None:
    backtests, gate = Backtests(), some_gate(policies)
    job = backtests.start(a_plan(policies), gate.open, "held", ("a", "b"))

    job.is_cancelled.set()
    gate.gate.release(5)
    await_condition(lambda: job.state == "cancelled")

    assert job.report is None
    assert backtests.start(a_plan(policies), gate.open, "held", ("a", "b")).state == "running"
    gate.gate.release(10)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BrokerUnavailableError("Kafka at `x:1` does not answer"), "Kafka at `x:1` does not answer"),
        (RuntimeError("secret"), "a fault in moderator: please report it"),
    ],
)
def test_what_stops_a_backtest_is_its_error(policies: PolicySet, error: Exception, said: str) -> None:
    def fail() -> Any:
        raise error

    job = Backtests().start(a_plan(policies), fail, "kafka", ("a", "b"))
    await_condition(lambda: job.state == "failed")

    assert job.error == said


def test_the_last_few_backtests_are_kept(policies: PolicySet) -> None:
    backtests = Backtests()
    jobs = []
    for _ in range(9):
        gate = some_gate(policies)
        gate.gate.release(10)
        jobs.append(backtests.start(a_plan(policies), gate.open, "held", ("a", "b")))
        await_condition(lambda: jobs[-1].state == "done")

    assert backtests.find(jobs[0].id) is None
    assert backtests.find(jobs[1].id) is jobs[1]
