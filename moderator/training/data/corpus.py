"""Everything that a training run reads, parted into what it learns from and what it is measured on."""

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


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows with safety labels, preference pairs, and real exchanges; none of these lists is empty."""

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
        own: rows to add to those of `train.jsonl.gz`.

    Raises:
        ConfigurationError: a file is absent, too short to hold some out, or a line of it is not as described.
    """
    templates = read_identity_templates(folder / "identity_templates.csv.gz")
    labelled = [*read_rows(folder / "train.jsonl.gz", SAFETY), *templates, *own]
    rows, held_out = _parted(folder / "train.jsonl.gz", labelled, _start_of_row)
    pairs, held_out_pairs = _parted(
        folder / "pairs.jsonl.gz", read_pairs(folder / "pairs.jsonl.gz"), lambda pair: pair.chosen[0]
    )
    relevance, held_out_relevance = _parted(
        folder / "relevance.jsonl.gz", read_rows(folder / "relevance.jsonl.gz", HELPFULNESS), _start_of_row
    )
    return Corpus(rows, held_out, pairs, held_out_pairs, relevance, held_out_relevance)


def is_held_out(first: Turn) -> bool:
    """Whether conversations that start with this turn are kept out of training."""
    return stable_hash(first.content.strip().lower()) % _HELD_OUT_OF == 0


def _start_of_row(row: Row) -> Turn:
    return row.conversation[0]


_T = TypeVar("_T")


def _parted(path: Path, found: Iterable[_T], start: Callable[[_T], Turn]) -> tuple[list[_T], list[_T]]:
    learnt: list[_T] = []
    held_out: list[_T] = []
    for one in found:
        (held_out if is_held_out(start(one)) else learnt).append(one)
    if not learnt or not held_out:
        raise ConfigurationError(f"{path}: too few lines to learn from some and to hold some out; a hundred will do")
    return learnt, held_out
