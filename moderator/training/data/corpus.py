"""Everything that a training run reads, divided into rows for training and rows held out for evaluation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.training.data.rows import (
    HELPFULNESS,
    SAFETY,
    Pair,
    Row,
    read_identity_templates,
    read_pairs,
    read_rows,
    stable_hash,
)

_HELD_OUT_OF = 25
_HELD_OUT_TERMS_OF = 6


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows with safety labels, preference pairs, and real exchanges; no list is empty."""

    rows: list[Row]
    held_out: list[Row]
    pairs: list[Pair]
    held_out_pairs: list[Pair]
    relevance: list[Row]
    held_out_relevance: list[Row]

    @property
    def licences(self) -> dict[str, str]:
        """Licence by source, sorted by source."""
        parts = (self.rows, self.held_out, self.pairs, self.held_out_pairs, self.relevance, self.held_out_relevance)
        return dict(sorted((row.source, row.licence) for part in parts for row in part))


def read_corpus(folder: Path, own: Iterable[Row] = ()) -> Corpus:
    """Read `train.jsonl.gz`, `pairs.jsonl.gz`, `relevance.jsonl.gz` and `identity_templates.csv.gz` from `folder`.

    Args:
        folder: holds the four files.
        own: rows added to those of `train.jsonl.gz`.

    Raises:
        ConfigurationError: a file is missing, has too few lines to hold some out, or has an invalid line.
    """
    templates = read_identity_templates(folder / "identity_templates.csv.gz")
    labelled = [*read_rows(folder / "train.jsonl.gz", SAFETY), *own]
    rows, held_out = _split(folder / "train.jsonl.gz", labelled, _first_turn)
    for row in templates:
        (held_out if has_held_out_term(row) else rows).append(row)
    pairs, held_out_pairs = _split(
        folder / "pairs.jsonl.gz", read_pairs(folder / "pairs.jsonl.gz"), lambda pair: pair.chosen[0]
    )
    relevance, held_out_relevance = _split(
        folder / "relevance.jsonl.gz", read_rows(folder / "relevance.jsonl.gz", HELPFULNESS), _first_turn
    )
    return Corpus(rows, held_out, pairs, held_out_pairs, relevance, held_out_relevance)


def is_held_out(first: Turn) -> bool:
    """Whether conversations that start with this turn are held out of training."""
    return stable_hash(first.content.strip().lower()) % _HELD_OUT_OF == 0


def has_held_out_term(row: Row) -> bool:
    """Whether a row of the identity templates is about a term of which training sees no template."""
    return stable_hash(row.source) % _HELD_OUT_TERMS_OF == 0


def _first_turn(row: Row) -> Turn:
    return row.conversation[0]


_T = TypeVar("_T")


def _split(path: Path, found: Iterable[_T], start: Callable[[_T], Turn]) -> tuple[list[_T], list[_T]]:
    training: list[_T] = []
    held_out: list[_T] = []
    for one in found:
        (held_out if is_held_out(start(one)) else training).append(one)
    if not training or not held_out:
        raise ConfigurationError(f"{path}: too few lines to train on some and hold some out; a hundred are enough")
    return training, held_out
