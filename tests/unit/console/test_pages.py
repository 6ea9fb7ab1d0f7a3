"""Every page as a browser gets it."""

import hashlib
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from moderator.console import app
from moderator.console.access.guard import HEADERS
from moderator.console.sources.state import SourceState
from tests.unit.console.decisions import NOW_MS, a_browser, a_console, a_decision

STATIC = Path(app.__file__).parent / "static"
WHY = f"/decisions/mod_{2:032x}"
PAGES = ("/", "/decisions", "/policies")
HTMX_SHA256 = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
"""Of `dist/htmx.min.js` in htmx.org 2.0.11."""


@pytest.fixture(scope="module")
def client() -> TestClient:
    return a_browser(a_console(*(a_decision(number, flag=number % 2 == 0) for number in range(60))))


def test_htmx_is_the_released_file_with_its_licence() -> None:
    assert hashlib.sha256((STATIC / "htmx" / "htmx.min.js").read_bytes()).hexdigest() == HTMX_SHA256
    assert "Zero-Clause BSD" in (STATIC / "htmx" / "LICENSE").read_text()


@pytest.mark.parametrize("path", [*PAGES, WHY, "/parts/overview", "/parts/source", "/parts/policies"])
def test_every_page_forbids_what_it_does_not_need(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "style=" not in answer.text
    assert "<script>" not in answer.text
    assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")


def test_the_overview_counts_what_is_held(client: TestClient) -> None:
    page = client.get("/").text

    assert 'data-testid="verdict-share" data-verdict="flag" data-count="30"' in page
    assert 'data-testid="rule-flags" data-rule="safety/unsafe" data-live="30" data-shadow="0"' in page


def test_a_list_shows_fifty_and_leads_to_older_ones(client: TestClient) -> None:
    page = client.get("/decisions?verdict=allow&tenant=acme").text

    assert page.count('data-testid="decision-row"') == 30
    assert client.get("/decisions").text.count('data-testid="decision-row"') == 50
    assert 'data-testid="older"' in client.get("/decisions").text


def test_a_decision_shows_each_comparison_with_its_figures(client: TestClient) -> None:
    page = client.get(WHY).text

    assert 'data-rule="safety/unsafe" data-outcome="matched" data-counted="true"' in page
    assert 'data-signal="safety" data-score="0.21" data-limit="0.3" data-margin="0.09" data-holds="true"' in page
    assert 'data-objective="others" data-contribution="-0.005"' in page
    assert 'data-testid="open-in-playground"' in page


def test_a_decision_that_is_not_held_says_how_far_back_they_go(client: TestClient) -> None:
    answer = client.get("/decisions/mod_ff")

    assert answer.status_code == 404
    assert "go back to 2026-11-30 11:59:00 UTC" in answer.text


def test_a_malformed_time_is_refused(client: TestClient) -> None:
    assert client.get("/decisions?from=noon").status_code == 400


@pytest.mark.parametrize("path", ["/", "/decisions", WHY])
def test_a_console_that_holds_nothing_says_what_to_do(path: str) -> None:
    page = a_browser(a_console()).get(path).text

    assert 'data-testid="state-empty"' in page


@pytest.mark.parametrize("path", [*PAGES, f"/decisions/mod_{1:032x}"])
def test_a_broken_source_is_on_every_page_and_what_was_read_stays(path: str) -> None:
    state = SourceState("broken", NOW_MS, "Kafka does not answer", was_read=True)

    page = a_browser(a_console(a_decision(1), state=state)).get(path).text

    assert 'role="alert" data-testid="state-broken"' in page
    assert 'data-testid="state-empty"' not in page


def test_readiness_comes_when_everything_was_once_read() -> None:
    reading = a_browser(a_console(state=SourceState("catching up", NOW_MS)))
    done = a_browser(a_console())

    assert (reading.get("/readyz").status_code, done.get("/readyz").status_code) == (503, 200)
    assert reading.get("/healthz").status_code == 200
