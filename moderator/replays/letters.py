"""Dead letters: find, list and show them; what others wrote into them never reaches a terminal as it is."""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from typing_extensions import TypedDict

from moderator.errors import ConfigurationError
from moderator.events import Partition, Record, iso_time
from moderator.policy.syntax.diagnostics import printable
from moderator.settings import KafkaSettings
from moderator.stream.dead_letter import StoredLetter, read_letter
from moderator.stream.kafka.ranges.decision_range import OffsetRanges, TimeRange
from moderator.stream.kafka.replaying.opening import open_range
from moderator.stream.kafka.replaying.run import Reading

_PLACE: Final = re.compile(r"(\d{1,9})/(\d{1,18})")
_POLL_MS: Final = 500
_NOTHING: Final = "-"

Place = tuple[int, int]
"""Partition and offset in the dead-letter topic."""


class LetterSource(TypedDict):
    """Where the record was before."""

    topic: str | None
    partition: int | None
    offset: int | None
    timestamp: int | None


class ListedLetter(TypedDict):
    """One dead letter without its body; `bytes` are those of the body, `timestamp` is in ms."""

    place: str
    at: str
    reason: str
    error: str
    source: LetterSource
    key: str | None
    bytes: int
    truncated: bool
    replayed: int


class LetterCount(TypedDict):
    """How many dead letters have one reason and error."""

    reason: str
    error: str
    count: int


class LetterList(NamedTuple):
    """The newest letters, newest last, and all that were selected by reason and error."""

    newest: list[ListedLetter]
    counts: list[LetterCount]

    @property
    def total(self) -> int:
        """How many were selected."""
        return sum(each["count"] for each in self.counts)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters count.

    Attributes:
        reason: None: any.
        contains: bytes in the key, the body or the error; None: any.
        places: None: any.
    """

    reason: str | None = None
    contains: bytes | None = None
    places: frozenset[Place] | None = None

    def __call__(self, record: Record) -> bool:
        """Check whether the letter is one of them."""
        if self.places is not None and (record.partition, record.offset) not in self.places:
            return False
        if self.reason is None and self.contains is None:
            return True
        letter = read_letter(record)
        if self.reason is not None and letter.reason != self.reason:
            return False
        searched = (record.key or b"", record.value or b"", letter.error.encode())
        return self.contains is None or any(self.contains in part for part in searched)


def parse_place(text: str) -> Place:
    """Read `partition/offset`.

    Raises:
        ConfigurationError: it is none.
    """
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"`{text}` is no place: write `partition/offset`, such as `0/17`")
    return int(match[1]), int(match[2])


def list_letters(
    settings: KafkaSettings,
    span: TimeRange,
    selection: Selection,
    *,
    limit: int,
    show_progress: Callable[[int], Callable[[int], None]],
) -> LetterList:
    """Read the dead letters of a span of time.

    Args:
        settings: brokers and topic.
        span: of the records' timestamps.
        selection: which of them.
        limit: how many of the newest to give.
        show_progress: called with the number of offsets to read, gives what is called with each part done.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: the topic is missing.
    """
    newest: list[tuple[int, int, int, ListedLetter]] = []
    counts: Counter[tuple[str, str]] = Counter()
    with open_range(settings, Reading([settings.dead_letter_topic], span, selection)) as run:
        advance = show_progress(run.total)
        left = run.total
        while not run.source.is_exhausted:
            for letter in (read_letter(record) for each in run.source.poll(_POLL_MS) for record in each.items):
                counts[letter.reason, letter.error] += 1
                heapq.heappush(newest, (letter.record.timestamp_ms or 0, *parse_place(letter.place), listed(letter)))
                if len(newest) > limit:
                    heapq.heappop(newest)
            advance(left - run.source.offsets_left)
            left = run.source.offsets_left
    counted = [LetterCount(reason=why, error=error, count=n) for (why, error), n in counts.most_common()]
    return LetterList([each for *_, each in sorted(newest, key=lambda one: one[:3])], counted)


def letter_at(settings: KafkaSettings, place: Place) -> StoredLetter:
    """Read one dead letter.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: none is there.
    """
    partition = Partition(settings.dead_letter_topic, place[0])
    with open_range(settings, Reading([], OffsetRanges({partition: (place[1], place[1] + 1)}))) as run:
        while not run.source.is_exhausted:
            for record in (record for span in run.source.poll(_POLL_MS) for record in span.items):
                return read_letter(record)
    raise ConfigurationError(
        f"there is no dead letter at `{place[0]}/{place[1]}` in topic `{partition.topic}`: "
        "`moderator dead-letters list` gives the places"
    )


def listed(letter: StoredLetter) -> ListedLetter:
    """Give what is listed of a letter."""
    record = letter.record
    return {
        "place": letter.place,
        "at": letter.at,
        "reason": letter.reason,
        "error": letter.error,
        "source": {
            "topic": letter.topic,
            "partition": letter.partition,
            "offset": letter.offset,
            "timestamp": letter.timestamp_ms,
        },
        "key": None if record.key is None else record.key.decode(errors="backslashreplace"),
        "bytes": len(record.value or b""),
        "truncated": bool(letter.truncated),
        "replayed": letter.replays,
    }


def line_of(letter: ListedLetter) -> str:
    """Give one line for people, two spaces between the parts."""
    source = letter["source"]
    place = "/".join(_NOTHING if each is None else str(each) for each in (source["topic"], *_numbers(source)))
    key = _NOTHING if letter["key"] is None else letter["key"]
    again = (
        "replayed once"
        if letter["replayed"] == 1
        else f"replayed {letter['replayed']} times"
        if letter["replayed"]
        else ""
    )
    cut = "truncated" if letter["truncated"] else ""
    parts = (letter["place"], letter["at"], letter["reason"], place, key, f"{letter['bytes']} B", letter["error"])
    return "  ".join(printable(part or _NOTHING) for part in parts) + "".join(
        f"  {mark}" for mark in (cut, again) if mark
    )


def count_line_of(count: LetterCount) -> str:
    """Give one line for people."""
    return f"{count['count']:>9,}  {printable(count['reason'] or _NOTHING)}  {printable(count['error'] or _NOTHING)}"


def shown(letter: StoredLetter) -> Iterator[str]:
    """Give the lines of a letter for people: its headers, a blank line, its body; what does not print is escaped."""
    record = letter.record
    yield f"place: {letter.place}"
    if record.timestamp_ms is not None:
        yield f"timestamp: {iso_time(record.timestamp_ms / 1_000)}"
    yield f"key: {_text(record.key)}"
    for name, content in record.headers:
        yield f"{printable(name)}: {_text(content)}"
    yield ""
    body = record.value
    yield from map(_text, [None] if body is None else body.split(b"\n"))


def _numbers(source: LetterSource) -> tuple[int | None, int | None]:
    return source["partition"], source["offset"]


def _text(content: bytes | None) -> str:
    return "(null)" if content is None else printable(content.decode(errors="backslashreplace"))
