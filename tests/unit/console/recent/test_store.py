"""What is held in memory, and what is dropped."""

from moderator.console.recent.store import RawDeadLetter, Recent
from tests.unit.console.decisions import a_decision, encoded


def _recent(max_decisions: int = 3, max_bytes: int = 2**20) -> Recent:
    return Recent(max_decisions, max_bytes)


def test_the_newest_are_held_in_whatever_order_they_are_read() -> None:
    recent = _recent()

    recent.add_decisions(encoded(a_decision(5), a_decision(1)))
    recent.add_decisions(encoded(a_decision(3), a_decision(2), a_decision(4)))

    assert [each.event_id for each in recent.decisions] == ["evt-3", "evt-4", "evt-5"]
    assert recent.read == 5
    assert recent.is_full


def test_what_is_not_held_any_more_cannot_be_found() -> None:
    recent = _recent(1)
    first, second = a_decision(1), a_decision(2)

    recent.add_decisions(encoded(first, second))

    assert recent.find(first["decision_id"]) is None
    found = recent.find(second["decision_id"])
    assert found is not None
    assert found.record == second


def test_bytes_bound_what_is_held() -> None:
    size = Recent(9, 2**20)
    size.add_decisions(encoded(a_decision(1)))
    one_bytes = size.decisions[0].size_bytes
    recent = _recent(100, 3 * one_bytes)

    for number in range(10):
        recent.add_decisions(encoded(a_decision(number)))

    assert [each.event_id for each in recent.decisions] == ["evt-7", "evt-8", "evt-9"]


def test_what_is_no_decision_is_counted_and_harms_nothing() -> None:
    recent = _recent()
    wrong = a_decision(2) | {"rules": 5}

    recent.add_decisions([b"{", None, b"[]", *encoded(a_decision(1), wrong)])

    assert (len(recent.decisions), recent.invalid, recent.read) == (1, 4, 5)


def test_a_page_that_is_being_read_does_not_change() -> None:
    recent = _recent()
    recent.add_decisions(encoded(a_decision(1)))
    seen = recent.decisions

    recent.add_decisions(encoded(a_decision(2)))

    assert [each.event_id for each in seen] == ["evt-1"]


def test_a_dead_letter_is_what_its_headers_say() -> None:
    recent = _recent()
    headers = [("dlq.reason", b"no_text"), ("dlq.topic", b"chat.events"), ("dlq.partition", b"3"), ("other", b"x")]

    recent.add_dead_letters([RawDeadLetter([*headers, ("dlq.offset", b"7"), ("dlq.error", None)], 5)])

    (letter,) = recent.dead_letters
    assert (letter.reason, letter.place, letter.error, letter.at_ms) == ("no_text", "chat.events/3/7", "", 5)
