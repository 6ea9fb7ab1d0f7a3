"""Text signals whose recorded numbers a candidate cannot use."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from moderator.backtest.batches import Lines
from moderator.backtest.comparing import compare
from moderator.backtest.labels import NO_LABELS
from moderator.backtest.report.page import backtest_page
from moderator.backtest.report.text import backtest_text
from moderator.backtest.report.values import BacktestReport
from moderator.backtest.run import Plan
from moderator.backtest.texts import read_texts
from moderator.errors import ConfigurationError
from moderator.events import Record, Turn
from moderator.policy import PolicySet, load_policies
from moderator.settings import ReadingSettings
from tests.unit.backtest.decisions import USUAL, recorded
from tests.unit.policy.folders import SETTINGS, SIGNALS, a_folder, a_policy, a_rule

WORDS = "  scam-words: {about: Scam wording, from_text: {words: lists/scam.txt}}\n"
LINKS = "  links: {about: Hosts linked, from_text: {links: any}}\n"
TITLES = "  title-words: {about: In the title, from_text: {words: lists/scam.txt, of: metadata.title}}\n"
SCAM = a_rule("scam-words: at least 1", name="scam")
SCAM_LINK = a_rule("all: [{scam-words: at least 1}, {links: at least 1}]", name="scam-link")


def a_set(folder: Path, entries: str, *rules: str, signals: str = WORDS + LINKS) -> PolicySet:
    a_folder(folder, a_policy(*rules), settings=f"{SETTINGS}if_fact_missing: allow\n", signals=SIGNALS + signals)
    (folder / "lists").mkdir(exist_ok=True)
    (folder / "lists" / "scam.txt").write_text(entries)
    return load_policies(folder)


def decided(policies: PolicySet, *texts: str, **event: Any) -> list[bytes]:
    return [
        recorded(policies, *USUAL, id=f"evt-{nth}", conversation=(Turn("assistant", text),), **event)
        for nth, text in enumerate(texts)
    ]


def report_of(
    baseline: PolicySet, candidate: PolicySet, decisions: list[bytes], *sent: str, sweep: str | None = None
) -> BacktestReport:
    events = [
        Record("texts", 0, nth, None, None, json.dumps({"messages": [{"role": "assistant", "content": text}]}).encode())
        for nth, text in enumerate(sent)
    ]
    texts = read_texts(events, candidate, 2**20, ReadingSettings()) if sent else {}
    plan = Plan(baseline, candidate, NO_LABELS, sweep, texts=texts)
    return compare(plan, [Lines("held", decisions, len(decisions))], source="decisions.jsonl")


def test_without_the_texts_such_decisions_are_in_no_table(tmp_path: Path) -> None:
    baseline = a_set(tmp_path / "old", "scam\n", SCAM)
    candidate = a_set(tmp_path / "new", "scam\nfree donation\n", SCAM)

    report = report_of(baseline, candidate, decided(baseline, "a scam", "a free donation", "hello"))

    assert [(each.signal, each.decisions, each.why) for each in report.stale] == [
        ("scam-words", 3, "lists/scam.txt: 1 added, 0 removed")
    ]
    assert report.undecided == 2  # the first has an entry already, and none was removed
    assert (report.fidelity.is_whole, report.events.count, report.flips.events) == (True, 3, 1)
    assert report.examples == ()
    assert backtest_text(report).splitlines()[0] == (
        "scam-words is stale in 3 of 3 decisions (lists/scam.txt: 1 added, 0 removed); 2 could not be decided; "
        "give --texts events.jsonl"
    )
    assert "data-testid=stale>scam-words is stale in 3 of 3 decisions" in backtest_page(report)


def test_with_the_texts_the_flips_are_right_and_no_text_is_written(tmp_path: Path) -> None:
    baseline = a_set(tmp_path / "old", "scam\n", SCAM)
    candidate = a_set(tmp_path / "new", "scam\nfree donation\n", SCAM)
    sent = ("a scam", "a free donation", "hello")

    report = report_of(baseline, candidate, decided(baseline, *sent), *sent)

    assert (report.stale, report.undecided) == ((), 0)
    assert [(each.event_id, each.before, each.after) for each in report.examples] == [("evt-1", "allow", "flag")]
    everything = backtest_text(report) + backtest_page(report) + json.dumps(report.record)
    assert not [text for text in ("donation", "hello", "a scam") if text in everything]


def test_events_that_are_not_among_the_texts_stay_stale(tmp_path: Path) -> None:
    baseline, candidate = a_set(tmp_path / "old", "scam\n", SCAM), a_set(tmp_path / "new", "scam\nfree\n", SCAM)

    report = report_of(baseline, candidate, decided(baseline, "hello", "free"), "hello")

    assert ([each.decisions for each in report.stale], report.undecided) == ([1], 1)


def test_a_decision_is_told_where_the_stale_number_makes_no_difference(tmp_path: Path) -> None:
    baseline = a_set(tmp_path / "old", "scam\n", SCAM_LINK)
    candidate = a_set(tmp_path / "new", "scam\nfree\n", SCAM_LINK)
    texts = ("hello", "see www.example.org", "a scam at www.example.org")

    report = report_of(baseline, candidate, decided(baseline, *texts))

    assert ([each.decisions for each in report.stale], report.undecided) == ([3], 1)
    assert (report.flips.allow_allow, report.flips.flag_flag) == (1, 1)
    assert [near.signal for near in report.nearest] == ["links"]  # no distance is told of a number that is not known


@pytest.mark.parametrize(("entries", "undecided"), [("scam\nfree\n", 0), ("free\n", 1), ("SCAM\nfree\n", 0)])
def test_what_was_removed_and_added_bounds_the_number(tmp_path: Path, entries: str, undecided: int) -> None:
    baseline, candidate = a_set(tmp_path / "old", "scam\n", SCAM), a_set(tmp_path / "new", entries, SCAM)

    assert report_of(baseline, candidate, decided(baseline, "a scam")).undecided == undecided


def test_a_comment_or_another_order_of_entries_leaves_the_recorded_numbers_right(tmp_path: Path) -> None:
    baseline = a_set(tmp_path / "old", "scam\nfree\n", SCAM)
    candidate = a_set(tmp_path / "new", "# ours\nfree\n\nscam\n", SCAM)

    report = report_of(baseline, candidate, decided(baseline, "a scam", "hello"))

    assert (report.stale, report.flips.events) == ((), 2)


def test_a_signal_that_is_renamed_keeps_its_recorded_numbers(tmp_path: Path) -> None:
    baseline = a_set(tmp_path / "old", "scam\n", SCAM)
    renamed = a_rule("spam-words: at least 1", name="scam")
    candidate = a_set(tmp_path / "new", "scam\n", renamed, signals=WORDS.replace("scam-words", "spam-words"))

    report = report_of(baseline, candidate, decided(baseline, "a scam", "hello"))

    assert (report.stale, report.flips.flag_flag, report.flips.allow_allow) == ((), 1, 1)


def test_what_is_read_from_echoed_fields_is_read_again_and_never_stale(tmp_path: Path) -> None:
    rule = a_rule("title-words: at least 1", name="title")
    baseline = a_set(tmp_path / "old", "scam\n", rule, signals=TITLES)
    candidate = a_set(tmp_path / "new", "scam\nfree\n", rule, signals=TITLES)

    report = report_of(baseline, candidate, decided(baseline, "hello", metadata={"title": "Free for all"}))

    assert (report.stale, [each.event_id for each in report.examples]) == ((), ["evt-0"])


def test_a_text_signal_that_the_candidate_adds_was_not_recorded(tmp_path: Path) -> None:
    baseline = a_set(tmp_path / "old", "scam\n", a_rule(), signals=LINKS)
    candidate = a_set(tmp_path / "new", "scam\n", a_rule(), SCAM)

    report = report_of(baseline, candidate, decided(baseline, "hello"))

    assert [(each.signal, each.why) for each in report.stale] == [("scam-words", "not recorded by this definition")]
    assert report.undecided == 1


def test_texts_without_an_event_are_refused(tmp_path: Path) -> None:
    candidate = a_set(tmp_path, "scam\n", SCAM)

    with pytest.raises(ConfigurationError, match="`--texts` holds no event"):
        read_texts([Record("texts", 0, 0, None, None, b"no event")], candidate, 2**20, ReadingSettings())


def test_policies_with_lists_can_be_sent_to_the_processes_that_share_the_work(tmp_path: Path) -> None:
    policies = a_set(tmp_path, "scam\n", SCAM)

    received = pickle.loads(pickle.dumps(policies))

    assert received.text_signals.read("a scam", None, None) == policies.text_signals.read("a scam", None, None)  # type: ignore[union-attr]
