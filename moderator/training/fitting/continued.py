"""Go on with a checkpoint: its size, weights and vocabulary, and new heads for the columns that only training has."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from moderator.errors import ConfigurationError
from moderator.scoring.armorm.armorm import OpenArmoRM, open_armorm
from moderator.scoring.checkpoint.location import locate
from moderator.training.data.rows import OBJECTIVES, Row
from moderator.training.fitting.losses import entropy_loss, targets_of
from moderator.training.fitting.training_network import TrainingNetwork
from moderator.training.text.batches import read_in_order
from moderator.training.text.encoding import Encoder
from moderator.training.text.tokenizer import normalizer

_ROWS = 20_000
_STEPS = 300
_RATE = 0.03


def open_start(name: str) -> OpenArmoRM:
    """Open a checkpoint that `moderator model train` wrote; its tokenizer normalizes texts as a new one does.

    Raises:
        ConfigurationError: it cannot be read, or has other objectives.
    """
    opened = open_armorm(locate(name))
    if opened.config.objectives != OBJECTIVES:
        raise ConfigurationError(
            f"model `{name}`: only one with the objectives {', '.join(OBJECTIVES)} can be continued"
        )
    opened.tokenizer.backend_tokenizer.normalizer = normalizer()
    return opened


def network_of(opened: OpenArmoRM) -> TrainingNetwork:
    """Read the weights of an open checkpoint into a network for training, in float32."""
    opened.load(torch.float32, torch.device("cpu"))
    network = TrainingNetwork(copy.deepcopy(opened.config.backbone))
    network.backbone.load_state_dict(opened.network.model.state_dict())
    network.rewards.load_state_dict(opened.network.regression_layer.state_dict())
    return network


def move_halfway(network: TrainingNetwork, before: Mapping[str, Tensor]) -> None:
    """Set each weight of the backbone to the mean of what it is and was: it forgets less of what it knew.

    Wortsman et al., 2022, Robust fine-tuning of zero-shot models.
    """
    with torch.no_grad():
        for name, weight in network.backbone.state_dict().items():
            weight.lerp_(before[name], 0.5)


def fit_logits(network: TrainingNetwork, encoder: Encoder, rows: Sequence[Row], random: np.random.Generator) -> None:
    """Fit the logits of all columns on the states as they are: else the first steps would change these for them."""
    some = [rows[at] for at in random.permutation(len(rows))[:_ROWS]]
    hidden = read_in_order(encoder.encode([row.conversation for row in some]), network.last_hidden)
    targets = targets_of(some)
    optimizer = torch.optim.Adam(network.logits.parameters(), lr=_RATE)
    for _ in range(_STEPS):
        loss = entropy_loss(network.logits(hidden), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
