from io import BytesIO
from pathlib import Path
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderator.backtest.batches import MAX_LINE_BYTES, lines_of, ranges_of

CONTENT = st.lists(st.sampled_from([b"", b"a", b"bb\r", b"\rccc", b"d" * 9]), max_size=12).map(b"\n".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=CONTENT, range_bytes=st.integers(1, 20))
def test_every_line_of_a_file_lies_in_exactly_one_range(tmp_path: Path, content: bytes, range_bytes: int) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(content)

    lines = [line for each in ranges_of(file, len(content), range_bytes) for line in each.values()]

    assert b"".join(lines) == content
    assert all(line.find(b"\n") in (-1, len(line) - 1) for line in lines)
    assert sum(line.endswith(b"\n") for line in lines) == content.count(b"\n")


def test_what_never_ends_a_line_is_not_waited_for() -> None:
    with Path("/dev/zero").open("rb", buffering=0) as raw:
        (line,) = next(lines_of(raw, "-")).values()

    assert MAX_LINE_BYTES <= len(line) < 2 * MAX_LINE_BYTES


@given(content=CONTENT, chunk_bytes=st.integers(1, 20))
def test_every_line_of_a_pipe_comes_once_and_complete(content: bytes, chunk_bytes: int) -> None:
    raw = cast("object", BytesIO(content))

    lines = [line for each in lines_of(raw, "-", chunk_bytes) for line in each.values()]  # type: ignore[arg-type]

    assert lines == content.removesuffix(b"\n").split(b"\n") or (content in (b"", b"\n") and not any(lines))
