"""What the demo shows and counts, without its servers."""

import io
from typing import Any, cast

import pytest
from rich.console import Console

from moderator.demo.rows import Row, Score, row_of
from moderator.demo.samples import Sample
from moderator.demo.screen import Screen
from moderator.demo.table import header, plain, table_row
from moderator.demo.tally import Tally
from moderator.demo.traffic import Outcome, Place
from moderator.events import ChatEvent, DeadLetter, Decision, Turn

SIGNALS = ("safety", "helpfulness")
INSULT = "shut up you pathetic loser, nobody asked you"


def a_sample(text: str = INSULT) -> Sample:
    return Sample(b"{}", ChatEvent("evt-1", (Turn("user", text),)))


def a_decision(**changed: Any) -> Decision:
    matched = {
        "rule": "message-safety/unsafe-message",
        "outcome": "matched",
        "counted": True,
        "mode": "live",
        "severity": "high",
        "conditions": [{"part": "when", "signal": "safety", "holds": True}],
    }
    decision = {
        "verdict": "flag",
        "status": "scored",
        "severity": "high",
        "reasons": ["abusive_message"],
        "event": {"speaker": "user"},
        "rules": [matched, matched | {"rule": "message-safety/doubtful-message", "mode": "shadow", "counted": False}],
        "scores": {"signals": {"safety": 0.071, "helpfulness": 1.2}},
        "policy": {},
        "cached": False,
        "error": None,
    }
    return cast("Decision", decision | changed)


def an_outcome(result: Decision | DeadLetter | None = None, place: Place | None = None) -> Outcome:
    return Outcome(place or Place(0, 7), result or a_decision())


def a_flagged_row() -> Row:
    return row_of(an_outcome(), a_sample())


def a_dead_letter_row() -> Row:
    return row_of(
        an_outcome(DeadLetter("bad_json", "not UTF-8: byte 104 cannot be decoded")), Sample(b"\xe9t\xe9", None)
    )


def test_a_row_names_the_live_rules_that_flagged_and_the_scores_behind_them() -> None:
    row = a_flagged_row()

    assert row.rules == "message-safety/unsafe-message"
    assert row.scores == (Score("safety", 0.071, is_cause=True), Score("helpfulness", 1.2, is_cause=False))


def test_what_a_matched_rule_looks_for_under_unless_is_no_cause_of_its_flag() -> None:
    unless = {"part": "unless", "signal": "helpfulness", "holds": True}
    [matched, *_] = a_decision()["rules"]
    rule = {**matched, "conditions": [*matched["conditions"], unless]}

    row = row_of(an_outcome(a_decision(rules=[rule])), a_sample())

    assert [score.is_cause for score in row.scores] == [True, False]


def test_what_is_measured_of_a_text_and_what_an_event_does_not_carry_are_shown_where_a_rule_flagged_by_them() -> None:
    measured = {"safety": 0.9, "account-age": None, "links": 1.0, "capitals": 0.2}
    condition = {"part": "when", "signal": "links", "holds": True}
    [matched, *_] = a_decision()["rules"]
    decision = a_decision(
        rules=[{**matched, "conditions": [condition]}],
        scores={"signals": measured},
        policy={"text": {"signals": {"links": "0a", "capitals": "0b"}}},
    )

    row = row_of(an_outcome(decision), a_sample())

    assert row.scores == (Score("safety", 0.9, is_cause=False), Score("links", 1.0, is_cause=True))


def test_a_plain_line_holds_everything_a_row_has() -> None:
    shown = plain(a_flagged_row())

    assert shown == (
        "flag high | safety 0.07, helpfulness 1.20 | message-safety/unsafe-message | abusive_message | "
        "user: shut up you pathetic loser, nobody asked you"
    )


def test_a_dead_letter_is_shown_with_its_reason_and_its_bytes_as_far_as_they_can_be_read() -> None:
    shown = plain(a_dead_letter_row())

    assert shown == "dead letter | not UTF-8: byte 104 cannot be decoded | bad_json | \ufffdt\ufffd"


