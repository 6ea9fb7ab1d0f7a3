"""ArmoRM: a Llama backbone, a regression to k rewards, and a gate that weighs them.

Parameter names are those of the published checkpoint. With h the final hidden states of one text:
rewards = regression(h at the last token); gating = softmax(layers(h at the gate row) / temperature) x logit_scale;
overall = sum(gating * (rewards @ transform)) = sum(rewards * weights), weights = transform @ gating.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812 - its customary name
from torch import nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaModel, LlamaRotaryEmbedding

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.scoring.checkpoint.armorm_config import ArmoRMConfig
from moderator.scoring.checkpoint.checkpoint import Checkpoint, Location, fill, locate, naming, open_checkpoint
from moderator.scoring.packing import Text, gather, plan_packs
from moderator.scoring.rendering.framing import FRAMING, frame
from moderator.scoring.rendering.limits import input_tokens
from moderator.scoring.rendering.renderer import Renderer, Rendering
from moderator.scoring.runtime import attention
from moderator.scoring.runtime.device import causal_layout, choose_device, compile_layers, on, pack_tokens
from moderator.scoring.runtime.passes import lay_out
from moderator.scoring.runtime.rotary import check_frequencies

ARMORM_HEADS: Final = ("regression_layer", "reward_transform_matrix", "gating")
"""What of `ArmoRMModel` is computed in float32."""


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


class GatingNetwork(nn.Module):
    """Weighs the objectives by what is asked, not by what is answered."""

    def __init__(self, config: ArmoRMConfig) -> None:
        super().__init__()
        self.temperature = config.gating_temperature
        widths = [config.backbone.hidden_size, *[config.gating_hidden_dim] * config.gating_n_hidden]
        outputs = [*widths[1:], len(config.objectives)]
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in zip(widths, outputs, strict=True))
        self.logit_scale = nn.Parameter(torch.ones(1))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(n, hidden) to (n, k), rows summing to `logit_scale`."""
        *inner, last = self.layers
        for layer in inner:
            hidden = F.relu(layer(hidden))
        gating: torch.Tensor = F.softmax(last(hidden) / self.temperature, dim=-1) * self.logit_scale
        return gating


class LastLayer(nn.Module):
    """Runs a decoder layer of which few rows are read: its MLP sees no others. It holds no weights of its own."""

    def forward(
        self, layer: LlamaDecoderLayer, hidden: torch.Tensor, rows: torch.Tensor, **arguments: Any
    ) -> torch.Tensor:
        """(b, t, hidden) to (m, hidden), given m indices into all b x t rows."""
        attended, _ = layer.self_attn(layer.input_layernorm(hidden), attention_mask=None, **arguments)
        read = (hidden + attended).flatten(0, 1)[rows]  # (m, hidden)
        read_out: torch.Tensor = read + layer.mlp(layer.post_attention_layernorm(read))
        return read_out


class ArmoRMModel(nn.Module):
    """The network; random weights until some are loaded. The backbone may be of any dtype, the heads are float32."""

    def __init__(self, config: ArmoRMConfig) -> None:
        super().__init__()
        objectives = len(config.objectives)
        attention.register()
        self.model = LlamaModel(config.backbone)
        self.model.config._attn_implementation = attention.IMPLEMENTATION  # noqa: SLF001 - how transformers selects it
        self.last_layer = LastLayer()
        self.regression_layer = nn.Linear(config.backbone.hidden_size, objectives, bias=False)
        self.reward_transform_matrix = nn.Parameter(torch.eye(objectives))
        self.gating = GatingNetwork(config)

    def forward(self, input_ids: torch.Tensor, gate_rows: torch.Tensor, last_rows: torch.Tensor) -> ArmoRMOutput:
        """Score texts that are padded to one length; differentiable.

        Args:
            input_ids: (n, t), padded on the right with any id: attention is causal, so padding is never seen.
            gate_rows: (m,), where each read-out's gate is, an index into all n x t rows.
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
        """Score n texts that lie end to end; inference only.

        Args:
            input_ids: (t,).
            position_ids: (t,), from 0 in each text.
            cu_seqlens: (n + 1,) int32: 0, the end of each text.
            gate_rows: (m,), where each read-out's gate is, an index into all t rows.
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
        """Run the backbone as `LlamaModel` does, but for the last MLP: it sees only the rows that are read."""
        hidden = self.model.embed_tokens(input_ids)  # (b, t, hidden)
        rotary = self.model.rotary_emb(hidden, position_ids)
        *layers, last = cast("list[LlamaDecoderLayer]", list(self.model.layers))
        for layer in layers:
            hidden = layer(hidden, attention_mask=None, position_embeddings=rotary, **packed)
        rows = torch.cat((gate_rows, last_rows))  # (2m,)
        read = self.model.norm(self.last_layer(last, hidden, rows, position_embeddings=rotary, **packed))
        return self._heads(*read.chunk(2))

    def _heads(self, gate_hidden: torch.Tensor, last_hidden: torch.Tensor) -> ArmoRMOutput:
        rewards = self.regression_layer(last_hidden.float())  # (n, k)
        gating = self.gating(gate_hidden.float())  # (n, k)
        weights = gating @ self.reward_transform_matrix.T  # (n, k)
        return ArmoRMOutput(rewards, gating, weights, (rewards * weights).sum(-1))


