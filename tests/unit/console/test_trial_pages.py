"""Playground, Backtest and Review as a browser gets them, without a script."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from moderator.console.console import Console
from moderator.policy import load_policies
from moderator.settings import ConsoleSettings, PoliciesSettings, Settings
from tests.builders import a_label
from tests.unit.backtest.decisions import some_recorded
from tests.unit.console.decisions import LabelList, a_browser, a_console
from tests.unit.policy.folders import POLICY, a_folder, a_policy, a_rule
from tests.waiting import await_condition

RULE = "chat-safety/unsafe-reply"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "policies", a_policy(a_rule("safety: below 0.30")))


@pytest.fixture
def console(folder: Path) -> Console:
    decisions = some_recorded(load_policies(folder), [nth / 20 for nth in range(20)])
    settings = Settings(policies=PoliciesSettings(path=folder), console=ConsoleSettings(review_sample=1.0))
    return a_console(values=decisions, settings=settings, sink=LabelList())


@pytest.fixture
def browser(console: Console) -> TestClient:
    return a_browser(console)


def edited(folder: Path, now: str = "below 0.50") -> dict[str, str]:
    return {POLICY: (folder / POLICY).read_text().replace("below 0.30", now)}


def test_the_playground_shows_files_and_the_text_of_one(browser: TestClient) -> None:
    page = browser.get("/playground?file=settings.yaml").text

    assert f'data-testid="file" data-file="{POLICY}"' in page
    assert 'data-file="settings.yaml" aria-current="true"' in page
    assert "if_score_missing: flag\n" in page
    assert f'data-file="{POLICY}" aria-current="true"' in browser.get("/playground").text


def test_the_text_of_a_file_is_given_as_it_is_shown(browser: TestClient, folder: Path) -> None:
    (folder / POLICY).write_bytes(b"\xef\xbb\xbfpolicy: x\r\n")
    (folder / "odd.yaml").write_bytes(b"\xff")

    assert browser.get(f"/parts/playground/file?name={POLICY}").json()["text"] == "policy: x\n"
    assert browser.get("/parts/playground/file?name=odd.yaml").json()["text"] is None
    for query in ("?name=none.yaml", "?name=../none.yaml", ""):
        missing = browser.get(f"/parts/playground/file{query}")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


def test_flips_are_shown_with_the_figures_that_programs_get(browser: TestClient, folder: Path) -> None:
    figures = browser.post("/api/flips", json={"files": edited(folder)}).json()

    part = browser.post("/parts/playground/flips", json={"files": edited(folder)}).text

    assert f'data-candidate="{figures["candidate"]["snapshot"]}" data-events="20"' in part
    for cell, count in figures["flips"].items():
        before, after = cell.split("_")
        assert f'data-before="{before}" data-after="{after}" data-count="{count}"' in part
    assert f'data-testid="flip-rule" data-rule="{RULE}" data-gained="4" data-lost="0"' in part
    assert part.count('data-testid="flip-example"') == 4
    assert "All 20 decisions come out by the folder just as recorded." in part


def test_a_notice_says_how_many_decisions_other_policies_made(browser: TestClient, folder: Path) -> None:
    (folder / POLICY).write_text(edited(folder, "below 0.20")[POLICY])

    part = browser.post("/parts/playground/flips", json={}).text

    assert "20 of 20 decisions were made by other policies" in part


def test_what_cannot_be_told_without_texts_is_said_first(browser: TestClient, folder: Path) -> None:
    signals = (folder / "signals.yaml").read_text() + "  scam: {about: Scam, from_text: {words: [scam]}}\n"
    rule = edited(folder)[POLICY].replace("safety: below 0.50", "any: [{safety: below 0.30}, {scam: at least 1}]")
    edit = {"signals.yaml": signals, POLICY: rule}

    figures = browser.post("/api/flips", json={"files": edit}).json()
    part = browser.post("/parts/playground/flips", json={"files": edit}).text

    assert figures["stale"][0]["signal"] == "scam"
    assert figures["undecided"] == 14
    assert part.index('data-testid="stale"') < part.index('data-testid="flip-cell"')
    assert "14 of them could not be decided" in part


def test_both_sides_of_one_event_are_shown(browser: TestClient, folder: Path) -> None:
    body = {"files": edited(folder), "scores": {"safety": 0.4, "gone": 1.0}, "event": {"tenant": "a", "channel": "b"}}

    part = browser.post("/parts/playground/judged", json=body).text

    assert 'data-testid="folder-verdict" data-verdict="allow"' in part
    assert 'data-testid="verdict" data-verdict="flag"' in part
    assert part.count('data-signal="safety" data-score="0.4"') == 2


def test_a_backtest_is_shown_while_it_is_kept(browser: TestClient, folder: Path, console: Console) -> None:
    assert 'data-testid="state-empty"' in browser.get("/backtest").text
    job = browser.post("/api/backtests", json={"files": edited(folder)}).json()["id"]
    await_condition(lambda: console.trials.backtests.find(job).state != "running")  # type: ignore[union-attr]

    for page in (browser.get("/backtest").text, browser.get(f"/parts/backtest/{job}").text):
        assert 'data-testid="report"' in page
        assert 'data-testid="flip-cell" data-before="allow" data-after="flag" data-count="4"' in page
        assert "safety below 0.30 -&gt; below 0.50" in page


@pytest.mark.parametrize(
    ("queue", "count"), [("flagged", 6), ("shadow", 0), ("borderline", 1), ("sample", 14), ("none", 6)]
)
def test_review_shows_the_newest_decision_of_a_queue(browser: TestClient, queue: str, count: int) -> None:
    page = browser.get(f"/review?queue={queue}").text

    chosen = queue if queue != "none" else "flagged"
    assert f'data-testid="queue" data-queue="{chosen}" data-count="{count}" aria-current="true"' in page
    assert ('data-testid="review-item"' in page) == (count > 0)
    assert ('data-testid="state-empty"' in page) == (count == 0)


def test_a_labelled_decision_is_shown_again_with_its_answer(browser: TestClient, console: Console) -> None:
    decision = console.recent.decisions[0].decision_id
    label = {"decision_id": decision, "judgement": "wrong", "note": '"</textarea><b>'}
    browser.post("/api/labels", json=label)

    page = browser.get(f"/parts/review?queue=flagged&decision={decision}").text

    assert f'data-decision-id="{decision}"' in page
    assert 'data-judgement="wrong" aria-keyshortcuts="2" aria-pressed="true"' in page
    assert "&lt;/textarea&gt;&lt;b&gt;" in page


def test_where_nobody_can_label_there_are_no_buttons(folder: Path) -> None:
    decisions = some_recorded(load_policies(folder), [0.1])
    settings = Settings(policies=PoliciesSettings(path=folder))

    page = a_browser(a_console(values=decisions, settings=settings)).get("/review").text

    assert 'data-testid="review-item"' in page
    assert 'data-testid="right"' not in page
    assert "Read-only" in page


@pytest.mark.parametrize(("labels", "shown"), [(12, "12 of 30 labels"), (30, "40.0 %")])
def test_precision_is_a_figure_from_thirty_labels_on(
    browser: TestClient, console: Console, labels: int, shown: str
) -> None:
    bad = labels * 2 // 5
    for number in range(labels):
        label: Any = a_label(id=f"evt-{number}", label="flag" if number < bad else "allow", rules=[RULE])
        console.desk.book.add(label)

    page = browser.get("/policies").text

    assert (
        f'data-testid="precision" data-rule="{RULE}" data-labelled="{labels}" data-precision="{bad / labels}"' in page
    )
    assert shown in page
    rule = next(each for each in browser.get("/api/policies").json()["rules"] if each["rule"] == RULE)
    said = rule["precision"]
    assert (said["labelled"], said["deserve_flag"], said["share"]) == (labels, bad, bad / labels)
    assert (f'data-low="{said["low"]}" data-high="{said["high"]}"') in page


def test_a_rule_without_labels_has_none_of_thirty(browser: TestClient) -> None:
    page = browser.get("/policies").text

    assert f'data-testid="precision" data-rule="{RULE}" data-labelled="0" data-precision=""' in page
    assert "0 of 30 labels" in page
    assert browser.get("/api/policies").json()["missed"]["labelled"] == 0
