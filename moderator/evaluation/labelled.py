"""Labelled events: JSON lines, each a chat event with `labels`, and perhaps `group` and `weight`."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from moderator.errors import ConfigurationError, reason_of
from moderator.events import ChatEvent, DeadLetter, Record
from moderator.scoring.rendering.visible import visible
from moderator.settings import Settings
from moderator.stream.codec import decode

_OURS: Final = ("labels", "group", "weight")


class _WrongLineError(Exception):
    """A line is no labelled event; the text says why."""


@dataclass(frozen=True, slots=True)
class LabelledEvent:
    """An event of which people said something.

    Attributes:
        labels: by objective, 0 to 1; an objective that is absent was not judged.
        group: any name, for figures by group; None: none.
        weight: how much it counts where a model is fitted, above 0.
        text: hash of the judged message as a reader sees it, in lower case.
    """

    event: ChatEvent
    labels: Mapping[str, float]
    group: str | None
    weight: float
    text: str

    @property
    def unit(self) -> str:
        """What rows of one conversation have in common, else rows of one text."""
        return self.event.conversation_id or self.text


def read_labelled(path: Path, settings: Settings) -> list[LabelledEvent]:
    """Read a file of labelled events, in its order.

    Raises:
        ConfigurationError: it cannot be read, holds no line, or lines are wrong; the text names each of them, never
            what people wrote.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"cannot read `{path}`: {reason_of(error)}") from error
    rows: list[LabelledEvent] = []
    wrong: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(_read(line, number, settings))
        except _WrongLineError as error:
            wrong.append(f"{path}:{number}: {error}")
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    if not rows:
        raise ConfigurationError(f"`{path}` holds no labelled event")
    return rows


def _read(line: bytes, number: int, settings: Settings) -> LabelledEvent:
    body = _object(line)
    labels = dict(_labels(body.get("labels")))
    group, weight = body.get("group"), body.get("weight", 1)
    if group is not None and not isinstance(group, str):
        raise _WrongLineError("`group` must be text")
    if not _is_number(weight) or not weight > 0:
        raise _WrongLineError("`weight` must be a number above 0")
    value = orjson.dumps({key: each for key, each in body.items() if key not in _OURS})
    record = Record("labels", 0, number, 0, None, value)
    event = decode(record, settings.max_event_bytes, settings.reading)
    if isinstance(event, DeadLetter):
        raise _WrongLineError(f"{event.reason}: {event.error}")
    return LabelledEvent(event, labels, group, float(weight), _hash(event))


def _object(line: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise _WrongLineError("is not a JSON object")
    return body


def _labels(given: object) -> Iterator[tuple[str, float]]:
    if not isinstance(given, dict) or not given:
        raise _WrongLineError("`labels` must give objectives a number from 0 to 1 each")
    for name, value in given.items():
        if isinstance(value, bool) or (_is_number(value) and 0 <= value <= 1):
            yield name, float(value)
        else:
            raise _WrongLineError(f"`labels.{name}` must be a number from 0 to 1, or true or false")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _hash(event: ChatEvent) -> str:
    text = visible(event.conversation[-1].content).text
    return hashlib.sha256(text.casefold().encode(errors="replace")).hexdigest()
