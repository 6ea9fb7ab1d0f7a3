"""The sample chat events of the demo and the tests: `sample_events.jsonl`, one record's value a line, as raw bytes.

Written for this project; ten of the lines are malformed on purpose, one of them is not even UTF-8.
"""

from dataclasses import dataclass
from pathlib import Path

from moderator.events import ChatEvent, Record
from moderator.stream.codec import decode

MALFORMED_COUNT = 10
_FILE = Path(__file__).with_name("sample_events.jsonl")


@dataclass(frozen=True, slots=True)
class Sample:
    """One record to send.

    Attributes:
        value: the line's bytes.
        event: the decoded event; None for the malformed ones.
    """

    value: bytes
    event: ChatEvent | None

    @property
    def key(self) -> bytes | None:
        """The conversation id, so that a conversation stays in order; None where it has none or cannot be read."""
        if self.event is None or self.event.conversation_id is None:
            return None
        return self.event.conversation_id.encode()

    @property
    def text(self) -> str:
        """The judged message, or the line itself where no message can be read."""
        return self.value.decode(errors="replace") if self.event is None else self.event.conversation[-1].content


def sample_events() -> list[Sample]:
    """Give all samples in the order they are to be sent."""
    return [_read(line) for line in _FILE.read_bytes().split(b"\n") if line]


def _read(line: bytes) -> Sample:
    record = Record("samples", 0, 0, timestamp_ms=None, key=None, value=line)
    event = decode(record, max_event_bytes=len(line))
    return Sample(line, event if isinstance(event, ChatEvent) else None)
