"""The pages Overview, Decisions, Why and Policies, and the login, as people use them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from moderator.console.console import Console
from moderator.settings import ConsoleSettings, PoliciesSettings, Settings
from tests.browser.conftest import Visitor
from tests.browser.hostile import CONTROL, LONG, MARKUP, hostile
from tests.browser.scenes import broken, empty, example_folder, served, with_data
from tests.unit.console.decisions import a_console, a_decision, encoded

TOKEN = "correct-horse-battery"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return example_folder(tmp_path)


def why(console: Console) -> str:
    """Give the address of the newest decision that flags."""
    found = next(each for each in reversed(console.recent.decisions) if each.verdict == "flag")
    return f"/decisions/{found.decision_id}"


def addresses(console: Console) -> list[str]:
    return ["/", "/decisions?verdict=flag", why(console), "/policies"]


def test_every_page_is_accessible_and_fits(visit: Visitor, folder: Path, looks: Callable[[Page], None]) -> None:
    console = with_data(folder)
    page = visit.open(console, "/")
    for address in addresses(console):
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        looks(page)


@pytest.mark.parametrize(
    ("scene", "state", "look"),
    [
        pytest.param(empty, "state-empty", {"scheme": "dark"}, id="empty", marks=pytest.mark.long),
        pytest.param(broken, "state-broken", {"width": 360}, id="broken"),
    ],
)
def test_with_nothing_or_with_everything_broken_pages_say_so(
    visit: Visitor, folder: Path, scene: Any, state: str, look: dict[str, Any]
) -> None:
    visit.expected = ["404"]
    page = visit.open(scene(folder), "/", **look)
    for address in ("/", "/decisions", "/decisions/mod_ff", "/policies"):
        page.goto(address)
        if address != "/policies" or scene is broken:
            expect(page.get_by_test_id(state).first).to_be_visible()
        assert visit.axe(page) == [], address


def test_hostile_events_run_no_script_and_break_no_layout(visit: Visitor, folder: Path) -> None:
    settings = Settings(policies=PoliciesSettings(path=folder))
    decisions = [hostile(text, number) for number, text in enumerate((MARKUP, CONTROL, LONG, "../..", "%2e%2e/a?b#c"))]
    console = a_console(*decisions, settings=settings)
    page = visit.open(console, "/", width=360)
    visit.expected = ["404"]

    for address in ("/", "/decisions", "/policies"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
    page.goto("/decisions")
    links = [link.get_attribute("href") for link in page.locator("[data-testid=decision-row] a").all()]
    for link in links[1:]:  # a browser makes something else of `../..`, however it is written
        page.goto(str(link))
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, link
        assert page.locator("img[src=x], main script").count() == 0

    assert len(links) == len(decisions)
    assert page.get_by_test_id("verdict").is_visible()


def flags_of(page: Page) -> Locator:
    return page.locator("[data-testid=verdict-share][data-verdict=flag]")


def renew(page: Page) -> None:
    """Let the figures renew themselves, and wait until that is over."""
    with page.expect_response("**/parts/overview"):
        page.evaluate("htmx.trigger(document.body, 'renew')")
    expect(page.locator("#figures.htmx-request")).to_have_count(0)


def test_live_parts_renew_themselves_keep_focus_and_pause(visit: Visitor, folder: Path) -> None:
    console = with_data(folder)
    page = visit.open(console, "/")
    flags = flags_of(page)
    before = int(flags.get_attribute("data-count") or 0)
    page.locator("#minutes-summary").focus()
    page.keyboard.press("Enter")

    console.recent.add_decisions(encoded(a_decision(1, flag=True)))

    expect(flags).to_have_attribute("data-count", str(before + 1))
    expect(page.locator("#minutes-summary")).to_be_focused()
    expect(page.locator("#minutes-table")).to_have_attribute("open", "")
    page.get_by_test_id("pause").click()
    console.recent.add_decisions(encoded(a_decision(2, flag=True)))
    page.evaluate("htmx.trigger(document.body, 'nothing')")
    with page.expect_request("**/parts/overview"):
        expect(flags).to_have_attribute("data-count", str(before + 1))
        page.get_by_test_id("pause").click()
    expect(flags).to_have_attribute("data-count", str(before + 2))


def test_an_answer_that_is_on_its_way_at_a_pause_changes_nothing(visit: Visitor, folder: Path) -> None:
    console = with_data(folder)
    page = visit.open(console, "/")
    flags = flags_of(page)
    before = flags.get_attribute("data-count")

    def pause_before_the_answer(route: Route) -> None:
        answer = route.fetch()
        page.get_by_test_id("pause").click()
        route.fulfill(response=answer)

    console.recent.add_decisions(encoded(a_decision(1, flag=True)))
    page.route("**/parts/overview", pause_before_the_answer, times=1)
    renew(page)

    assert flags.get_attribute("data-count") == before


def test_what_was_not_shown_because_of_focus_is_shown_once_focus_is_elsewhere(visit: Visitor, folder: Path) -> None:
    console = with_data(folder)
    page = visit.open(console, "/")
    flags = flags_of(page)
    before = int(flags.get_attribute("data-count") or 0)
    flags.get_by_role("link").focus()

    console.recent.add_decisions(encoded(a_decision(1, flag=True)))
    renew(page)
    held_back = flags.get_attribute("data-count")
    page.get_by_test_id("nav-decisions").focus()

    expect(flags).to_have_attribute("data-count", str(before + 1))
    assert held_back == str(before)


def test_everything_is_reached_by_keyboard(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), "/")

    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.get_by_test_id("nav-decisions").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/decisions")
    page.get_by_test_id("filter-tenant").focus()
    page.keyboard.type("acme")
    page.keyboard.press("Enter")
    page.wait_for_url("**tenant=acme**")
    page.get_by_test_id("decision-row").first.get_by_role("link").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/decisions/mod_*")
    page.get_by_test_id("raw").locator("summary").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("region", name="Raw record")).to_be_visible()


def test_on_a_narrow_screen_decisions_come_before_their_filters_which_are_folded(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), "/decisions?verdict=allow", width=360)
    first_row, tenant = page.get_by_test_id("decision-row").first, page.get_by_test_id("filter-tenant")

    place = first_row.bounding_box()
    assert place is not None
    assert place["y"] < 450
    expect(page.get_by_test_id("filters-fold")).to_have_text("Filters: verdict allow")
    expect(tenant).to_be_hidden()
    page.get_by_test_id("filters-fold").click()
    tenant.fill("nobody")
    tenant.press("Enter")
    expect(page.get_by_test_id("state-empty")).to_be_visible()
    expect(tenant).to_be_visible()

    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.get_by_test_id("filters-fold")).to_be_hidden()
    page.goto("/decisions")
    expect(tenant).to_be_visible()
    expect(page.get_by_test_id("facet").first).to_be_visible()


def test_the_theme_is_the_systems_until_it_is_switched_and_then_remembered(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), "/", scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)

    page.get_by_test_id("theme-switch").click()
    light = page.evaluate(ground)
    page.goto("/policies")

    assert light != dark
    assert page.evaluate(ground) == light
    expect(page.get_by_test_id("theme-switch")).to_have_text("Dark")


def test_without_javascript_pages_can_be_read_and_filtered(chromium: Browser, folder: Path) -> None:
    console = with_data(folder)
    tenant = next(each.tenant for each in console.recent.decisions if each.verdict == "flag")
    with served(console) as address:
        context = chromium.new_context(base_url=address, java_script_enabled=False)
        page = context.new_page()
        page.goto("/")
        page.get_by_test_id("nav-decisions").click()
        page.get_by_test_id("filter-verdict").select_option("flag")
        page.get_by_test_id("filter-tenant").fill(str(tenant))
        page.get_by_role("button", name="Filter").click()
        page.wait_for_url("**verdict=flag**")
        listed = page.get_by_test_id("decision-row")
        verdicts = {row.get_attribute("data-verdict") for row in listed.all()}
        page.locator("[data-testid=facet][data-name=tenant] a").first.click()
        page.wait_for_url(lambda url: "tenant" not in url)
        cleared = page.get_by_test_id("filter-tenant").input_value()
        page.get_by_test_id("decision-row").first.get_by_role("link").click()
        page.wait_for_url("**/decisions/mod_*")

        assert verdicts == {"flag"}
        assert cleared == ""
        assert page.get_by_test_id("condition").count() > 0
        assert not page.get_by_test_id("pause").is_visible()
        context.close()


def test_who_has_a_token_logs_in_and_comes_to_the_page_that_was_wanted(visit: Visitor, folder: Path) -> None:
    settings = Settings(policies=PoliciesSettings(path=folder), console=ConsoleSettings(token=TOKEN))
    page = visit.open(a_console(a_decision(1), settings=settings), "/decisions?verdict=allow")
    visit.expected = ["401"]
    assert visit.axe(page) == []

    page.get_by_test_id("login-token").fill("wrong-horse-battery")
    page.get_by_test_id("login-name").fill("ana")
    page.get_by_test_id("login-submit").click()
    expect(page.get_by_test_id("login-error")).to_be_visible()
    page.get_by_test_id("login-token").fill(TOKEN)
    page.get_by_test_id("login-submit").click()

    expect(page.get_by_test_id("decision-row")).to_have_count(1)
    assert page.url.endswith("/decisions?verdict=allow")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_test_id("login-token")).to_be_visible()
