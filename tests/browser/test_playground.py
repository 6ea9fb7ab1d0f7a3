import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Page, expect

from moderator.events import Decision
from moderator.settings import PoliciesSettings, Settings
from tests.browser.conftest import Visitor, await_answered, await_asked, give_held_answer, hold_first_answer
from tests.browser.hostile import CONTROL, LONG, MARKUP, hostile
from tests.browser.scenes import POLICY, broken, empty, example_folder, some_decisions, with_data
from tests.unit.console.decisions import LabelList, a_console

PLAYGROUND = f"/playground?file={POLICY}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return example_folder(tmp_path)


def edit(page: Page, was: str, now: str) -> None:
    editor = page.get_by_test_id("editor")
    editor.fill(editor.input_value().replace(was, now))


def await_flips(page: Page, count: int | None = None) -> None:
    """Await the comparison with this many other verdicts; by default with any, as an edit gives that is compared."""
    expect(page.locator("#flips-result")).not_to_have_attribute("aria-busy", "true")
    expect(page.get_by_test_id("flips")).to_be_visible()
    figure = expect(page.locator("#flips-result .figure"))
    figure.not_to_have_text("0") if count is None else figure.to_have_text(str(count))


def state_of(folder: Path) -> dict[str, Any]:
    return {str(path): (path.stat().st_mtime_ns, path.is_dir() or path.read_bytes()) for path in folder.rglob("*")}


def test_what_is_typed_is_checked_compared_and_judged_and_the_folder_stays(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    before = state_of(folder)
    await_flips(page, 0)
    expect(page.locator("#problems-title")).to_have_text(re.compile(r"No errors; \d+ tests passed"))

    edit(page, "below 0.30", "below 0.70")

    await_flips(page)
    flipped = page.locator("[data-testid=flip-cell][data-before=allow][data-after=flag]")
    expect(flipped).not_to_have_attribute("data-count", "0")
    count = flipped.get_attribute("data-count")
    expect(page.locator("[data-testid=flip-rule][data-rule='message-safety/unsafe-message']")).to_have_attribute(
        "data-gained", str(count)
    )
    examples = page.get_by_test_id("flip-example")
    assert 0 < examples.count() <= 20
    assert examples.first.get_attribute("data-before") == "allow"
    expect(page.get_by_test_id("file").filter(has_text="edited")).to_have_attribute("data-file", POLICY)
    assert state_of(folder) == before


def test_on_a_small_screen_of_a_desk_no_column_of_the_rules_is_cut(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND, width=1180)
    await_flips(page, 0)

    edit(page, "below 0.30", "below 0.70")

    await_flips(page)
    table = page.locator("#flips-result table", has_text="flags after").first
    assert table.evaluate("(table) => table.scrollWidth - table.closest('.wide').clientWidth") <= 0


def test_an_error_is_listed_with_its_place_and_the_last_good_result_stays(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)

    edit(page, "below 0.30", "under 0.30")

    problem = page.get_by_test_id("problem").first
    expect(problem).to_have_attribute("data-code", "P030")
    expect(problem).to_have_attribute("data-file", POLICY)
    expect(page.locator("#flips-stale")).to_be_visible()
    expect(page.get_by_test_id("flips")).to_be_visible()
    expect(page.locator("#marks mark.error")).to_have_text("under 0.30")
    problem.get_by_role("button").press("Enter")
    expect(page.get_by_test_id("editor")).to_be_focused()
    selected = "e => e.value.slice(e.selectionStart, e.selectionEnd)"
    assert page.get_by_test_id("editor").evaluate(selected) == "under 0.30"

    edit(page, "under 0.30", "below 0.30")

    expect(page.get_by_test_id("problem")).to_have_count(0)
    expect(page.locator("#flips-stale")).to_be_hidden()


def test_a_problem_of_another_file_opens_it(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), "/playground?file=settings.yaml")
    await_flips(page, 0)

    edit(page, "abusive_message", "abuse")
    page.get_by_test_id("problem").filter(has_text=POLICY).first.get_by_role("button").click()

    expect(page.get_by_test_id("editor")).to_have_attribute("data-file", POLICY)


