import io
import os
import tracemalloc
from pathlib import Path

import orjson

from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, Partition, PartitionSpan, PolledSpan
from moderator.stream.jsonl import CHUNK_BYTES, JsonLinesSink, JsonLinesSource
from tests.builders import a_record, an_encoded_decision

LIMIT_BYTES = 100


def a_source(folder: Path, content: bytes) -> JsonLinesSource:
    path = folder / "chat.jsonl"
    path.write_bytes(content)
    return JsonLinesSource(path.open("rb", buffering=0), path.name, LIMIT_BYTES)


def drain(source: JsonLinesSource) -> list[PolledSpan]:
    batches = []
    while not source.is_exhausted:
        batches += source.poll(timeout_ms=1_000)
    source.close()
    return batches


def lines_of(source: JsonLinesSource) -> list[tuple[int, bytes | None]]:
    return [(record.offset, record.value) for batch in drain(source) for record in batch.items]


def test_each_line_is_a_record_numbered_from_zero(tmp_path: Path) -> None:
    assert lines_of(a_source(tmp_path, b"a\nb\nc\n")) == [(0, b"a"), (1, b"b"), (2, b"c")]


def test_a_last_line_without_an_end_counts(tmp_path: Path) -> None:
    assert lines_of(a_source(tmp_path, b"a\nb")) == [(0, b"a"), (1, b"b")]


def test_white_space_only_lines_are_passed_but_numbered(tmp_path: Path) -> None:
    assert lines_of(a_source(tmp_path, b"\n  \t\r\na\n\n")) == [(2, b"a")]


def test_line_ends_of_windows_are_no_part_of_a_line(tmp_path: Path) -> None:
    assert lines_of(a_source(tmp_path, b"a\r\nX\r\n")) == [(0, b"a"), (1, b"X")]


def test_lines_are_numbered_on_from_one_read_of_the_file_to_the_next(tmp_path: Path) -> None:
    line = b"x" * (LIMIT_BYTES - 1)
    count = 3 * CHUNK_BYTES // LIMIT_BYTES

    assert lines_of(a_source(tmp_path, (line + b"\n") * count)) == [(number, line) for number in range(count)]


def test_an_empty_file_is_exhausted_at_once(tmp_path: Path) -> None:
    assert lines_of(a_source(tmp_path, b"")) == []


def test_a_line_of_30_megabytes_is_cut_just_above_the_limit_and_the_next_one_is_whole(tmp_path: Path) -> None:
    source = a_source(tmp_path, b"x" * (30 * 2**20) + b"\nnext\n")

    lines = lines_of(source)

    assert [(offset, len(value or b"")) for offset, value in lines] == [(0, LIMIT_BYTES + 1), (1, 4)]


def test_a_line_that_does_not_end_takes_no_more_memory_than_a_few_chunks(tmp_path: Path) -> None:
    source = a_source(tmp_path, b"x" * (16 * CHUNK_BYTES))

    tracemalloc.start()
    lines = lines_of(source)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(lines) == 1
    assert most_bytes < 8 * CHUNK_BYTES


def test_a_line_too_long_to_be_kept_whole_is_never_passed_over_as_white_space(tmp_path: Path) -> None:
    blank = b" " * CHUNK_BYTES

    lines = lines_of(a_source(tmp_path, blank + b'{"text": "hi"}' + blank + b"\nnext\n"))

    assert [(offset, len(value or b"")) for offset, value in lines] == [(0, LIMIT_BYTES + 1), (1, 4)]


def test_a_line_of_exactly_the_limit_is_whole(tmp_path: Path) -> None:
    assert lines_of(a_source(tmp_path, b"y" * LIMIT_BYTES + b"\r\n")) == [(0, b"y" * LIMIT_BYTES)]


def test_the_record_names_the_file_and_its_single_partition(tmp_path: Path) -> None:
    [batch] = drain(a_source(tmp_path, b"a\n"))

    assert batch.partition == Partition("chat.jsonl", 0)
    assert (batch.items[0].topic, batch.items[0].partition, batch.next_offset) == ("chat.jsonl", 0, 1)


def test_a_pipe_gives_what_is_there_without_waiting_for_more() -> None:
    reading, writing = os.pipe()
    source = JsonLinesSource(io.FileIO(reading), "-", LIMIT_BYTES)

    nothing = source.poll(timeout_ms=1)
    os.write(writing, b"first\nsec")
    first = source.poll(timeout_ms=1_000)
    os.write(writing, b"ond\n")
    second = source.poll(timeout_ms=1_000)
    os.close(writing)
    drain(source)

    assert nothing == []
    assert [record.value for batch in first + second for record in batch.items] == [b"first", b"second"]


def test_a_paused_source_gives_nothing(tmp_path: Path) -> None:
    source = a_source(tmp_path, b"a\n")

    source.pause()
    paused = source.poll(timeout_ms=1)
    source.resume()

    assert paused == []
    assert lines_of(source) == [(0, b"a")]


def test_a_dead_letter_names_its_line_from_one_and_never_its_content() -> None:
    decisions, dead_letters = io.BytesIO(), io.BytesIO()
    sink = JsonLinesSink(decisions, dead_letters)
    span: DecidedSpan = PartitionSpan(
        Partition("-", 0), 1, 5, [(a_record(b"{", offset=4), DeadLetter("bad_json", "not JSON"))]
    )

    published = sink.publish([span])

    assert published.committed == [span]
    assert orjson.loads(dead_letters.getvalue()) == {"line": 5, "reason": "bad_json", "error": "not JSON"}
    assert decisions.getvalue() == b""


def test_outcomes_come_one_a_line_in_input_order() -> None:
    decisions, dead_letters = io.BytesIO(), io.BytesIO()
    outcomes: list[EncodedDecision | DeadLetter] = [
        an_encoded_decision(value=b'{"n": 0}'),
        DeadLetter("bad_json", "not JSON"),
        an_encoded_decision(value=b'{"n": 2}'),
        DeadLetter("no_text", "no text"),
    ]
    items = [(a_record(offset=offset), outcome) for offset, outcome in enumerate(outcomes)]

    published = JsonLinesSink(decisions, dead_letters).publish([PartitionSpan(Partition("-", 0), 1, 4, items)])

    assert published.retry == []
    assert decisions.getvalue() == b'{"n": 0}\n{"n": 2}\n'
    assert [orjson.loads(line)["line"] for line in dead_letters.getvalue().splitlines()] == [2, 4]
