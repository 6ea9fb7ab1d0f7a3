import json

import pytest

from moderator.labels.book import LabelBook
from moderator.labels.rates import Share
from moderator.labels.record import encode_label, record_key
from tests.builders import a_label

RULE = "chat-safety/unsafe-reply"
EVENT = ("acme", "evt-1")


def a_book(*labels: object) -> LabelBook:
    book = LabelBook()
    for label in labels:
        book.add(label)  # type: ignore[arg-type]
    return book


def test_a_persons_new_label_of_an_event_replaces_the_old_one_whatever_the_clock_says() -> None:
    first = a_label(label="flag", labelled_at="2026-11-29T12:00:05Z")
    second = a_label(label="allow", labelled_at="2026-11-29T12:00:00Z")

    book = a_book(first, second)

    assert book.of(EVENT) == [second]


def test_of_several_people_the_newest_counts() -> None:
    newest = a_label(reviewer="ana", label="flag", labelled_at="2026-11-29T12:00:05Z")
    older = a_label(reviewer="ben", label="allow", labelled_at="2026-11-29T12:00:00Z")

    assert [label["label"] for label in a_book(newest, older).counting()] == ["flag"]


def test_unsure_takes_a_persons_label_back_and_leaves_those_of_others() -> None:
    ben = a_label(reviewer="ben", label="allow", labelled_at="2026-11-29T11:00:00Z")
    book = a_book(a_label(reviewer="ana", label="flag"), ben, a_label(reviewer="ana", label=None))

    assert [label["reviewer"] for label in book.counting()] == ["ben"]
    assert EVENT in book


def test_events_of_two_tenants_with_one_id_are_two_events() -> None:
    book = a_book(a_label(tenant="acme"), a_label(tenant="other", label="allow"), a_label(tenant=None))

    assert len(book) == 3


def test_a_record_without_a_value_removes_the_label_of_its_key() -> None:
    label = a_label(tenant="a:c/me", id="evt 1", reviewer="än%a")
    book = a_book(label)

    book.take(record_key(label), None)
    book.take(b"no key of ours", None)

    assert len(book) == 0


def test_what_is_no_label_is_counted_and_left_out() -> None:
    book = LabelBook()

    for value in (b"{", b"[]", b'{"schema": "moderator.decision/1"}', encode_label(a_label(judgement="maybe"))):
        book.take(b"key", value)

    assert (book.invalid, len(book)) == (4, 0)


def test_precision_counts_the_labelled_events_that_a_rule_flagged() -> None:
    flags = [a_label(id=f"evt-{n}", label="flag" if n < 12 else "allow", rules=[RULE, "b/c"]) for n in range(30)]
    other = a_label(id="evt-99", label="allow", verdict="allow", rules=["b/c"])

    precision = a_book(*flags, other, a_label(id="evt-98", label=None)).precision()

    assert precision == {RULE: Share(12, 30), "b/c": Share(12, 31)}
    share = precision[RULE]
    # (2np + z² ± z·√(z² + 4npq)) / (2(n + z²)), z = 1.959964, in decimals
    assert share.interval == pytest.approx((0.245906, 0.576796), abs=5e-7)
    assert share.share == pytest.approx(0.4)
    assert share.is_enough
    assert not Share(29, 29).is_enough


def test_a_new_label_changes_the_precision() -> None:
    book = a_book(a_label(label="flag"))
    before = book.precision()

    book.add(a_label(label="allow"))

    assert (before[RULE], book.precision()[RULE]) == (Share(1, 1), Share(0, 1))


def test_the_sample_gives_the_share_of_allowed_events_that_should_have_been_flagged() -> None:
    sampled = [a_label(id=f"evt-{n}", verdict="allow", queue="sample", label="flag" if n else "allow") for n in (0, 1)]

    assert a_book(*sampled, a_label(id="evt-9", verdict="allow", queue="borderline")).missed() == Share(1, 2)
    assert LabelBook().missed() == Share(0, 0)
    assert LabelBook().missed().share is None


def test_lines_have_the_form_that_any_version_reads() -> None:
    book = a_book(a_label(tenant=None), a_label(id="evt-2", label="allow"), a_label(id="evt-3", label=None))

    assert [json.loads(line) for line in book.lines()] == [
        {"id": "evt-1", "label": "flag"},
        {"id": "evt-2", "tenant": "acme", "label": "allow"},
    ]
