"""The losses: cross-entropy for every column, squared error for the rewards, preference for pairs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from moderator.training.data.rows import CATEGORIES, COLUMNS, HELPFULNESS, OBJECTIVES, SAFETY, Row
from moderator.training.fitting.training_network import TrainingNetwork
from moderator.training.text.batches import Batch

_COLUMN_WEIGHTS = torch.tensor([1.0, 1.0, *(0.3 for _ in CATEGORIES)])
_REWARD_LOSS_WEIGHT = 2.0
_TEMPERATURE = 2.0


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of n rows: labels and a teacher's logits (n, columns), NaN where unknown, and weights (n,)."""

    labels: Tensor
    weights: Tensor
    logits: Tensor

    def of(self, members: Tensor) -> "Targets":
        """Select the targets of some rows."""
        return Targets(self.labels[members], self.weights[members], self.logits[members])


def targets_of(rows: Sequence[Row]) -> Targets:
    """Make tensors of the rows' labels and weights."""
    labels = [[row.labels.get(column, math.nan) for column in COLUMNS] for row in rows]
    logits = [[row.logits.get(column, math.nan) for column in COLUMNS] for row in rows]
    return Targets(torch.tensor(labels), torch.tensor([row.weight for row in rows]), torch.tensor(logits))


def raw_rewards(labels: Tensor) -> Tensor:
    """Convert labels (n, columns) to the scale of the rewards (n, objectives).

    Safety stays 0..1. Helpfulness becomes 0.1..0.9, so that `raw x 5 - 0.5` is 0..4 points as in HelpSteer.
    """
    return torch.stack([labels[:, COLUMNS.index(SAFETY)], (4 * labels[:, COLUMNS.index(HELPFULNESS)] + 0.5) / 5], dim=1)


def label_loss(network: TrainingNetwork, batch: Batch, targets: Targets) -> Tensor:
    """Cross-entropy of the logits with labels and with the teacher's, plus squared error of the linear rewards.

    What is unknown does not count.
    """
    hidden = network.last_hidden(batch)
    picked = targets.of(batch.members)
    raw = raw_rewards(picked.labels)
    error = (network.rewards(hidden) - raw.nan_to_num()) ** 2
    reward_loss = len(OBJECTIVES) * _mean(error, raw.isfinite() * picked.weights[:, None])
    logits = network.logits(hidden)
    return entropy_loss(logits, picked) + distillation_loss(logits, picked) + _REWARD_LOSS_WEIGHT * reward_loss


def entropy_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Cross-entropy of logits (n, columns) with soft labels, weighted by column and row; a scalar."""
    labels = targets.labels
    entropy = functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")
    known = labels.isfinite() * _COLUMN_WEIGHTS * targets.weights[:, None]
    return _mean(entropy, known) * known.sum(1).mean()


def distillation_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Cross-entropy of logits (n, columns) with a teacher's, both at temperature 2 (Hinton et al., 2015); a scalar.

    Gradients fall with the square of the temperature, and are left so: labels should count more than a teacher that
    knows them less well than the small model can.
    """
    taught = (targets.logits.nan_to_num() / _TEMPERATURE).sigmoid()
    entropy = functional.binary_cross_entropy_with_logits(logits / _TEMPERATURE, taught, reduction="none")
    known = targets.logits.isfinite() * _COLUMN_WEIGHTS
    return _mean(entropy, known) * known.sum(1).mean()


def preference_loss(logits: Tensor) -> Tensor:
    """Bradley-Terry: each logit of the first half should exceed its partner in the second; (2n,) to a scalar."""
    better, worse = logits.chunk(2)
    return -functional.logsigmoid(better - worse).mean()


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)
