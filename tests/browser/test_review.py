from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from moderator.labels.sink import LabelNotSavedError
from tests.browser.conftest import Visitor, await_answered, give_held_answer, hold_first_answer
from tests.browser.scenes import broken, empty, example_folder, with_data
from tests.unit.console.decisions import LabelList


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return example_folder(tmp_path)


def item_of(page: Page) -> str:
    decision_id = page.get_by_test_id("review-item").get_attribute("data-decision-id")
    assert decision_id
    return decision_id


def await_another(page: Page, decision_id: str) -> None:
    expect(page.get_by_test_id("review-item")).not_to_have_attribute("data-decision-id", decision_id)


def waiting(page: Page, queue: str) -> int:
    return int(page.locator(f"[data-testid=queue][data-queue={queue}]").get_attribute("data-count") or "")


def test_keys_answer_one_after_the_other_and_undo_goes_back(visit: Visitor, folder: Path) -> None:
    sink = LabelList()
    page = visit.open(with_data(folder, sink), "/review?queue=sample")
    first, count = item_of(page), waiting(page, "sample")

    page.keyboard.press("1")
    await_another(page, first)
    expect(page.get_by_test_id("saved")).to_contain_text("Saved")
    second = item_of(page)
    page.keyboard.press("2")
    await_another(page, second)
    page.keyboard.press("3")
    expect(page.locator("[data-testid=queue][data-queue=sample]")).to_have_attribute("data-count", str(count - 3))

    assert [(label["judgement"], label["label"]) for label in sink.labels] == [
        ("right", "allow"),
        ("wrong", "flag"),
        ("unsure", None),
    ]
    assert {label["queue"] for label in sink.labels} == {"sample"}
    page.get_by_test_id("undo").click()
    page.get_by_test_id("undo").click()
    expect(page.get_by_test_id("review-item")).to_have_attribute("data-decision-id", second)
    expect(page.get_by_test_id("wrong")).to_have_attribute("aria-pressed", "true")
    page.get_by_test_id("right").click()
    await_another(page, second)
    assert (sink.labels[-1]["decision_id"], sink.labels[-1]["label"]) == (second, "allow")


@pytest.mark.parametrize("width", [1280, 390])
def test_what_was_saved_and_the_next_item_are_seen_at_once(visit: Visitor, folder: Path, width: int) -> None:
    page = visit.open(with_data(folder, LabelList()), "/review?queue=sample", width=width)
    first = item_of(page)

    page.get_by_test_id("right").click()

    await_another(page, first)
    expect(page.get_by_test_id("undo")).to_be_in_viewport()
    expect(page.get_by_test_id("review-item").get_by_role("heading").first).to_be_in_viewport()
    page.get_by_test_id("right").scroll_into_view_if_needed()
    page.get_by_test_id("undo").click()
    expect(page.get_by_test_id("review-item")).to_have_attribute("data-decision-id", first)
    expect(page.get_by_test_id("saved")).to_be_in_viewport()
    expect(page.get_by_test_id("review-item").get_by_role("heading").first).to_be_in_viewport()


def test_two_quick_undos_end_at_the_second_however_late_the_first_is_answered(visit: Visitor, folder: Path) -> None:
    page = visit.open(with_data(folder, LabelList()), "/review?queue=sample")
    first = item_of(page)
    page.keyboard.press("1")
    await_another(page, first)
    second = item_of(page)
    page.keyboard.press("1")
    await_another(page, second)
    hold_first_answer(page, "decision=")

    page.get_by_test_id("undo").click()
    page.get_by_test_id("undo").click()
    await_answered(page, 1)
    give_held_answer(page)

    await_answered(page, 2)
    assert item_of(page) == first


def test_what_was_not_saved_keeps_its_note_though_undo_was_pressed_meanwhile(visit: Visitor, folder: Path) -> None:
    sink = LabelList()
    visit.expected = ["503"]
    page = visit.open(with_data(folder, sink), "/review?queue=sample")
    first = item_of(page)
    page.keyboard.press("1")
    await_another(page, first)
    second = item_of(page)
    sink.error = LabelNotSavedError("Kafka does not take labels in topic `moderation.labels`: `away`")
    page.get_by_test_id("note").fill("a threat")
    hold_first_answer(page, "/api/labels")

    page.get_by_test_id("wrong").click()
    page.get_by_test_id("undo").click()
    give_held_answer(page)

    expect(page.get_by_role("alert").filter(has_text="Not saved")).to_be_visible()
    sink.error = None
    page.get_by_test_id("wrong").click()
    await_another(page, second)
    assert [(label["decision_id"], label["note"]) for label in sink.labels] == [(first, None), (second, "a threat")]


def test_what_is_not_saved_stays_with_its_note(visit: Visitor, folder: Path) -> None:
    sink = LabelList()
    sink.error = LabelNotSavedError("Kafka does not take labels in topic `moderation.labels`: `away`")
    visit.expected = ["503"]
    page = visit.open(with_data(folder, sink), "/review?queue=sample")
    item = item_of(page)
    page.get_by_test_id("note").fill("a threat: 1 2 3")

    page.get_by_test_id("wrong").click()

    expect(page.get_by_role("alert").filter(has_text="Not saved")).to_contain_text("Kafka does not take labels")
    assert item_of(page) == item
    expect(page.get_by_test_id("note")).to_have_value("a threat: 1 2 3")
    expect(page.get_by_test_id("saved")).to_be_empty()
    assert visit.axe(page) == []

    sink.error = None
    page.get_by_test_id("wrong").click()

    await_another(page, item)
    assert (sink.labels[0]["note"], sink.labels[0]["judgement"]) == ("a threat: 1 2 3", "wrong")


def test_keys_count_inside_the_item_alone_and_not_while_one_types(visit: Visitor, folder: Path) -> None:
    sink = LabelList()
    page = visit.open(with_data(folder, sink), "/review?queue=sample")
    item = item_of(page)

    page.get_by_test_id("note").press("1")
    page.get_by_test_id("nav-review").focus()
    page.keyboard.press("2")
    page.get_by_test_id("unsure").focus()
    page.keyboard.press("Control+1")
    expect(page.get_by_test_id("note")).to_have_value("1")
    page.keyboard.press("3")

    await_another(page, item)
    assert [(label["judgement"], label["note"]) for label in sink.labels] == [("unsure", "1")]


@pytest.mark.parametrize("queue", ["flagged", "shadow", "borderline"])
def test_each_queue_says_why_a_decision_is_in_it(visit: Visitor, folder: Path, queue: str) -> None:
    page = visit.open(with_data(folder, LabelList()), f"/review?queue={queue}")

    said = page.get_by_role("list", name="Why it is here").get_by_role("listitem").all_inner_texts()

    fragment = {"flagged": "flagged by ", "shadow": " would make it ", "borderline": " from the limit"}[queue]
    assert said
    assert all(fragment in line for line in said)


def test_it_looks_well_with_data(visit: Visitor, folder: Path, looks: Any) -> None:
    page = visit.open(with_data(folder, LabelList()), "/review?queue=borderline")

    looks(page)


@pytest.mark.long
def test_it_looks_well_with_nothing_and_broken(visit: Visitor, folder: Path, looks: Any) -> None:
    nothing = visit.open(empty(folder), "/review")
    expect(nothing.get_by_test_id("state-empty")).to_be_visible()
    looks(nothing)

    away = visit.open(broken(folder), "/review")
    expect(away.get_by_test_id("state-broken")).to_contain_text("Kafka does not answer")
    expect(away.get_by_test_id("review-item")).to_be_visible()
    looks(away)
