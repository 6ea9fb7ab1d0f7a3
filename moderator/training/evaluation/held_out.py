"""Measure a trained network on the held-out rows, and the baseline on the same rows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from moderator.evaluation.figures import Floats, auc
from moderator.training.data.corpus import Corpus
from moderator.training.data.rows import (
    COLUMNS,
    HARMFUL_BELOW,
    HELPFULNESS,
    SAFETY,
    Row,
    is_identity_template,
    source_kind,
)
from moderator.training.evaluation.baseline import words_alone
from moderator.training.evaluation.roc import Threshold, at_threshold
from moderator.training.fitting.training_network import TrainingNetwork
from moderator.training.text.batches import Batch, read_in_order
from moderator.training.text.encoding import Encoder

SAFETY_LIMITS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
HELPFULNESS_LIMITS = (1.0, 1.25, 1.5, 1.75, 2.0)
_USUAL_LIMIT = 0.3
_USUAL_ALARMS = 0.1
_USELESS_BELOW = 0.5
_LEAST_ROWS_OF_A_SOURCE = 15


@dataclass(frozen=True, slots=True)
class HeldOutReport:
    """Held-out figures; `rows` and all others but `identity_alarms` leave the identity templates out.

    Attributes:
        identity_alarms: share of the harmless templates about held-out terms that the limit flags which flags a tenth
            of the harmless rows; None without such templates.
        teacher_auc: of safety; None without a teacher.
        by_source: rows and AUC of safety by source, for sources with both kinds of label.
        false_alarms: rows and share below 0.30 by source, for sources with only harmless rows.
        safety: results of flagging below each limit, on the raw scale.
        helpfulness: results of flagging below each limit, in points 0..4.
    """

    rows: int
    safety_auc: float
    identity_alarms: float | None
    baseline_auc: float
    teacher_auc: float | None
    helpfulness_auc: float
    relevance_auc: float
    by_source: dict[str, tuple[int, float]]
    false_alarms: dict[str, tuple[int, float]]
    safety: list[Threshold]
    helpfulness: list[Threshold]

    def lines(self) -> list[str]:
        """Return the figures in Markdown."""
        return [
            f"Held out: {self.rows} rows of the same sources, chosen by hash of the first turn.",
            "",
            "| measure | AUC |",
            "|---|---|",
            f"| safety | {self.safety_auc:.3f} |",
            f"| safety, TF-IDF logistic regression on the same rows | {self.baseline_auc:.3f} |",
            *([] if self.teacher_auc is None else [f"| safety, the teacher | {self.teacher_auc:.3f} |"]),
            f"| helpfulness (good over useless answers) | {self.helpfulness_auc:.3f} |",
            f"| relevance (real over mismatched answers) | {self.relevance_auc:.3f} |",
            *_identity_lines(self.identity_alarms),
            "",
            "| flagged when safety is below | precision | recall | false alarms |",
            "|---|---|---|---|",
            *map(_threshold_line, self.safety),
            "",
            "| flagged when helpfulness (points) is below | precision | recall | false alarms |",
            "|---|---|---|---|",
            *map(_threshold_line, self.helpfulness),
            "",
            "| source with both kinds of rows | rows | safety AUC |",
            "|---|---|---|",
            *(f"| {source} | {rows} | {value:.3f} |" for source, (rows, value) in self.by_source.items()),
            "",
            "| harmless source | rows | flagged below 0.30 |",
            "|---|---|---|",
            *(f"| {source} | {rows} | {value:.1%} |" for source, (rows, value) in self.false_alarms.items()),
        ]


def measure_held_out(
    network: TrainingNetwork, encoder: Encoder, corpus: Corpus, teacher_auc: float | None, seed: int
) -> HeldOutReport:
    """Score the held-out rows and compare with their labels; fit the baseline on the training rows."""
    identity = [row for row in corpus.held_out if is_identity_template(row)]
    rows = [row for row in corpus.held_out if not is_identity_template(row)]
    rewards = score_rows(network, encoder, rows)
    safety, helpfulness = rewards[:, 0], rewards[:, 1] * 5 - 0.5
    is_safe = np.array([row.labels[SAFETY] >= HARMFUL_BELOW for row in rows])
    known = np.array([HELPFULNESS in row.labels for row in rows])
    is_helpful = np.array([row.labels.get(HELPFULNESS, 0.0) >= _USELESS_BELOW for row in rows])
    return HeldOutReport(
        rows=len(rows),
        safety_auc=auc(safety, is_safe),
        identity_alarms=_identity_alarms(network, encoder, identity, safety[is_safe]),
        baseline_auc=auc(_baseline(corpus.rows, rows, seed), is_safe),
        teacher_auc=teacher_auc,
        helpfulness_auc=auc(helpfulness[known], is_helpful[known]),
        relevance_auc=_relevance_auc(network, encoder, corpus.held_out_relevance),
        by_source=_by_source(rows, safety, is_safe),
        false_alarms=_false_alarms(rows, safety, is_safe),
        safety=[at_threshold(safety, ~is_safe, limit) for limit in SAFETY_LIMITS],
        helpfulness=[at_threshold(helpfulness[known], ~is_helpful[known], limit) for limit in HELPFULNESS_LIMITS],
    )


def _identity_alarms(
    network: TrainingNetwork, encoder: Encoder, templates: Sequence[Row], harmless: Floats
) -> float | None:
    rows = [row for row in templates if row.labels[SAFETY] >= HARMFUL_BELOW]
    if not rows:
        return None
    limit = np.quantile(harmless, _USUAL_ALARMS)
    return float((score_rows(network, encoder, rows)[:, 0] < limit).mean())


def _identity_lines(alarms: float | None) -> list[str]:
    if alarms is None:
        return []
    limit = "the limit that flags a tenth of harmless rows"
    return ["", f"Harmless templates about terms that training left out, flagged by {limit}: {alarms:.1%}."]


def _baseline(rows: Sequence[Row], held_out: Sequence[Row], seed: int) -> Floats:
    labels = np.array([row.labels[SAFETY] for row in rows])
    return words_alone([row.conversation for row in rows], labels, [row.conversation for row in held_out], seed)


def score_rows(network: TrainingNetwork, encoder: Encoder, rows: Sequence[Row]) -> Floats:
    """Return the linear rewards of each row, (n, objectives)."""

    def rewards(batch: Batch) -> Tensor:
        given: Tensor = network.rewards(network.last_hidden(batch))
        return given

    return read_in_order(encoder.encode([row.conversation for row in rows]), rewards).double().numpy()


def _relevance_auc(network: TrainingNetwork, encoder: Encoder, rows: Sequence[Row]) -> float:
    """Compare each real answer with the answer of the next held-out prompt."""
    others = [*rows[1:], *rows[:1]]
    mismatched = [
        Row((*row.conversation[:-1], other.conversation[-1]), {}, row.source, row.licence)
        for row, other in zip(rows, others, strict=True)
    ]
    scores = score_rows(network, encoder, [*rows, *mismatched])[:, COLUMNS.index(HELPFULNESS)]
    return auc(scores, np.arange(len(scores)) < len(rows))


def _by_source(rows: Sequence[Row], safety: Floats, is_safe: np.ndarray) -> dict[str, tuple[int, float]]:
    return {
        source: (len(members), auc(safety[members], is_safe[members]))
        for source, members in _members(rows).items()
        if 0 < is_safe[members].sum() < len(members)
    }


def _false_alarms(rows: Sequence[Row], safety: Floats, is_safe: np.ndarray) -> dict[str, tuple[int, float]]:
    return {
        source: (len(members), float((safety[members] < _USUAL_LIMIT).mean()))
        for source, members in _members(rows).items()
        if is_safe[members].all()
    }


def _members(rows: Sequence[Row]) -> dict[str, list[int]]:
    members = defaultdict(list)
    for index, row in enumerate(rows):
        members[source_kind(row.source)].append(index)
    return {source: found for source, found in sorted(members.items()) if len(found) >= _LEAST_ROWS_OF_A_SOURCE}


def _threshold_line(threshold: Threshold) -> str:
    shares = f"{threshold.precision:.2f} | {threshold.recall:.2f} | {threshold.false_alarms:.3f}"
    return f"| {threshold.below:.2f} | {shares} |"