def test_scores_a_decision_and_a_text_are_judged_side_by_side(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    edit(page, "below 0.30", "below 0.70")
    await_flips(page)

    page.locator("[data-testid=score][data-signal=safety]").fill("0.5")

    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "flag")
    expect(page.get_by_test_id("folder-verdict")).to_have_attribute("data-verdict", "allow")
    condition = page.get_by_test_id("why").locator("[data-testid=condition][data-signal=safety]").first
    assert (condition.get_attribute("data-score"), condition.get_attribute("data-limit")) == ("0.5", "0.7")

    example = page.get_by_test_id("flip-example").first.get_attribute("data-decision-id")
    page.get_by_test_id("from-decision").check()
    page.get_by_label("Decision", exact=True).fill(str(example))
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "flag")
    expect(page.get_by_test_id("why")).not_to_contain_text("score 0.5,")

    page.get_by_test_id("from-text").check()
    expect(page.get_by_test_id("score-text")).to_be_disabled()
    expect(page.locator("#no-scorer")).to_be_visible()


class FirstDecision:
    """A scorer for which every text is the oldest event of a folder's decisions."""

    def __init__(self, folder: Path) -> None:
        self.decision = orjson.loads(some_decisions(folder, 1)[0])
        self.texts: list[str] = []
        self.events: list[Mapping[str, Any]] = []

    def score(self, event: Mapping[str, Any]) -> Decision:
        self.texts.append(event["messages"][0]["content"])
        self.events.append(event)
        decision: Decision = self.decision
        return decision


def test_a_typed_text_is_scored_once_one_asks_and_judged_again_at_each_edit(visit: Visitor, folder: Path) -> None:
    scorer = FirstDecision(folder)
    page = visit.open(with_data(folder, scorer=scorer), PLAYGROUND)
    await_flips(page, 0)
    page.get_by_test_id("from-text").check()
    page.get_by_test_id("text").fill("hello there")
    expect(page.locator("#judged-result").get_by_test_id("state-empty")).to_be_visible()
    assert scorer.texts == []

    page.get_by_test_id("score-text").click()
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "allow")
    edit(page, "below 0.30", "below 0.99")

    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "flag")
    expect(page.get_by_test_id("folder-verdict")).to_have_attribute("data-verdict", "allow")
    assert set(scorer.texts) == {"hello there"}


@pytest.mark.parametrize("field", ["#text", "[name=tenant]"])
def test_a_verdict_on_another_text_or_event_is_marked_until_one_scores(
    visit: Visitor, folder: Path, field: str
) -> None:
    page = visit.open(with_data(folder, scorer=FirstDecision(folder)), PLAYGROUND)
    await_flips(page, 0)
    page.get_by_test_id("from-text").check()
    page.get_by_test_id("text").fill("hello there")
    page.get_by_test_id("score-text").click()
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "allow")
    expect(page.locator("#judged-unscored")).to_be_hidden()

    page.locator(f"#event {field}").fill("another")

    expect(page.locator("#judged-unscored")).to_be_visible()
    page.get_by_test_id("score-text").click()
    expect(page.locator("#judged-unscored")).to_be_hidden()


def test_a_key_leads_from_the_files_to_the_editor_and_to_nothing_unseen(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND, width=390)
    await_flips(page, 0)
    edit(page, "policy: ", "\n" * 40 + "policy: ")  # so long that the marks behind the text can be scrolled
    await_flips(page, 0)
    page.get_by_test_id("file").last.focus()

    page.keyboard.press("Tab")

    expect(page.get_by_test_id("editor")).to_be_focused()


