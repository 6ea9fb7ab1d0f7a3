"""The header by which a trace is passed on, as W3C's Trace Context has it; pure."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

NAME: Final = "traceparent"
_FORM: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_SAMPLED: Final = 1

Headers = Sequence[tuple[str, bytes | None]]


class Parent(NamedTuple):
    """A sampled span of somebody else."""

    trace_id: int
    span_id: int


def sampled_parent(headers: Headers) -> Parent | None:
    """Find the span that sent an event; None without one, where it was not sampled, and where the header is no such."""
    content = next((content for name, content in headers if name == NAME), None)
    found = _FORM.fullmatch(content) if content else None
    if found is None or not int(found[3], 16) & _SAMPLED:
        return None
    parent = Parent(int(found[1], 16), int(found[2], 16))
    return parent if parent.trace_id and parent.span_id else None


def replaced(headers: Headers, trace_id: int, span_id: int) -> Headers:
    """Give the headers with another sampled span in place of the sender's."""
    content = f"00-{trace_id:032x}-{span_id:016x}-01".encode()
    return [(name, content if name == NAME else before) for name, before in headers]
