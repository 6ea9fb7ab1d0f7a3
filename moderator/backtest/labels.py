"""Labels that people gave events: JSON lines `{"id": "evt-1", "label": "flag"}`, or records `moderator.label/1`.

A `tenant` is added where each tenant has its own ids. Other keys belong to the tools that wrote them. The id is
the event's, which outlives policies and models. Of records, those that `LabelBook` says count.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import orjson

from moderator.backtest.decision import BOM
from moderator.errors import ConfigurationError, reason_of
from moderator.events import Verdict
from moderator.labels.book import LabelBook
from moderator.labels.record import SCHEMA, InvalidLabelError, label_from

_LABELS: tuple[Verdict, ...] = get_args(Verdict)
_SHOWN_PROBLEMS = 10
_FORM = '`{"id": "evt-1", "label": "flag"}`, label flag or allow, a tenant where ids are a tenant\'s own'

Key = tuple[str | None, str]
"""Tenant, or None for any, and event id."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The verdict that people gave, by event."""

    verdicts: Mapping[Key, Verdict]

    def key_of(self, tenant: str | None, event_id: str) -> Key | None:
        """Give the label's key for an event; one that names the tenant wins."""
        for key in ((tenant, event_id), (None, event_id)):
            if key in self.verdicts:
                return key
        return None


NO_LABELS = Labels({})


def read_labels(path: Path) -> Labels:
    """Read a file of labels; blank lines are skipped.

    Raises:
        ConfigurationError: the file cannot be read, has no label, or has lines that are not labels; each is named.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read `{path}`: {reason_of(error)}") from error
    book, verdicts = LabelBook(), dict[Key, Verdict]()
    problems = list(_read_into(book, verdicts, content.removeprefix(BOM).split(b"\n")))
    if problems:
        shown = [f"`{path}` {problem}" for problem in problems[:_SHOWN_PROBLEMS]]
        more = [f"and {len(problems) - _SHOWN_PROBLEMS} more"] if len(problems) > _SHOWN_PROBLEMS else []
        raise ConfigurationError("\n".join([*shown, *more]))
    if not verdicts and not len(book):
        raise ConfigurationError(f"`{path}` holds no label: write one a line, {_FORM}")
    return Labels({**labels_of(book).verdicts, **verdicts})


def labels_of(book: LabelBook) -> Labels:
    """Give the labels that count."""
    return Labels({(label["tenant"], label["id"]): cast("Verdict", label["label"]) for label in book.counting()})


def _read_into(book: LabelBook, verdicts: dict[Key, Verdict], content: Iterable[bytes]) -> Iterator[str]:
    """Read every label; yield what is wrong, line by line."""
    lines: dict[Key, int] = {}
    for number, line in enumerate(content, start=1):
        if not line.strip():
            continue
        label = _read_line(line, book)
        if isinstance(label, str):
            yield f"line {number}: {label}"
        elif label is not None:
            key, verdict = label
            if verdicts.setdefault(key, verdict) != verdict:
                said = verdicts[key]
                yield f"line {number}: says {verdict} of `{key[1]}`, of which line {lines[key]} says {said}: keep one"
            lines.setdefault(key, number)


def _read_line(line: bytes, book: LabelBook) -> tuple[Key, Verdict] | str | None:
    """Read one label: a record goes to the book, the short form is given, and what is wrong with either."""
    try:
        label = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON ({error.msg} at character {error.pos + 1}): write {_FORM}"
    if not isinstance(label, dict):
        return f"no label: write {_FORM}"
    if label.get("schema") != SCHEMA:
        return _read_short(label)
    try:
        book.add(label_from(label))
    except InvalidLabelError as error:
        return str(error)
    return None


def _read_short(label: Mapping[str, Any]) -> tuple[Key, Verdict] | str:
    identity, tenant, verdict = label.get("id"), label.get("tenant"), label.get("label")
    if not isinstance(identity, str) or not identity:
        return "the label has no `id`, the event's, as text"
    if tenant is not None and not isinstance(tenant, str):
        return "`tenant` should be text"
    if verdict not in _LABELS:
        return "`label` should be flag or allow"
    return (tenant, identity), cast("Verdict", verdict)
