"""ArmoRM's network: a Llama backbone, a regression to k rewards, and a gate that weights them.

Parameter names are those of the published checkpoint. With h the final hidden states of one text:
rewards = regression(h at the last token); gating = softmax(layers(h at the gate row) / temperature) x logit_scale;
overall = sum(gating * (rewards @ transform)) = sum(rewards * weights), weights = transform @ gating.
QRM has a regression to several quantiles of each reward, whose mean is the reward, and a gate that normalises.
"""

from typing import Any, NamedTuple, cast

import torch
from torch import nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaModel, LlamaRotaryEmbedding

from moderator.errors import ConfigurationError
from moderator.scoring.armorm.gating import GatingNetwork, NormalisedGatingNetwork
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.scoring.runtime import attention
from moderator.scoring.runtime.hidden import last_layer
from moderator.scoring.runtime.rotary import check_frequencies


class ArmoRMOutput(NamedTuple):
    """Scores of n texts, k objectives, float32.

    Attributes:
        rewards: (n, k), unbounded, higher is better.
        gating: (n, k), each row sums to the gate's logit scale.
        weights: (n, k), how much each reward counts in `overall`.
        overall: (n,), sum of rewards x weights.
    """

    rewards: torch.Tensor
    gating: torch.Tensor
    weights: torch.Tensor
    overall: torch.Tensor


class LastLayer(nn.Module):
    """Calls `hidden.last_layer`; a module, so that it can be compiled. It has no weights of its own."""

    def forward(
        self, layer: LlamaDecoderLayer, hidden: torch.Tensor, rows: torch.Tensor, **arguments: Any
    ) -> torch.Tensor:
        """(b, t, hidden) to (m, hidden), given m indices into all b x t rows."""
        return last_layer(layer, hidden, rows, attention_mask=None, **arguments)


class ArmoRMNetwork(nn.Module):
    """The network, with random weights until others are loaded. Any dtype for the backbone, float32 for the heads."""

    def __init__(self, config: ArmoRMConfig) -> None:
        super().__init__()
        objectives = len(config.objectives)
        attention.register()
        self.model = LlamaModel(config.backbone)
        self.model.config._attn_implementation = attention.IMPLEMENTATION  # noqa: SLF001 - how transformers selects it
        self.last_layer = LastLayer()
        self.quantiles = config.quantiles or 1
        self.regression_layer = nn.Linear(config.backbone.hidden_size, objectives * self.quantiles, bias=False)
        self.reward_transform_matrix = nn.Parameter(torch.eye(objectives))
        self.gating = (GatingNetwork if config.quantiles is None else NormalisedGatingNetwork)(config)

    def forward(self, input_ids: torch.Tensor, gate_rows: torch.Tensor, last_rows: torch.Tensor) -> ArmoRMOutput:
        """Score texts that are padded to one length; differentiable.

        Args:
            input_ids: (n, t), padded on the right with any id: attention is causal, so no token sees padding.
            gate_rows: (m,), row of each read-out's gate, an index into all n x t rows.
            last_rows: (m,), each read-out's last token, likewise.
        """
        position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        return self._read(input_ids, position_ids, gate_rows, last_rows)

    def forward_packed(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        cu_seqlens: torch.Tensor,
        gate_rows: torch.Tensor,
        last_rows: torch.Tensor,
        *,
        max_len: int,
    ) -> ArmoRMOutput:
        """Score n texts, packed end to end; inference only.

        Args:
            input_ids: (t,).
            position_ids: (t,), from 0 in each text.
            cu_seqlens: (n + 1,) int32: 0, the end of each text.
            gate_rows: (m,), row of each read-out's gate, an index into all t rows.
            last_rows: (m,), each read-out's last token, likewise.
            max_len: tokens of the longest text, or more.
        """
        return self._read(
            input_ids[None], position_ids[None], gate_rows, last_rows, cu_seqlens=cu_seqlens, max_len=max_len
        )

    def _read(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        gate_rows: torch.Tensor,
        last_rows: torch.Tensor,
        **packed: Any,
    ) -> ArmoRMOutput:
        """Run the backbone as `LlamaModel` does, except the last MLP: it computes only the rows that are read."""
        hidden = self.model.embed_tokens(input_ids)  # (b, t, hidden)
        rotary = self.model.rotary_emb(hidden, position_ids)
        *layers, last = cast("list[LlamaDecoderLayer]", list(self.model.layers))
        for layer in layers:
            hidden = layer(hidden, attention_mask=None, position_embeddings=rotary, **packed)
        rows = torch.cat((gate_rows, last_rows))  # (2m,)
        read = self.model.norm(self.last_layer(last, hidden, rows, position_embeddings=rotary, **packed))
        return self.read_out(*read.chunk(2))

    def read_out(self, gate_hidden: torch.Tensor, last_hidden: torch.Tensor) -> ArmoRMOutput:
        """Give the scores of m read-outs from the final hidden states, both (m, hidden)."""
        rewards = self.regression_layer(last_hidden.float()).unflatten(-1, (-1, self.quantiles)).mean(-1)  # (n, k)
        gating = self.gating(gate_hidden.float())  # (n, k)
        weights = gating @ self.reward_transform_matrix.T  # (n, k)
        return ArmoRMOutput(rewards, gating, weights, (rewards * weights).sum(-1))


def build_network(config: ArmoRMConfig, where: str) -> ArmoRMNetwork:
    """Build the network without weights, but with rotary frequencies, which are not part of a checkpoint.

    Raises:
        ConfigurationError: no such network can be built; the text names `where`, the file that describes it.
    """
    try:
        with torch.device("meta"):
            network = ArmoRMNetwork(config)
        network.model.rotary_emb = LlamaRotaryEmbedding(config.backbone)
    except Exception as error:  # transformers computes with the file's numbers and raises whatever that raises
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{where}: no such backbone can be built: {reason}") from error
    assert config.backbone.head_dim is not None
    check_frequencies(network, config.backbone.head_dim, where)
    return network
