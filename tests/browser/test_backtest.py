from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from moderator.backtest.labels import NO_LABELS
from moderator.backtest.run import Plan
from moderator.console.console import Console
from moderator.labels.record import Reviewer
from moderator.policy import load_policies
from tests.browser.conftest import Visitor
from tests.browser.scenes import POLICY, broken, empty, example_folder, some_decisions, with_data
from tests.unit.console.decisions import LabelList
from tests.unit.console.gates import Gate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return example_folder(tmp_path)


def with_an_edit(page: Page) -> None:
    page.goto(f"/playground?file={POLICY}")
    editor = page.get_by_test_id("editor")
    editor.fill(editor.input_value().replace("below 0.30", "below 0.70"))
    expect(page.locator("#flips-result .figure")).not_to_have_text("0")
    page.goto("/backtest")


def test_the_playgrounds_edit_is_compared_and_its_examples_lead_to_why(visit: Visitor, folder: Path) -> None:
    for path in folder.glob("*.yaml"):  # a report on one policy, so that it is short
        if path.name not in {POLICY, "settings.yaml", "signals.yaml", "texts.yaml"}:
            path.unlink()
    console = with_data(folder, LabelList())
    console.desk.save(console.recent.decisions[-1].record, "right", Reviewer("ana", "login"), note=None, queue=None)
    page = visit.open(console, "/backtest")
    with_an_edit(page)
    expect(page.get_by_label("the playground's edit")).to_be_checked()

    started: list[str] = []
    page.on("request", note := lambda request: started.append(request.url) if request.method == "POST" else None)
    page.get_by_test_id("start").dblclick()

    report = page.get_by_test_id("report")
    expect(report).to_be_visible()
    expect(report.get_by_test_id("flips")).to_have_attribute("data-events", "240")
    expect(page.locator("#report-title")).to_be_focused()
    page.remove_listener("request", note)
    assert [url.rpartition("/api/")[2] for url in started] == ["backtests"]  # a second click starts nothing
    expect(page.get_by_role("alert").filter(has_text="Not started")).to_have_count(0)
    page.set_viewport_size({"width": 360, "height": 900})
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert visit.axe(page) == []
    report.get_by_test_id("flip-example").first.get_by_role("link").click()
    page.wait_for_url("**/decisions/mod_*")


def test_a_running_backtest_shows_how_far_it_is_and_can_be_cancelled(visit: Visitor, folder: Path) -> None:
    console = with_data(folder)
    gate = a_started_backtest(console, folder)
    gate.gate.release(3)
    page = visit.open(console, "/backtest")

    expect(page.get_by_test_id("progress")).to_have_attribute("data-read", "3")
    assert visit.axe(page) == []
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.get_by_test_id("cancel").press("Enter")
    gate.gate.release(100)

    expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
    expect(page.get_by_test_id("start")).to_be_enabled()


def a_started_backtest(console: Console, folder: Path) -> Gate:
    policies, gate = load_policies(folder), Gate(some_decisions(folder, 20))
    console.trials.backtests.start(Plan(policies, policies, NO_LABELS), gate.open, "kafka", ("a", "b"))
    return gate


def test_a_wrong_time_is_said_beside_the_form(visit: Visitor, folder: Path) -> None:
    visit.expected = ["400"]
    page = visit.open(with_data(folder), "/backtest")

    page.get_by_test_id("from").fill("noon")
    page.get_by_test_id("start").click()

    expect(page.get_by_role("alert").filter(has_text="Not started")).to_contain_text("2026-11-29T12:00:00Z")


@pytest.mark.long
def test_it_looks_well_with_nothing_and_broken(visit: Visitor, folder: Path, looks: Any) -> None:
    nothing = visit.open(empty(folder), "/backtest")
    expect(nothing.get_by_test_id("state-empty").first).to_be_visible()
    looks(nothing)

    visit.expected = ["409"]
    away = visit.open(broken(folder), "/backtest")
    away.get_by_test_id("start").click()
    expect(away.get_by_role("alert").filter(has_text="Not started")).to_contain_text("cannot read the policy folder")
    looks(away)


def test_an_edit_of_a_file_that_changed_meanwhile_is_not_compared(visit: Visitor, folder: Path) -> None:
    visit.expected = ["409"]
    page = visit.open(with_data(folder), "/backtest")
    with_an_edit(page)
    file = folder / POLICY
    file.write_text(file.read_text().replace("below 0.45", "below 0.44"))

    page.get_by_test_id("start").click()

    expect(page.get_by_test_id("state-broken")).to_contain_text(f"`{POLICY}` changed in the folder")
