from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.events import DeadLetter, Partition, PartitionSpan
from moderator.pipeline.window import Entry, Span, WindowBuffer, estimated_tokens
from moderator.settings import WindowSettings
from tests.builders import a_model, a_record, a_turn, an_event

MODEL = replace(a_model(), max_input_tokens=100)
ROOMY = WindowSettings()


def an_entry(offset: int, *, partition: int = 0, text: str = "hi", size_bytes: int = 10) -> Entry:
    record = a_record(b"x" * size_bytes, partition=partition, offset=offset)
    return Entry(record, an_event(a_turn(text)), polled_at_s=0.0)


def a_span(*offsets: int, partition: int = 0, epoch: int = 1, next_offset: int | None = None, text: str = "hi") -> Span:
    entries = [an_entry(offset, partition=partition, text=text) for offset in offsets]
    return PartitionSpan(Partition("chat.events", partition), epoch, next_offset or offsets[-1] + 1, entries)


def offsets_of(span: Span) -> list[int]:
    return [entry.record.offset for entry in span.items]


def size_of(window: list[Span]) -> int:
    return sum(len(span.items) for span in window)


def test_an_empty_buffer_gives_no_window() -> None:
    assert WindowBuffer(ROOMY, MODEL).take() == []


def test_what_several_polls_gave_of_a_partition_leaves_as_one_range() -> None:
    buffer = WindowBuffer(ROOMY, MODEL)
    buffer.add(a_span(0, 1))
    buffer.add(a_span(5, partition=1))
    buffer.add(a_span(2, 3))

    window = buffer.take()

    assert [(s.partition.number, s.next_offset, offsets_of(s)) for s in window] == [
        (0, 4, [0, 1, 2, 3]),
        (1, 6, [5]),
    ]
    assert not buffer


def test_a_window_holds_no_more_events_than_its_limit_and_leaves_the_rest_in_order() -> None:
    buffer = WindowBuffer(WindowSettings(max_events=3), MODEL)
    buffer.add(a_span(0, 1, 2, 7, 9, next_offset=12))

    first, second = buffer.take(), buffer.take()

    assert (first[0].next_offset, offsets_of(first[0])) == (7, [0, 1, 2])
    assert (second[0].next_offset, offsets_of(second[0])) == (12, [7, 9])


def test_long_texts_fill_a_window_by_their_tokens_but_never_by_more_than_the_model_reads() -> None:
    buffer = WindowBuffer(WindowSettings(max_tokens=200), MODEL)
    buffer.add(a_span(0, 1, 2, text="x" * 100_000))

    first = buffer.take()

    assert size_of(first) == 2


def test_the_shortest_texts_fill_a_window_too_for_the_template_adds_to_them() -> None:
    buffer = WindowBuffer(WindowSettings(max_tokens=32), MODEL)
    buffer.add(a_span(0, 1, 2, text="hi"))

    first = buffer.take()

    assert size_of(first) == 2


def test_large_records_fill_a_window_by_their_bytes() -> None:
    buffer = WindowBuffer(WindowSettings(max_bytes=25), MODEL)
    entries = [an_entry(offset, size_bytes=10) for offset in range(5)]
    buffer.add(PartitionSpan(Partition("chat.events", 0), 1, 5, entries))

    first = buffer.take()

    assert size_of(first) == 3


def test_an_entry_larger_than_any_limit_is_still_taken() -> None:
    buffer = WindowBuffer(WindowSettings(max_bytes=1), MODEL)
    buffer.add(a_span(0, 1))

    first = buffer.take()

    assert offsets_of(first[0]) == [0]


def test_dead_letters_cost_no_tokens() -> None:
    buffer = WindowBuffer(WindowSettings(max_tokens=1), MODEL)
    entries = [Entry(a_record(offset=n), DeadLetter("bad_json", "no"), 0.0) for n in range(10)]
    buffer.add(PartitionSpan(Partition("chat.events", 0), 1, 10, entries))

    window = buffer.take()

    assert size_of(window) == 10


def test_it_is_full_when_a_whole_window_waits() -> None:
    buffer = WindowBuffer(WindowSettings(max_events=4), MODEL)
    buffer.add(a_span(0, 1, 2))
    before = buffer.is_full
    buffer.add(a_span(3))

    assert (before, buffer.is_full) == (False, True)


def test_a_partition_that_comes_back_drops_what_its_earlier_ownership_left() -> None:
    buffer = WindowBuffer(ROOMY, MODEL)
    buffer.add(a_span(0, 1, 2, epoch=1))
    buffer.add(a_span(8, partition=1))
    buffer.add(a_span(1, 2, epoch=2))

    window = buffer.take()

    assert [(s.partition.number, s.assignment_epoch, offsets_of(s)) for s in window] == [
        (1, 1, [8]),
        (0, 2, [1, 2]),
    ]


def test_what_was_dropped_fills_no_window_any_more() -> None:
    buffer = WindowBuffer(WindowSettings(max_events=4), MODEL)
    buffer.add(a_span(0, 1, 2, epoch=1))

    buffer.add(a_span(1, 2, epoch=2))

    assert not buffer.is_full


def test_what_was_cleared_is_gone() -> None:
    buffer = WindowBuffer(WindowSettings(max_events=1), MODEL)
    buffer.add(a_span(0))

    buffer.clear()

    assert not buffer
    assert not buffer.is_full


@given(
    polls=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=12),
    max_events=st.integers(1, 10),
    max_tokens=st.integers(1, 50),
)
def test_every_entry_leaves_once_in_order_and_within_bounds(
    polls: list[tuple[int, int]], max_events: int, max_tokens: int
) -> None:
    buffer = WindowBuffer(WindowSettings(max_events=max_events, max_tokens=max_tokens), MODEL)
    position = {0: 0, 1: 0, 2: 0}
    for partition, count in polls:
        start = position[partition]
        buffer.add(a_span(*range(start, start + count), partition=partition, text="x" * 40))
        position[partition] += count

    left: dict[int, list[int]] = {0: [], 1: [], 2: []}
    while window := buffer.take():
        assert 1 <= size_of(window) <= max_events
        for span in window:
            left[span.partition.number] += offsets_of(span)
            assert span.next_offset == left[span.partition.number][-1] + 1

    assert left == {partition: list(range(count)) for partition, count in position.items()}


@pytest.mark.parametrize(
    ("characters", "context", "limits", "tokens"),
    [
        (400, 0, {}, 16 + 100),
        (40_000, 0, {}, 4_096),
        (16_000, 4_000, {"max_passages": 8}, 4_096),
        (40_000, 0, {"max_passages": 8}, 3 * 4_096),
        (4_000_000, 0, {"max_passages": 8}, 8 * 4_096),
        (4_000, 0, {"max_passages": 64, "passage_tokens": 48}, 24 * (48 + 16)),
        (40_000, 8_000, {"max_passages": 64, "passage_tokens": 48}, 64 * (48 + 1_024)),
        (400, 0, {"questions": 7}, 7 * (16 + 100)),
        (40_000, 0, {"max_passages": 8, "questions": 7}, 7 * 3 * 4_096),
    ],
)
def test_a_long_message_is_estimated_as_the_passages_that_are_read_of_it(
    characters: int, context: int, limits: dict[str, Any], tokens: int
) -> None:
    model = replace(a_model(), **limits)
    turns = [*([a_turn("x" * context)] if context else []), a_turn("x" * characters)]

    assert estimated_tokens(turns, model) == tokens