def test_rules_on_metadata_and_on_how_a_message_was_read_can_be_tried(visit: Visitor, folder: Path) -> None:
    settings = folder / "settings.yaml"
    settings.write_text(settings.read_text().replace("  tenant: some", "  metadata.surface: sometimes\n  tenant: some"))
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    edit(page, "applies_to: {speaker: user}", "applies_to: {speaker: user, metadata.surface: web, cut: context}")
    edit(page, "below 0.30", "below 0.70")
    page.locator("[data-testid=score][data-signal=safety]").fill("0.5")
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "allow")

    page.get_by_label("metadata.surface").fill("web")
    page.locator("#event [name=cut]").select_option("context")

    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "flag")


def test_a_typed_text_goes_with_the_facts_that_the_policies_read(visit: Visitor, folder: Path) -> None:
    scorer = FirstDecision(folder)
    page = visit.open(with_data(folder, scorer=scorer), PLAYGROUND)
    await_flips(page, 0)
    expect(page.get_by_label("metadata.account_age_h")).to_be_hidden()  # it is set like a score
    page.get_by_test_id("from-text").check()
    page.get_by_test_id("text").fill("hello there")
    page.get_by_label("metadata.account_age_h").fill("3")
    page.get_by_label("user", exact=True).fill("ada")

    page.get_by_test_id("score-text").click()

    expect(page.get_by_test_id("verdict")).to_be_visible()
    assert {name: scorer.events[-1].get(name) for name in ("metadata", "user", "cut")} == {
        "metadata": {"account_age_h": "3"},
        "user": "ada",
        "cut": None,
    }


def test_a_missing_score_can_be_chosen(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)

    page.get_by_label("safety is missing").check()

    expect(page.get_by_test_id("verdict")).to_contain_text("score_missing")


def test_the_diff_is_downloaded_and_an_edit_can_be_reverted_and_brought_back(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    edit(page, "below 0.30", "below 0.70")
    await_flips(page)

    with page.expect_download() as download:
        page.get_by_test_id("export").click()
    diff = Path(download.value.path()).read_text()
    assert f"--- a/{POLICY}" in diff
    assert "+      safety: below 0.70" in diff

    page.get_by_test_id("revert").click()
    await_flips(page, 0)
    expect(page.get_by_test_id("editor")).to_have_value(re.compile(r"below 0\.30"))
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_test_id("editor")).to_have_value(re.compile(r"below 0\.70"))


def edit_of_a_changed_file(visit: Visitor, folder: Path) -> Page:
    """Edit a file in the tab, then change another rule of it in the folder."""
    visit.expected = ["409"]
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    edit(page, "below 0.30", "below 0.70")
    await_flips(page)
    file = folder / POLICY
    file.write_text(file.read_text().replace("below 0.45", "below 0.44"))
    return page


def test_an_edit_that_would_undo_another_persons_change_is_not_exported(visit: Visitor, folder: Path) -> None:
    page = edit_of_a_changed_file(visit, folder)

    page.get_by_test_id("export").click()

    expect(page.locator("#trial-status")).to_contain_text("Not exported")
    expect(page.get_by_test_id("outdated")).to_contain_text(POLICY)
    expect(page.locator("#flips-stale")).to_be_visible()


def test_of_a_file_that_changed_meanwhile_the_folders_text_can_be_taken(visit: Visitor, folder: Path) -> None:
    page = edit_of_a_changed_file(visit, folder)
    page.reload()
    expect(page.get_by_test_id("outdated")).to_contain_text("your text would undo that change")

    page.get_by_role("button", name="Take the folder's text").click()

    expect(page.get_by_test_id("editor")).to_have_value(re.compile(r"below 0\.44"))
    expect(page.get_by_test_id("outdated")).to_be_hidden()
    await_flips(page, 0)
    edit(page, "below 0.30", "below 0.70")
    await_flips(page)
    with page.expect_download() as download:
        page.get_by_test_id("export").click()
    diff = Path(download.value.path()).read_text()
    assert [line.split("#")[0].strip() for line in diff.splitlines() if line[:2] in {"+ ", "- "}] == [
        "-      safety: below 0.30",
        "+      safety: below 0.70",
    ]


