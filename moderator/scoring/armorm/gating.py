"""Gates: what weights the objectives by the question, not by the answer."""

from itertools import pairwise
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch import nn

from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig

_EPSILON: Final = 1e-5
"""Of `torch.nn.BatchNorm1d`, whose default the published gates have."""


class GatingNetwork(nn.Module):
    """ArmoRM's gate: linear layers with ReLU between them."""

    def __init__(self, config: ArmoRMConfig) -> None:
        super().__init__()
        self.temperature = config.gating_temperature
        widths = [config.backbone.hidden_size, *[config.gating_hidden_dim] * config.gating_n_hidden]
        self.layers = nn.ModuleList(self._layers(widths, len(config.objectives)))
        self.logit_scale = nn.Parameter(torch.ones(1))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, hidden) to (n, k), rows summing to `logit_scale`."""
        gating: torch.Tensor = F.softmax(self._logits(hidden) / self.temperature, dim=-1) * self.logit_scale
        return gating

    def _layers(self, widths: list[int], objectives: int) -> list[nn.Module]:
        outputs = [*widths[1:], objectives]
        return [nn.Linear(n_in, n_out) for n_in, n_out in zip(widths, outputs, strict=True)]

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        *inner, last = self.layers
        for layer in inner:
            hidden = F.relu(layer(hidden))
        logits: torch.Tensor = last(hidden)
        return logits


class NormalisedGatingNetwork(GatingNetwork):
    """QRM's gate: before its last layer, several times a linear layer without bias, ReLU and a normalisation."""

    def _layers(self, widths: list[int], objectives: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out, bias=False), nn.ReLU(), RunningNorm(n_out)]
        return [*layers, nn.Linear(widths[-1], objectives)]

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden


class RunningNorm(nn.Module):
    """Normalises by the statistics that training left, as `torch.nn.BatchNorm1d` does when it does not train."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, width) to the same."""
        statistics = (self.get_buffer("running_mean"), self.get_buffer("running_var"))
        return F.batch_norm(hidden, *statistics, self.weight, self.bias, eps=_EPSILON)
