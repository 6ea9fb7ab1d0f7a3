"""Dead letters as they are read: whatever the headers hold."""

import pytest

from moderator.events import DeadLetter
from moderator.stream.dead_letter import original_record, read_letter
from moderator.stream.kafka.producing.dead_letters import dead_letter_record
from tests.builders import a_record


def test_a_letter_says_what_was_written() -> None:
    record = a_record(b"body", topic="chat.events", partition=2, offset=991, headers=[("dlq.replays", b"4")])
    key, value, headers = dead_letter_record(record, DeadLetter("bad_json", "not JSON"), "2026-10-05T12:00:00Z", 10**6)

    letter = read_letter(a_record(value, topic="dead", partition=0, offset=17, key=key, headers=headers))

    assert letter.place == "0/17"
    assert letter[1:] == (
        "bad_json",
        "not JSON",
        "2026-10-05T12:00:00Z",
        "chat.events",
        2,
        991,
        1_790_000_000_000,
        (),
        4,
    )


@pytest.mark.parametrize("digits", [b"", b"-1", b"two", b"\xff", b"9" * 19, "²".encode()])
def test_a_number_that_is_none_counts_as_nothing(digits: bytes) -> None:
    headers = [("dlq.partition", digits), ("dlq.replays", digits)]

    letter = read_letter(a_record(headers=headers))

    assert (letter.partition, letter.replays, letter.reason) == (None, 0, "")


def test_how_often_it_was_replayed_survives_the_next_dead_letter_if_it_is_a_number() -> None:
    letter = DeadLetter("bad_json", "not JSON")

    counted = dead_letter_record(a_record(headers=[("dlq.replays", b"2")]), letter, "", 10**6)
    forged = dead_letter_record(a_record(headers=[("dlq.replays", b"x" * 10**6)]), letter, "", 10**6)

    assert dict(counted.headers)["dlq.replays"] == b"2"
    assert "dlq.replays" not in dict(forged.headers)


def test_a_producers_own_headers_go_into_the_dead_letter_and_out_again_whatever_they_are_called() -> None:
    theirs = [("dlq.retries", b"3"), ("dlq.", b"x"), ("dlq.reason.code", b"7")]
    value, headers = dead_letter_record(a_record(headers=theirs), DeadLetter("bad_json", "no"), "", 10**6)[1:]

    sent = original_record(read_letter(a_record(value, headers=headers)), "monday")

    assert headers[:3] == theirs
    assert [each for each in sent.headers if each[0].startswith("dlq.")] == [*theirs, ("dlq.replays", b"1")]


def test_a_record_without_key_or_value_is_sent_empty() -> None:
    letter = read_letter(a_record(None, headers=[("trace", None), ("dlq.partition", b"5")]))

    sent = original_record(letter, "monday")

    assert (sent.value, sent.partition, sent.headers[0]) == (b"", 5, ("trace", b""))
