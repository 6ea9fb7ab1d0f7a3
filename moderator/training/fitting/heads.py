"""ArmoRM's two head stages on a frozen backbone: ridge regression to the labels, then the gate."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from moderator.scoring.armorm.gating import GatingNetwork
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.training.data.rows import Pair
from moderator.training.fitting.losses import Targets, raw_rewards
from moderator.training.fitting.training_network import TrainingNetwork
from moderator.training.text.batches import Batch, read_in_order
from moderator.training.text.encoding import Encoder

_RIDGE_ALPHA = 1.0
_GATE_BATCH = 512
_GATE_RATE = 1e-3
# rewards are within 0..1: their differences are too small for a sigmoid without this factor
_GATE_SHARPNESS = 8.0


class PairFeatures(NamedTuple):
    """The training data of the gate.

    Attributes:
        gate_hidden: hidden states at the gate rows, (n, hidden).
        chosen: rewards of the better side, (n, k).
        rejected: rewards of the other side, (n, k).
        shares: probability of drawing each pair, (n,): the few pairs about safety count as much as the others.
    """

    gate_hidden: Tensor
    chosen: Tensor
    rejected: Tensor
    shares: NDArray[np.float64]


def fit_regression(hidden: Tensor, targets: Targets) -> Tensor:
    """Solve ridge regression of every objective on the last hidden states (n, hidden); return (k, hidden)."""
    raw = raw_rewards(targets.labels)
    solved = [_ridge(hidden[known], column[known], targets.weights[known]) for column, known in _known_columns(raw)]
    return torch.stack(solved)


def _known_columns(raw: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(column, column.isfinite()) for column in raw.unbind(1)]


def _ridge(hidden: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    features, goal, weight = hidden.double(), wanted.double(), weights.double()[:, None]
    normal = features.T @ (weight * features) + _RIDGE_ALPHA * torch.eye(features.shape[1], dtype=torch.float64)
    solved: Tensor = torch.linalg.solve(normal, features.T @ (weight[:, 0] * goal))
    return solved.float()


def pair_features(network: TrainingNetwork, encoder: Encoder, pairs: Sequence[Pair]) -> PairFeatures:
    """Run the frozen backbone on both sides of each pair; their prompts, and so their gate rows, are equal."""
    chosen = encoder.render([pair.chosen for pair in pairs])
    rejected = encoder.render([pair.rejected for pair in pairs])
    gate_rows = torch.tensor([rendering.gate_row for rendering in chosen])
    ids = [[np.array(side.token_ids, dtype=np.int32) for side in sides] for sides in (chosen, rejected)]

    def at_gate(batch: Batch) -> Tensor:
        return network.hidden_at(batch, gate_rows[batch.members])

    def rewards(batch: Batch) -> Tensor:
        given: Tensor = network.rewards(network.last_hidden(batch))
        return given

    return PairFeatures(
        read_in_order(ids[0], at_gate),
        read_in_order(ids[0], rewards),
        read_in_order(ids[1], rewards),
        _even_shares([pair.column for pair in pairs]),
    )


def fit_gate(config: ArmoRMConfig, features: PairFeatures, steps: int, random: np.random.Generator) -> GatingNetwork:
    """Train the gate so that the weighted rewards of the better side are higher; the logit scale stays 1."""
    gate = GatingNetwork(config)
    gate.logit_scale.requires_grad = False
    optimizer = torch.optim.AdamW([p for p in gate.parameters() if p.requires_grad], lr=_GATE_RATE)
    for _ in range(steps):
        drawn = torch.from_numpy(random.choice(len(features.chosen), size=_GATE_BATCH, p=features.shares))
        gain = (gate(features.gate_hidden[drawn]) * (features.chosen - features.rejected)[drawn]).sum(1)
        loss = -functional.logsigmoid(_GATE_SHARPNESS * gain).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return gate


def _even_shares(columns: Sequence[str]) -> NDArray[np.float64]:
    """Give every column the same probability, shared equally by its pairs."""
    rows = Counter(columns)
    return np.array([1 / (len(rows) * rows[column]) for column in columns])