def test_an_event_without_scores_tells_why_instead_of_a_rule() -> None:
    scores = {"signals": {"safety": None, "helpfulness": None}}
    outcome = an_outcome(a_decision(status="unscored", error="the model gave no finite score", rules=[], scores=scores))

    row = row_of(outcome, a_sample())

    assert row.rules == "the model gave no finite score"
    assert "none" in table_row(row, SIGNALS, 80).plain


def test_an_event_that_somebody_else_sent_is_shown_by_where_it_lies() -> None:
    allowed = a_decision(verdict="allow", severity=None, reasons=[], rules=[])

    row = row_of(an_outcome(allowed, Place(3, 81)), None)

    assert table_row(row, SIGNALS, 80).plain == ("allow            0.07         1.20  user: (partition 3, offset 81)")


@pytest.mark.parametrize("width", [60, 80, 119, 120, 140, 200])
@pytest.mark.parametrize("row", [a_flagged_row(), a_dead_letter_row()], ids=["flag", "dead letter"])
def test_a_row_fits_the_terminal_and_its_columns_are_below_their_names(width: int, row: Row) -> None:
    lines = table_row(row, SIGNALS, width).split("\n")
    names = header(SIGNALS, width).plain

    assert all(line.cell_len <= width for line in lines)
    if row.scores:
        end_of_safety = names.index("safety") + len("safety")
        assert lines[0].plain[:end_of_safety].endswith("0.07")


def test_a_wide_terminal_shows_a_row_in_one_line_and_a_small_one_in_two() -> None:
    wide, least_wide, largest_small, small = (
        table_row(a_flagged_row(), SIGNALS, width).plain for width in (160, 120, 119, 80)
    )

    assert (wide.count("\n"), least_wide.count("\n")) == (0, 0)
    assert (largest_small.count("\n"), small.count("\n")) == (1, 1)
    assert INSULT in wide


def test_the_columns_names_come_again_with_every_screenful() -> None:
    shown = io.StringIO()
    screen = Screen(Console(file=shown, force_terminal=True, width=140, height=12))

    for _ in range(20):
        screen.row(a_flagged_row(), SIGNALS)

    lines = shown.getvalue().splitlines()
    assert [number for number, line in enumerate(lines) if "verdict" in line] == [0, 9, 18]


def test_the_sum_is_exact_when_every_event_came_back_once() -> None:
    tally = a_tally(back=[Place(0, 0), Place(0, 1)])

    assert tally.is_exact
    assert tally.sum_line() == "2 events in = 2 flag + 0 allow + 0 dead letters: each one exactly once"


def test_a_missing_and_a_repeated_event_are_both_reported_even_when_the_sum_is_right() -> None:
    tally = a_tally(back=[Place(0, 0), Place(0, 0)])

    assert not tally.is_exact
    assert tally.sum_line() == "2 events in, but 2 flag + 0 allow + 0 dead letters out: 1 missing, 1 repeated"


def test_an_event_that_came_back_twice_is_reported_though_none_is_missing() -> None:
    tally = a_tally(back=[Place(0, 0), Place(0, 1), Place(0, 1)])

    assert tally.is_complete
    assert not tally.is_exact
    assert tally.sum_line() == "2 events in, but 3 flag + 0 allow + 0 dead letters out: 0 missing, 1 repeated"


def test_an_event_of_another_sender_makes_the_sum_wrong() -> None:
    tally = a_tally(back=[Place(0, 0), Place(0, 1), Place(2, 9)])

    assert (tally.is_complete, tally.is_exact) == (True, False)


def a_tally(back: list[Place]) -> Tally:
    tally = Tally()
    tally.add_sent({Place(0, 0): a_sample(), Place(0, 1): a_sample()})
    for place in back:
        tally.add_back(an_outcome(place=place), a_flagged_row())
    return tally
