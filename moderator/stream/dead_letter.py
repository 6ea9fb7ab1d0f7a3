"""Dead letters as they are found in their topic: what is known of each, and the record that it was before.

Knows nothing of Kafka's client. `kafka/producing/dead_letters.py` writes them.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from moderator.events import Record

OURS: Final = "dlq."
"""How the names of the headers begin that say why a record is a dead letter."""
OWN: Final = frozenset(
    f"{OURS}{name}"
    for name in (
        "reason",
        "error",
        "topic",
        "partition",
        "offset",
        "timestamp",
        "at",
        "replays",
        "null",
        "truncated",
    )
)
"""All names of such headers; another one that begins so is the producer's."""
REPLAYS: Final = "dlq.replays"
"""How often it was sent to the events topic again."""
REPLAY_ID: Final = "replay_id"
REPLAY_OF: Final = "replay_of"

Headers = list[tuple[str, bytes]]

_MOST_DIGITS = 18


class StoredLetter(NamedTuple):
    """One dead letter.

    Attributes:
        record: as it is in the dead-letter topic.
        reason, error, at: why and when it was set aside; empty where the record says nothing of it.
        topic, partition, offset, timestamp_ms: of the original record.
        truncated: what was cut to fit: `value`, `headers`, `key`.
        replays: how often it was sent to the events topic again.
    """

    record: Record
    reason: str
    error: str
    at: str
    topic: str | None
    partition: int | None
    offset: int | None
    timestamp_ms: int | None
    truncated: tuple[str, ...]
    replays: int

    @property
    def place(self) -> str:
        """Where it is in the dead-letter topic: `partition/offset`."""
        return f"{self.record.partition}/{self.record.offset}"


def read_letter(record: Record) -> StoredLetter:
    """Read what the headers say; what is missing or damaged says nothing."""
    said = said_of(record.headers)
    return StoredLetter(
        record,
        said.get("reason", ""),
        said.get("error", ""),
        said.get("at", ""),
        said.get("topic") or None,
        _number(said.get("partition")),
        _number(said.get("offset")),
        _number(said.get("timestamp")),
        tuple(part for part in said.get("truncated", "").split(",") if part),
        replays_of(record.headers),
    )


def said_of(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    """Give what the headers of ours say, by their names without `dlq.`; of several with one name the last."""
    ours = ((name.removeprefix(OURS), content) for name, content in headers if name.startswith(OURS))
    return {name: (content or b"").decode(errors="replace") for name, content in ours}


def replays_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    """Give how often a record was sent to the events topic again; 0 where its headers say nothing that is a number."""
    return _number(said_of(headers).get("replays")) or 0


def original_record(letter: StoredLetter, replay_id: str, value: bytes | None = None) -> Record:
    """Give the record to send to the events topic again, marked as a replay.

    Args:
        letter: not truncated.
        replay_id: of the run.
        value: instead of the original one; None: the original.
    """
    record = letter.record
    headers = [(name, content or b"") for name, content in record.headers if not _is_of_replays(name)]
    place = f"{record.topic}/{record.partition}/{record.offset}"
    marks = [*replay_marks(replay_id, place), (REPLAYS, str(letter.replays + 1).encode())]
    partition = record.partition if letter.partition is None else letter.partition
    sent = record.value if value is None else value
    if sent is None and record.key is None:  # the client writes no record without both
        sent = b""
    return record._replace(partition=partition, value=sent, headers=[*headers, *marks])


def replay_marks(replay_id: str, replay_of: str) -> Headers:
    """Give the headers of what a replay writes."""
    return [(REPLAY_ID, replay_id.encode()), (REPLAY_OF, replay_of.encode())]


def _is_of_replays(name: str) -> bool:
    return name in OWN or name in {REPLAY_ID, REPLAY_OF}


def _number(digits: str | None) -> int | None:
    return int(digits) if digits and digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None