def build_model(checkpoint: Checkpoint) -> ArmoRMModel:
    """Build the network without its weights, but with rotary frequencies, which are no part of a checkpoint.

    Raises:
        ConfigurationError: there can be no such network; the text names the file that describes it.
    """
    config, where = checkpoint.config, str(checkpoint.folder / "config.json")
    try:
        with torch.device("meta"):
            model = ArmoRMModel(config)
        model.model.rotary_emb = LlamaRotaryEmbedding(config.backbone)
    except Exception as error:  # transformers computes with the file's numbers and raises whatever that raises
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{where}: no such backbone can be built: {reason}") from error
    assert config.backbone.head_dim is not None
    check_frequencies(model, config.backbone.head_dim, where)
    return model


def build_renderer(checkpoint: Checkpoint, max_input_tokens: int | None) -> Renderer:
    """Make what renders for the model; None: up to the lesser of 4,096 tokens and its positions.

    Raises:
        ConfigurationError: its tokenizer or its chat template is not Llama-3's, or the limit cannot be kept.
    """
    limit = input_tokens(max_input_tokens, checkpoint.config.backbone.max_position_embeddings)
    with naming(checkpoint.folder):
        return Renderer(checkpoint.tokenizer, limit)


class ArmoRM:
    """A loaded ArmoRM model: conversations in, scores out. One thread owns it."""

    def __init__(
        self, model: ArmoRMModel, renderer: Renderer, config: ArmoRMConfig, location: Location, fingerprint: str
    ) -> None:
        self.model = model.eval()
        self.renderer = renderer
        self.config = config
        self.name = location.name
        self.is_builtin = location.is_builtin
        self.fingerprint = fingerprint
        self.objectives = config.objectives
        self.framing = FRAMING
        self.max_input_tokens = renderer.max_tokens
        self.device = model.reward_transform_matrix.device
        self.dtype = model.model.embed_tokens.weight.dtype
        self.layout = causal_layout(self.device)
        self.is_compiled = False

    @classmethod
    def from_pretrained(
        cls,
        path_or_hub_id: str | os.PathLike[str],
        *,
        dtype: str | torch.dtype = "auto",
        device: str | torch.device = "auto",
        max_input_tokens: int | None = None,
    ) -> "ArmoRM":
        """Load a checkpoint: safetensors only, and no code of others is run.

        Args:
            path_or_hub_id: a folder, a hub id, or `builtin`.
            dtype: of the backbone; auto: the checkpoint's where the device is fast in it, else float32.
            device: auto: CUDA, else MPS, else CPU.
            max_input_tokens: longer conversations are truncated; None: the lesser of 4,096 and the model's positions.

        Raises:
            ConfigurationError: the checkpoint or an argument cannot be used; the text names file and key.
        """
        location = locate(path_or_hub_id)
        checkpoint = open_checkpoint(location.folder)
        renderer = build_renderer(checkpoint, max_input_tokens)
        model = build_model(checkpoint)
        fingerprint = fill(model, location.folder, ARMORM_HEADS, dtype, choose_device(device))
        return cls(model, renderer, checkpoint.config, location, fingerprint)

    def score(self, conversations: Sequence[Sequence[Mapping[str, str]]]) -> ArmoRMOutput:
        """Score conversations as they are given, without framing; too long ones are cut as `Renderer.render` does.

        Args:
            conversations: n >= 0 lists of {"role", "content"}; the last turn is what is judged.

        Returns:
            Float32 tensors on the CPU, in the order given.

        Raises:
            ValueError: a conversation has no assistant header to read the gate at; the text names its index.
        """
        given = [[(turn["role"], turn["content"] or "") for turn in turns] for turns in conversations]
        texts = gather(self.renderer.render(given), self.layout)
        lengths = [len(text.token_ids) for text in texts]
        packs = plan_packs(lengths, pack_tokens(self.device), is_padded=self.layout.is_padded)
        with on(self.device):
            outputs = [self._no_scores(), *(self._outputs(texts[pack.start : pack.stop]) for pack in packs)]
        order = torch.tensor([read.prompt for text in texts for read in text.reads], dtype=torch.int64).argsort()
        return ArmoRMOutput(*(torch.cat([part.cpu() for part in parts])[order] for parts in zip(*outputs, strict=True)))

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Frame, truncate and tokenize each conversation, in the order given; never fails on content."""
        return self.renderer.render([frame(conversation) for conversation in conversations])

    def compile(self) -> None:
        """Compile the decoder layers when they are first called; worth its seconds on CUDA alone."""
        *layers, _ = self.model.model.layers
        compile_layers([*layers, self.model.last_layer])
        self.is_compiled = True

    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        """Score n >= 1 texts in one pass; see `RewardModel.forward`."""
        output = self._outputs(texts)
        return torch.cat((output.rewards, output.weights), dim=1)

    @torch.inference_mode()
    def _outputs(self, texts: Sequence[Text]) -> ArmoRMOutput:
        laid = lay_out(texts, self.layout, self.device)
        if self.layout.is_padded:
            output: ArmoRMOutput = self.model(laid.input_ids, laid.gate_rows, laid.last_rows)
            return output
        return self.model.forward_packed(
            laid.input_ids[0],
            laid.position_ids[0],
            laid.cu_seqlens,
            laid.gate_rows,
            laid.last_rows,
            max_len=laid.max_len,
        )

    def _no_scores(self) -> ArmoRMOutput:
        none = torch.empty(0, len(self.config.objectives))
        return ArmoRMOutput(none, none, none, torch.empty(0))
