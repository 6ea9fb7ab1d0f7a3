"""Guards: text generators of which one token of the answer is read, the verdict.

One packed pass over the prompt, up to where the answer begins; the hidden state of the last token times the rows of the
output layer that belong to the verdicts, in float32; then a softmax over the verdicts. Several questions cost a pass
each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.guards.recognition import verdicts_of
from moderator.guards.verdicts import Verdicts
from moderator.scoring.checkpoint.configs.classifier import refuse_window
from moderator.scoring.checkpoint.configs.decoder import GuardConfig
from moderator.scoring.checkpoint.files import CONFIG, read_config
from moderator.scoring.checkpoint.fingerprint import with_verdicts
from moderator.scoring.checkpoint.loading import load_weights
from moderator.scoring.checkpoint.location import Location
from moderator.scoring.checkpoint.tokenizer_files import naming, read_tokenizer
from moderator.scoring.classifier.decoders import decoder_of, last_hidden, last_hidden_alone, trim, without_weights
from moderator.scoring.packing import Text
from moderator.scoring.rendering.limits import input_tokens
from moderator.scoring.rendering.templates.verdicts import VerdictRenderer
from moderator.scoring.runtime.device import causal_layout, compile_layers
from moderator.scoring.runtime.rotary import check_frequencies
from moderator.settings import ModelSettings


class GuardNetwork(torch.nn.Module):
    """A generator's decoder, and its output layer where that is not the embedding."""

    def __init__(self, backbone: PreTrainedModel, config: PretrainedConfig) -> None:
        super().__init__()
        self.model = backbone
        if not config.tie_word_embeddings:
            self.lm_head = torch.nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def take_rows(self, token_ids: Sequence[int]) -> torch.Tensor:
        """Give the output layer's rows of some tokens, (n, hidden) in float32; the layer itself is freed."""
        layer = self.lm_head if hasattr(self, "lm_head") else self.model.get_input_embeddings()
        rows = layer.get_parameter("weight").detach()[list(token_ids)].float()
        if hasattr(self, "lm_head"):
            del self.lm_head
        return rows


@dataclass(frozen=True, slots=True)
class OpenGuard:
    """A checkpoint whose config, tokenizer and template have been read, but not its weights."""

    location: Location
    config: GuardConfig
    verdicts: Verdicts
    tokenizer: PreTrainedTokenizerFast
    renderer: VerdictRenderer
    network: GuardNetwork

    def load(self, dtype: str | torch.dtype, device: torch.device) -> "Guard":
        """Read the weights into the network. Call it once.

        Raises:
            ConfigurationError: as `load_weights` does.
        """
        fingerprint = load_weights(self.network, self.location.folder, (), dtype, device)
        return Guard(self, with_verdicts(fingerprint, self.verdicts.digest))


def open_guard(location: Location, fields: Mapping[str, Any], settings: ModelSettings) -> OpenGuard:
    """Read config, tokenizer and chat template, and build the network.

    Args:
        location: of the checkpoint.
        fields: of its `config.json`.
        settings: what the checkpoint is used as: `verdicts`, `template`, `max_input_tokens`.

    Raises:
        ConfigurationError: one of them is missing, damaged or not supported, or it is not known what the model answers.
    """
    where = str(location.folder / CONFIG)
    if settings.scale is not None or settings.reads == "message":
        raise ConfigurationError(
            f"{location.folder}: a guard gives probabilities of its verdicts on conversations: leave "
            "`MODERATOR_MODEL__SCALE` and `MODERATOR_MODEL__READS` unset"
        )
    config = GuardConfig.read(fields, where)
    limit = input_tokens(settings.max_input_tokens, config.positions)
    refuse_window(config.network, limit, where)
    tokenizer = read_tokenizer(location.folder, config.network.vocab_size, settings.template)
    verdicts = verdicts_of(tokenizer.chat_template, settings.verdicts, where)
    with naming(location.folder):
        if tokenizer.chat_template is None:
            raise ConfigurationError("no chat template: a guard is asked by one; add chat_template.jinja")
        renderer = VerdictRenderer(tokenizer, limit, verdicts)
    return OpenGuard(location, config, verdicts, tokenizer, renderer, _build(config, where))


def _build(config: GuardConfig, where: str) -> GuardNetwork:
    network = without_weights(lambda: GuardNetwork(decoder_of(config.network), config.network), where)
    trim(network.model)
    check_frequencies(network, config.head_size, where)
    return network.eval()


class Guard:
    """A loaded guard; see `RewardModel`. One thread owns it."""

    is_builtin = False

    def __init__(self, opened: OpenGuard, fingerprint: str) -> None:
        """Take a loaded network and its renderer."""
        self.location = opened.location
        self.name = opened.location.name
        self.fingerprint = fingerprint
        self.objectives = opened.verdicts.objectives
        self.scale = opened.verdicts.scale
        self.renderer = opened.renderer
        self._network = opened.network.model
        self._rows = opened.network.take_rows(opened.renderer.answer_ids)  # (k, hidden)
        self._shares = 1 if opened.verdicts.questions else None
        self._divisor = opened.config.logits_scaling
        self._cap = opened.config.logit_cap
        self.device = self._network.device
        self.dtype: torch.dtype = self._network.get_input_embeddings().weight.dtype  # type: ignore[assignment]
        self.layout = causal_layout(self.device)
        self.is_compiled = False

    @torch.inference_mode()
    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        """Score n >= 1 texts in one pass; see `RewardModel.forward`. Verdicts have no overall score: weights are 0.

        Of a guard that is asked several questions k is 1: a text asks one of them, and what counts is its first answer.
        """
        return self.forward_with_hidden(texts)[0]

    @torch.inference_mode()
    def forward_with_hidden(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score texts, and give what the output layer read; see `RewardModel.forward_with_hidden`."""
        hidden = self._hidden(texts)
        values = self._read_out(hidden).softmax(-1)[:, : self._shares]  # (m, k)
        return torch.cat((values, torch.zeros_like(values)), dim=1), hidden

    @torch.inference_mode()
    def beside_transformers(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score texts together, and each alone by transformers' own decoder; see `RewardModel.beside_transformers`."""
        fields = read_config(self.location.folder)
        alone = last_hidden_alone(fields, self._network, texts, self.device)
        return self._read_out(self._hidden(texts)), self._read_out(alone)

    def compile(self) -> None:
        """Compile the decoder's layers at their first call."""
        compile_layers(self._network.get_submodule("layers").children())
        self.is_compiled = True

    def _hidden(self, texts: Sequence[Text]) -> torch.Tensor:
        """(m, hidden) float32: the state of each read-out's last token."""
        return last_hidden(self._network, texts, self.layout, self.device).float()

    def _read_out(self, hidden: torch.Tensor) -> torch.Tensor:
        """(m, k) float32: what the output layer gives for each verdict."""
        logits: torch.Tensor = hidden.float() @ self._rows.T / self._divisor
        return logits if self._cap is None else self._cap * (logits / self._cap).tanh()
