"""Read labelled chats: rows with soft labels, preference pairs, identity templates.

Every line is checked as it is read; a bad one is an error that names file and line, never its text.
"""

import csv
import gzip
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moderator.errors import ConfigurationError
from moderator.events import Turn

SAFETY = "is_safe"
HELPFULNESS = "helpfulness"
CATEGORIES = ("x_hate", "x_harassment", "x_sexual", "x_violence", "x_selfharm", "x_illicit")
COLUMNS = (SAFETY, HELPFULNESS, *CATEGORIES)
"""The labels that the network learns; only the first two become objectives of the checkpoint."""

OBJECTIVES = ("beavertails-is_safe", "helpsteer-helpfulness")
"""The checkpoint's objectives, in the order of the first two columns."""

HARMFUL_BELOW = 0.5
"""Rows whose safety label is lower count as harmful where figures need two kinds."""

HARMLESS_FROM = 0.9
"""Rows whose safety label is at least this are harmless beyond doubt."""

_IDENTITY_SOURCE = "identity-templates"
_TEMPLATE_OF_TERMS = "verb_adj"
_LARGEST_TEMPLATE = "name_adj"
_ONE_IN_LARGEST = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation whose last turn is judged.

    Attributes:
        labels: by column, 0..1; a missing column is unknown.
        weight: how much the row counts, above 0.
        logits: what a teacher gives, by column; empty without a teacher.
    """

    conversation: tuple[Turn, ...]
    labels: Mapping[str, float]
    source: str
    licence: str
    weight: float = 1.0
    logits: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two conversations of which the first is better in one column."""

    chosen: tuple[Turn, ...]
    rejected: tuple[Turn, ...]
    column: str
    source: str
    licence: str


def read_rows(path: Path, column: str) -> Iterator[Row]:
    """Read conversations, one JSON object per line; each has a label in `column` at least."""
    for where, line in _numbered_lines(path):
        parsed = _parse(_RowLine, where, line)
        if column not in parsed.labels:
            raise ConfigurationError(f"{where}: `labels.{column}`: field required")
        yield Row(_turns(parsed.messages), dict(parsed.labels.items()), parsed.source, parsed.licence, parsed.weight)


def read_pairs(path: Path) -> Iterator[Pair]:
    """Read preference pairs, one JSON object per line."""
    for where, line in _numbered_lines(path):
        parsed = _parse(_PairLine, where, line)
        yield Pair(_turns(parsed.chosen), _turns(parsed.rejected), parsed.objective, parsed.source, parsed.licence)


def read_identity_templates(path: Path) -> Iterator[Row]:
    """Read harmless and harmful phrases about identity terms, the term in each source's name.

    The largest template says the same of many names; a quarter of its rows is read.
    """
    phrases = [_template_line(where, line) for where, line in islice(_numbered_lines(path), 1, None)]
    terms = {phrase.partition(" ")[2] for template, _, phrase in phrases if template == _TEMPLATE_OF_TERMS}
    for template, toxicity, phrase in phrases:
        if template != _LARGEST_TEMPLATE or stable_hash(phrase) % _ONE_IN_LARGEST == 0:
            safety = 0.1 if toxicity == "toxic" else 0.95
            source = f"{_IDENTITY_SOURCE}/{_term_in(phrase, terms)}"
            yield Row((Turn("user", phrase),), {SAFETY: safety}, source, "Apache-2.0")


def _template_line(where: str, line: bytes) -> list[str]:
    fields = next(csv.reader([line.decode(errors="replace")]), [])
    if len(fields) != len(("template", "toxicity", "phrase")) or fields[1] not in {"toxic", "nontoxic"}:
        raise ConfigurationError(f"{where}: expected `template,toxicity,phrase` with toxicity `toxic` or `nontoxic`")
    return fields


def _term_in(phrase: str, terms: Collection[str]) -> str:
    """Give the longest of `terms` that a phrase ends with or holds, else its last word."""
    words = phrase.split()
    parts = (" ".join(words[at : at + count]) for count in (2, 1) for at in reversed(range(len(words))))
    return next((part for part in parts if part in terms), words[-1] if words else "")


def is_identity_template(row: Row) -> bool:
    """Whether a row is one of the identity templates."""
    return source_kind(row.source) == _IDENTITY_SOURCE


def source_kind(source: str) -> str:
    """Cut a source's name at its first bracket or slash."""
    return source.partition("(")[0].partition("/")[0]


def stable_hash(text: str) -> int:
    """Hash to a number that is the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _MessageField(_Line):
    role: Literal["system", "user", "assistant"]
    content: str


_Column = Literal[
    "is_safe", "helpfulness", "x_hate", "x_harassment", "x_sexual", "x_violence", "x_selfharm", "x_illicit"
]


class _RowLine(_Line):
    messages: list[_MessageField] = Field(min_length=1)
    labels: dict[_Column, Annotated[float, Field(ge=0, le=1)]]
    source: str
    licence: str
    weight: float = Field(1.0, gt=0)


class _PairLine(_Line):
    chosen: list[_MessageField] = Field(min_length=1)
    rejected: list[_MessageField] = Field(min_length=1)
    objective: Literal["is_safe", "helpfulness"]
    source: str
    licence: str


def _turns(messages: list[_MessageField]) -> tuple[Turn, ...]:
    return tuple(Turn(message.role, message.content) for message in messages)


_L = TypeVar("_L", bound=_Line)


def _parse(kind: type[_L], where: str, line: bytes) -> _L:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "line"
        raise ConfigurationError(f"{where}: `{place}`: {first['msg'].lower()}") from None


def _numbered_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    number = 0
    try:
        with gzip.open(path) as lines:
            for number, line in enumerate(lines, start=1):
                yield f"{path}:{number}", line
    except (OSError, EOFError) as error:
        raise ConfigurationError(f"cannot read `{path}` after line {number}: {error}") from None
