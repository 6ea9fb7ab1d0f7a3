"""URM: a Llama with a linear layer to rewards, and a small network that weights them, both at the last token.

The linear layer gives two numbers for each objective, a reward and its spread, which is not used. With h the final
hidden state of the last token: rewards = (score h)[::2]; weights = fc(h), not normalised; overall = rewards · weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.objectives import head_rows, urm_objectives
from moderator.scoring.checkpoint.configs.decoder import DecoderConfig
from moderator.scoring.checkpoint.files import CONFIG, read_config
from moderator.scoring.checkpoint.loading import load_weights
from moderator.scoring.checkpoint.location import Location
from moderator.scoring.checkpoint.tokenizer_files import naming, read_tokenizer
from moderator.scoring.classifier.decoders import decoder_of, last_hidden, last_hidden_alone, trim, without_weights
from moderator.scoring.packing import Text
from moderator.scoring.rendering.limits import input_tokens
from moderator.scoring.rendering.templates.rendering import TemplateRenderer
from moderator.scoring.runtime.device import causal_layout, compile_layers
from moderator.scoring.runtime.rotary import check_frequencies
from moderator.settings import ModelSettings
from moderator.tensor_headers import tensor_shapes

_HEADS: Final = ("score", "weights")
"""The parts of the network that compute in float32."""


class _Weights(nn.Module):
    def __init__(self, hidden: int, objectives: int) -> None:
        super().__init__()
        inner = [nn.Linear(hidden, hidden), nn.SELU(), nn.Linear(hidden, hidden), nn.SELU()]
        self.fc = nn.Sequential(*inner, nn.Linear(hidden, objectives))


class WeightedNetwork(nn.Module):
    """The network, its parameters named as published."""

    def __init__(self, backbone: PreTrainedModel, objectives: int) -> None:
        super().__init__()
        hidden = backbone.config.hidden_size
        self.model = backbone
        self.score = nn.Linear(hidden, 2 * objectives, bias=False)
        self.weights = _Weights(hidden, objectives)

    def read_out(self, hidden: torch.Tensor) -> torch.Tensor:
        """Give k rewards, then their k weights, from the final hidden states: (m, hidden) to (m, 2k), float32."""
        hidden = hidden.float()
        return torch.cat((self.score(hidden)[:, ::2], self.weights.fc(hidden)), dim=1)


@dataclass(frozen=True, slots=True)
class OpenWeighted:
    """A checkpoint whose config, tokenizer and template have been read, but not its weights."""

    location: Location
    config: DecoderConfig
    objectives: tuple[str, ...]
    tokenizer: PreTrainedTokenizerFast
    renderer: TemplateRenderer
    network: WeightedNetwork

    def load(self, dtype: str | torch.dtype, device: torch.device) -> "WeightedClassifier":
        """Read the weights into the network. Call it once.

        Raises:
            ConfigurationError: as `load_weights` does.
        """
        fingerprint = load_weights(self.network, self.location.folder, _HEADS, dtype, device)
        return WeightedClassifier(self, fingerprint)


def open_weighted(location: Location, fields: Mapping[str, Any], settings: ModelSettings) -> OpenWeighted:
    """Read config, tokenizer and chat template, and build the network.

    Args:
        location: of the checkpoint.
        fields: of its `config.json`.
        settings: what the checkpoint is used as: `template`, `max_input_tokens`.

    Raises:
        ConfigurationError: one of them is missing, damaged or not supported; the text names file and key.
    """
    where = str(location.folder / CONFIG)
    config = DecoderConfig.read(fields, where)
    try:
        objectives = urm_objectives(fields, head_rows(fields, tensor_shapes(location.folder)))
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    tokenizer = read_tokenizer(location.folder, config.network.vocab_size, settings.template)
    limit = input_tokens(settings.max_input_tokens, config.positions)
    with naming(location.folder):
        if tokenizer.chat_template is None:
            raise ConfigurationError("no chat template: URM reads conversations; add chat_template.jinja")
        renderer = TemplateRenderer(tokenizer, limit)
    network = without_weights(lambda: WeightedNetwork(decoder_of(config.network), len(objectives)), where)
    trim(network.model)
    check_frequencies(network, config.head_size, where)
    return OpenWeighted(location, config, objectives, tokenizer, renderer, network.eval())


class WeightedClassifier:
    """A loaded URM; see `RewardModel`. One thread owns it."""

    is_builtin = False
    scale: OutputScale = "raw"

    def __init__(self, opened: OpenWeighted, fingerprint: str) -> None:
        """Take a loaded network and its renderer."""
        self.location = opened.location
        self.name = opened.location.name
        self.fingerprint = fingerprint
        self.objectives = opened.objectives
        self.renderer = opened.renderer
        self._network = opened.network
        self.device = opened.network.score.weight.device
        self.dtype: torch.dtype = opened.network.model.get_input_embeddings().weight.dtype  # type: ignore[assignment]
        self.layout = causal_layout(self.device)
        self.is_compiled = False

    @torch.inference_mode()
    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        """Score n >= 1 texts in one pass; see `RewardModel.forward`."""
        return self.forward_with_hidden(texts)[0]

    @torch.inference_mode()
    def forward_with_hidden(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score texts, and give what both heads read; see `RewardModel.forward_with_hidden`."""
        hidden = last_hidden(self._network.model, texts, self.layout, self.device).float()
        return self._network.read_out(hidden), hidden

    @torch.inference_mode()
    def beside_transformers(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score texts together, and each alone by transformers' own decoder; see `RewardModel.beside_transformers`."""
        fields = read_config(self.location.folder)
        alone = last_hidden_alone(fields, self._network.model, texts, self.device)
        k = len(self.objectives)
        return self.forward(texts)[:, :k], self._network.read_out(alone)[:, :k]

    def compile(self) -> None:
        """Compile the decoder's layers at their first call."""
        compile_layers(self._network.model.get_submodule("layers").children())
        self.is_compiled = True
