"""ArmoRM and QRM, from a checkpoint to scores: open it, load its weights, score."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from transformers import LlamaModel, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.scoring.armorm.network import ArmoRMNetwork, ArmoRMOutput, build_network
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.scoring.checkpoint.files import CONFIG, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG, read_config
from moderator.scoring.checkpoint.loading import load_weights
from moderator.scoring.checkpoint.location import Location, locate
from moderator.scoring.checkpoint.tokenizer_files import naming, read_tokenizer
from moderator.scoring.packing import Text, gather, plan_packs
from moderator.scoring.rendering.limits import input_tokens
from moderator.scoring.rendering.llama3 import Llama3Renderer
from moderator.scoring.rendering.templates.gated import GatedRenderer
from moderator.scoring.runtime.device import causal_layout, choose_device, compile_layers, on, pack_tokens
from moderator.scoring.runtime.hidden import inputs_of
from moderator.scoring.runtime.passes import lay_out
from moderator.scoring.runtime.reference import reference_network

if TYPE_CHECKING:
    from moderator.events import OutputScale

_HEADS: Final = ("regression_layer", "reward_transform_matrix", "gating")
"""The parts of the network that compute in float32."""

_Renderer = Llama3Renderer | GatedRenderer


@dataclass(frozen=True, slots=True)
class OpenArmoRM:
    """A checkpoint whose config, tokenizer and template have been read, but not its weights.

    Attributes:
        network: without weights.
    """

    location: Location
    config: ArmoRMConfig
    tokenizer: PreTrainedTokenizerFast
    renderer: _Renderer
    network: ArmoRMNetwork

    def load(self, dtype: str | torch.dtype, device: torch.device) -> "ArmoRM":
        """Read the weights into the network. Call it once.

        Raises:
            ConfigurationError: as `load_weights` does.
        """
        fingerprint = load_weights(self.network, self.location.folder, _HEADS, dtype, device)
        return ArmoRM(self.network, self.renderer, self.config, self.location, fingerprint)


def open_armorm(location: Location, max_input_tokens: int | None = None, template: str | None = None) -> OpenArmoRM:
    """Read config, tokenizer and chat template, and build the network.

    Args:
        location: of the checkpoint.
        max_input_tokens: longer conversations are truncated; None: the lesser of 4,096 and the model's positions.
        template: name of the chat template; None: the default one.

    Raises:
        ConfigurationError: one of them is missing, damaged or not of Llama 3's kind; the text names file and key.
    """
    folder, where = location.folder, str(location.folder / CONFIG)
    config = ArmoRMConfig.from_fields(read_config(folder), where)
    tokenizer = read_tokenizer(folder, config.backbone.vocab_size, template)
    if tokenizer.chat_template is None:
        raise ConfigurationError(f"{folder}: no chat template in {TOKENIZER_CONFIG} (`chat_template`) or {TEMPLATE}")
    if not tokenizer.bos_token:
        raise ConfigurationError(f"{folder / TOKENIZER_CONFIG}: `bos_token` must be a token of {TOKENIZER}")
    limit = input_tokens(max_input_tokens, config.backbone.max_position_embeddings)
    with naming(folder):
        renderer = (Llama3Renderer if config.quantiles is None else GatedRenderer)(tokenizer, limit)
    return OpenArmoRM(location, config, tokenizer, renderer, build_network(config, where))


def _as_transformers(config: PretrainedConfig) -> PreTrainedModel:
    config._attn_implementation = "sdpa"  # noqa: SLF001 - how transformers selects it
    return LlamaModel(config)  # type: ignore[arg-type] # `model_type` says so


class ArmoRM:
    """A loaded ArmoRM model: conversations in, scores out. One thread owns it."""

    def __init__(
        self,
        network: ArmoRMNetwork,
        renderer: _Renderer,
        config: ArmoRMConfig,
        location: Location,
        fingerprint: str,
    ) -> None:
        self.network = network.eval()
        self.renderer = renderer
        self.config = config
        self.location = location
        self.name = location.name
        self.is_builtin = location.is_builtin
        self.fingerprint = fingerprint
        self.objectives = config.objectives
        self.scale: OutputScale = "raw"
        self.device = network.reward_transform_matrix.device
        self.dtype = network.model.embed_tokens.weight.dtype
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
        """Load a checkpoint: from safetensors files only; no code from the checkpoint is run.

        Args:
            path_or_hub_id: a folder, a hub id, or `builtin`.
            dtype: of the backbone; auto: the checkpoint's if the device computes fast in it, otherwise float32.
            device: auto: CUDA if present, otherwise MPS, otherwise CPU.
            max_input_tokens: longer conversations are truncated; None: the lesser of 4,096 and the model's positions.

        Raises:
            ConfigurationError: the checkpoint or an argument cannot be used; the text names file and key.
        """
        return open_armorm(locate(path_or_hub_id), max_input_tokens).load(dtype, choose_device(device))

    def score(self, conversations: Sequence[Sequence[Mapping[str, str]]]) -> ArmoRMOutput:
        """Score conversations as given, without framing; long ones as the renderer's `render_as_given` cuts them.

        Args:
            conversations: n >= 0 lists of {"role", "content"}; the last turn is judged.

        Returns:
            Float32 tensors on the CPU, in the order given.

        Raises:
            ValueError: a conversation has no assistant header, where the gate is read; the text names its index.
        """
        given = [[(turn["role"], turn["content"] or "") for turn in turns] for turns in conversations]
        texts = gather(self.renderer.render_as_given(given), self.layout)
        lengths = [len(text.token_ids) for text in texts]
        packs = plan_packs(lengths, pack_tokens(self.device), is_padded=self.layout.is_padded)
        with on(self.device):
            outputs = [self._no_scores(), *(self._outputs(texts[pack.start : pack.stop]) for pack in packs)]
        order = torch.tensor([read.prompt for text in texts for read in text.reads], dtype=torch.int64).argsort()
        return ArmoRMOutput(*(torch.cat([part.cpu() for part in parts])[order] for parts in zip(*outputs, strict=True)))

    def compile(self) -> None:
        """Compile the decoder layers at their first call; takes seconds and pays off only on CUDA."""
        *layers, _ = self.network.model.layers
        compile_layers([*layers, self.network.last_layer])
        self.is_compiled = True

    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        """Score n >= 1 texts in one pass; see `RewardModel.forward`."""
        output = self._outputs(texts)
        return torch.cat((output.rewards, output.weights), dim=1)

    def forward_with_hidden(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score texts, and give what the regression read; see `RewardModel.forward_with_hidden`."""
        with inputs_of(self.network.regression_layer) as seen:
            rows = self.forward(texts)
        return rows, seen[0]

    @torch.inference_mode()
    def beside_transformers(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score texts together, and each alone by transformers' own backbone; see `RewardModel.beside_transformers`."""
        fields = read_config(self.location.folder)
        backbone = reference_network(fields, _as_transformers, self.network.model, self.device)
        alone = []
        for text in texts:
            hidden = backbone(torch.tensor([text.token_ids], device=self.device)).last_hidden_state[0]
            [read] = text.reads
            alone.append(self.network.read_out(hidden[[read.gate_row]], hidden[[read.last_row]]).rewards[0])
        return self._outputs(texts).rewards, torch.stack(alone)

    @torch.inference_mode()
    def _outputs(self, texts: Sequence[Text]) -> ArmoRMOutput:
        laid = lay_out(texts, self.layout, self.device)
        if self.layout.is_padded:
            output: ArmoRMOutput = self.network(laid.input_ids, laid.gate_rows, laid.last_rows)
            return output
        return self.network.forward_packed(
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