def test_of_a_file_that_changed_meanwhile_the_own_text_can_be_kept(visit: Visitor, folder: Path) -> None:
    page = edit_of_a_changed_file(visit, folder)
    page.reload()

    page.get_by_role("button", name="Keep my text").click()

    expect(page.get_by_test_id("outdated")).to_be_hidden()
    await_flips(page)
    with page.expect_download() as download:
        page.get_by_test_id("export").click()
    assert "+      safety: below 0.70" in Path(download.value.path()).read_text()


def test_a_choice_between_two_texts_can_be_undone(visit: Visitor, folder: Path) -> None:
    page = edit_of_a_changed_file(visit, folder)
    page.reload()
    page.get_by_role("button", name="Take the folder's text").click()
    await_flips(page, 0)

    page.get_by_role("button", name="Undo").click()

    expect(page.get_by_test_id("editor")).to_have_value(re.compile(r"below 0\.70"))
    expect(page.get_by_test_id("outdated")).to_be_visible()


def test_the_edit_stays_in_the_tab_when_the_page_is_left(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    edit(page, "below 0.30", "below 0.70")
    await_flips(page)

    page.goto("/decisions")
    page.goto(PLAYGROUND)

    expect(page.get_by_test_id("file").filter(has_text="edited")).to_have_count(1)
    expect(page.get_by_test_id("editor")).to_have_value(re.compile(r"below 0\.70"))


def test_what_was_typed_while_an_edit_was_checked_is_not_judged_before_it_is_checked_itself(
    visit: Visitor, folder: Path
) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    hold_first_answer(page, "/api/check")

    edit(page, "below 0.30", "below 0.70")
    await_asked(page, 1)
    edit(page, "below 0.70", "under 0.70")
    give_held_answer(page)

    await_answered(page, 2)
    expect(page.locator("#judged-stale")).to_be_visible()  # a request with an unsound edit would be a fault


@pytest.mark.parametrize("what", ["flips", "judged"])
def test_a_result_that_comes_after_an_error_is_still_marked_as_the_last_good_one(
    visit: Visitor, folder: Path, what: str
) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    hold_first_answer(page, f"/parts/playground/{what}")

    edit(page, "below 0.30", "below 0.70")
    await_asked(page, 1)
    edit(page, "below 0.70", "under 0.70")
    expect(page.locator(f"#{what}-stale")).to_be_visible()
    give_held_answer(page)

    await_answered(page, 1)
    expect(page.locator(f"#{what}-stale")).to_be_visible()


def test_an_edit_that_has_errors_from_the_first_moment_waits_for_no_result(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    edit(page, "below 0.30", "under 0.30")
    expect(page.get_by_test_id("problem")).not_to_have_count(0)

    page.reload()

    expect(page.locator("#flips-stale")).to_be_visible()
    expect(page.get_by_test_id("state-loading")).to_have_count(0)
    edit(page, "under 0.30", "below 0.70")
    await_flips(page)
    expect(page.locator("#judged-result")).to_contain_text("message-safety/unsafe-message")


def test_a_note_about_errors_goes_with_them_where_nothing_is_judged(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    page.get_by_test_id("from-decision").check()
    edit(page, "below 0.30", "under 0.30")
    expect(page.locator("#judged-stale")).to_be_visible()

    edit(page, "under 0.30", "below 0.30")

    expect(page.locator("#judged-stale")).to_be_hidden()


def test_the_file_chosen_last_is_shown_however_late_the_one_before_is_answered(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    others = [name for each in page.get_by_test_id("file").all() if (name := each.get_attribute("data-file")) != POLICY]
    hold_first_answer(page, "/parts/playground/file")

    for name in others[:2]:
        page.locator(f"[data-testid=file][data-file='{name}']").click()
    await_answered(page, 1)
    give_held_answer(page)

    await_answered(page, 2)
    expect(page.get_by_test_id("editor")).to_have_attribute("data-file", others[1])


def test_a_problem_of_the_open_file_wins_over_one_chosen_before_it(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    other = next(
        name for each in page.get_by_test_id("file").all() if (name := each.get_attribute("data-file")) != POLICY
    )
    edit(page, "below 0.30", "belw 0.30")
    problem = page.get_by_test_id("problem").first
    expect(problem).to_have_attribute("data-file", POLICY)
    hold_first_answer(page, "/parts/playground/file")

    page.locator(f"[data-testid=file][data-file='{other}']").click()
    problem.get_by_role("button").first.click()
    give_held_answer(page)

    await_answered(page, 1)
    expect(page.get_by_test_id("editor")).to_be_focused()
    expect(page.get_by_test_id("editor")).to_have_attribute("data-file", POLICY)


def test_files_are_added_and_removed(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder), "/playground?file=reply-quality.test.yaml")
    await_flips(page, 0)
    page.get_by_text("Add or remove a file").click()

    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#problems-title")).to_contain_text("passed")
    expect(page.get_by_test_id("file").filter(has_text="removed")).to_have_count(1)
    page.get_by_label("New file").fill("notes.txt")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#file-error")).to_contain_text("lists/NAME.txt")
    page.get_by_label("New file").fill("new.yaml")
    page.get_by_role("button", name="Add", exact=True).click()

    expect(page.get_by_test_id("editor")).to_have_attribute("data-file", "new.yaml")
    expect(page.get_by_test_id("problem").first).to_have_attribute("data-file", "new.yaml")


def test_it_looks_well_with_data_and_an_edit(visit: Visitor, folder: Path, looks: Any) -> None:
    page = visit.open(with_data(folder), PLAYGROUND)
    await_flips(page, 0)
    edit(page, "below 0.30", "below 0.70")
    await_flips(page)
    expect(page.get_by_test_id("verdict")).to_be_visible()

    looks(page)

    edit(page, "below 0.70", "under 0.70")
    expect(page.locator("#flips-stale")).to_be_visible()
    assert visit.axe(page) == []


@pytest.mark.long
def test_it_looks_well_with_nothing_and_broken(visit: Visitor, folder: Path, looks: Any) -> None:
    nothing = visit.open(empty(folder), PLAYGROUND)
    expect(nothing.get_by_test_id("flips").get_by_test_id("state-empty")).to_be_visible()
    looks(nothing)

    away = visit.open(broken(folder), PLAYGROUND)
    expect(away.get_by_test_id("state-broken").last).to_contain_text("annot read the policy folder")
    looks(away)


def test_hostile_events_run_no_script_and_break_no_layout(visit: Visitor, folder: Path) -> None:
    fields = dict.fromkeys(("id", "tenant", "user", "role"), MARKUP)
    decisions = [*some_decisions(folder, 40, **fields), *some_decisions(folder, 40, id=LONG, tenant=CONTROL)]
    settings = Settings(policies=PoliciesSettings(path=folder))
    console = a_console(values=decisions, settings=settings, sink=LabelList())
    page = visit.open(console, f"/playground?decision={MARKUP}&file={POLICY}", width=360)
    visit.expected = ["404"]
    await_flips(page, 0)
    edit(page, "below 0.30", "below 0.95")
    expect(page.get_by_test_id("flip-example").first).to_be_visible()
    pages = ["/review?queue=sample", "/review?queue=shadow"]

    for address in (None, *pages):
        if address:
            page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, address
        assert page.locator("img[src=x], main script:not([type])").count() == 0


def test_decisions_that_no_policy_suits_are_said_to_be(visit: Visitor, folder: Path) -> None:
    console = a_console(hostile(MARKUP, 1), settings=Settings(policies=PoliciesSettings(path=folder)))
    visit.expected = ["422"]
    page = visit.open(console, "/playground", width=360)

    expect(page.locator("#flips").get_by_test_id("state-broken")).to_contain_text("do not suit the model")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto("/review")
    assert page.locator("img[src=x], main script").count() == 0
