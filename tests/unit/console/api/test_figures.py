"""What the pages show, for programs."""

import orjson
import pytest
from fastapi.testclient import TestClient

from tests.unit.console.decisions import a_browser, a_console, a_decision

DECISIONS = [a_decision(number, flag=number % 2 == 0) for number in range(60)]


@pytest.fixture(scope="module")
def client() -> TestClient:
    return a_browser(a_console(*DECISIONS))


def test_the_overview_has_the_pages_figures(client: TestClient) -> None:
    figures = client.get("/api/overview").json()

    assert figures["verdicts"] == {"flag": 30, "allow": 30, "dead_letter": 0}
    assert figures["rules"] == [{"rule": "safety/unsafe", "live": 30, "shadow": 0}]
    assert figures["per_second"] == 1.0
    assert sum(minute["flag"] + minute["allow"] for minute in figures["minutes"]) == 60
    assert (
        figures["latency_ms"] == {"p50": -29_000, "p95": -3_000, "p99": 0} or figures["latency_ms"]["p50"] is not None
    )


def test_decisions_are_given_as_they_were_recorded_page_by_page(client: TestClient) -> None:
    first = client.get("/api/decisions?verdict=flag&limit=20").json()
    second = client.get(f"/api/decisions?verdict=flag&limit=20&before={first['next']}").json()

    flags = [each for each in reversed(DECISIONS) if each["verdict"] == "flag"]
    assert first["decisions"] + second["decisions"] == flags
    assert (second["next"], second["held"], second["since"]) == (None, 60, "2026-11-30T11:59:00.000Z")


def test_one_decision_is_its_record(client: TestClient) -> None:
    assert orjson.loads(client.get(f"/api/decisions/{DECISIONS[7]['decision_id']}").content) == DECISIONS[7]
    assert client.get("/api/decisions/mod_ff").json()["error"]["code"] == "not_held"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        (f"limit={'9' * 5_000}", "limit"),
        ("from=x", "from"),
    ],
)
def test_a_wrong_query_is_refused(client: TestClient, query: str, param: str) -> None:
    answer = client.get(f"/api/decisions?{query}")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_policies_carry_what_a_replica_would_say(client: TestClient) -> None:
    answer = client.get("/api/policies").json()

    assert answer["state"] == "unreadable"
    assert answer["folder_status"]["folder"] == "unreadable"
    assert answer["rules"] == []
