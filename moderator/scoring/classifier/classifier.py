"""Sequence classifiers: any reward or moderation model of transformers whose labels are its objectives.

A decoder packs texts end to end and shares prefixes as ArmoRM does; one linear layer reads each last token. An encoder
is bidirectional: its texts are sorted by length, padded and masked, and read by the head that transformers gives it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from transformers import AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.scoring.checkpoint.configs.classifier import ClassifierConfig, refuse_window
from moderator.scoring.checkpoint.files import CONFIG, read_config
from moderator.scoring.checkpoint.loading import load_weights
from moderator.scoring.checkpoint.location import Location
from moderator.scoring.checkpoint.tokenizer_files import naming, read_tokenizer
from moderator.scoring.classifier.building import FLOAT32_HEADS, build_network
from moderator.scoring.classifier.decoders import last_hidden
from moderator.scoring.packing import Layout, Text
from moderator.scoring.rendering.limits import input_tokens
from moderator.scoring.rendering.messages import MessageRenderer
from moderator.scoring.rendering.renderer import Renderer
from moderator.scoring.rendering.templates.rendering import TemplateRenderer
from moderator.scoring.runtime.device import causal_layout, compile_layers
from moderator.scoring.runtime.hidden import inputs_of
from moderator.scoring.runtime.passes import lay_out
from moderator.scoring.runtime.reference import plain_attention, reference_network
from moderator.settings import ModelSettings

_ACTIVATIONS: Final[Mapping[OutputScale, Callable[[torch.Tensor], torch.Tensor]]] = {
    "raw": torch.Tensor.clone,
    "sigmoid": torch.sigmoid,
    "softmax": lambda logits: logits.softmax(-1),
}
_OF_EACH_TOKEN: Final = 3
"""Dimensions of what a head is given that picks the first token itself."""


@dataclass(frozen=True, slots=True)
class OpenClassifier:
    """A checkpoint whose config, tokenizer and template have been read, but not its weights.

    Attributes:
        network: without weights.
    """

    location: Location
    config: ClassifierConfig
    tokenizer: PreTrainedTokenizerFast
    renderer: Renderer
    network: PreTrainedModel

    @property
    def renamed(self) -> dict[str, str]:
        """The network's name of a tensor by the file's, where they differ."""
        return {f"{self.config.head}.{part}": f"score.{part}" for part in ("weight", "bias")}

    def load(self, dtype: str | torch.dtype, device: torch.device) -> "Classifier":
        """Read the weights into the network. Call it once.

        Raises:
            ConfigurationError: as `load_weights` does.
        """
        heads = FLOAT32_HEADS[self.config.network.model_type]
        fingerprint = load_weights(self.network, self.location.folder, heads, dtype, device, renamed=self.renamed)
        return Classifier(self.network, self.renderer, self.config, self.location, fingerprint)


def _as_transformers(config: PretrainedConfig) -> PreTrainedModel:
    network: PreTrainedModel = AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
        config, attn_implementation=plain_attention(config)
    )
    return network


def open_classifier(location: Location, fields: Mapping[str, Any], settings: ModelSettings) -> OpenClassifier:
    """Read config, tokenizer and chat template, and build the network.

    Args:
        location: of the checkpoint.
        fields: of its `config.json`.
        settings: what the checkpoint is used as: `scale`, `template`, `reads`, `max_input_tokens`.

    Raises:
        ConfigurationError: one of them is missing, damaged or not supported; the text names file and key.
    """
    where = str(location.folder / CONFIG)
    config = ClassifierConfig.read(location.folder, fields, settings.scale)
    limit = input_tokens(settings.max_input_tokens, config.positions)
    if not config.is_encoder:
        refuse_window(config.network, limit, where)
    network = build_network(config, where)
    tokenizer = read_tokenizer(location.folder, config.network.vocab_size, settings.template)
    with naming(location.folder):
        reads_messages = _reads_messages(config, tokenizer, settings.reads)
        renderer = (MessageRenderer if reads_messages else TemplateRenderer)(tokenizer, limit)
    return OpenClassifier(location, config, tokenizer, renderer, network)


def _reads_messages(config: ClassifierConfig, tokenizer: PreTrainedTokenizerFast, reads: str) -> bool:
    """Check whether the model reads bare messages, not conversations."""
    if reads == "message":
        return True
    if tokenizer.chat_template is not None:
        return False
    if config.is_encoder and reads == "auto":
        return True
    raise ConfigurationError(
        "no chat template: this model was trained on conversations in some form; add chat_template.jinja, or set "
        "MODERATOR_MODEL__READS=message to score bare messages"
    )


class Classifier:
    """A loaded sequence classifier; see `RewardModel`. One thread owns it."""

    is_builtin = False

    def __init__(
        self,
        network: PreTrainedModel,
        renderer: Renderer,
        config: ClassifierConfig,
        location: Location,
        fingerprint: str,
    ) -> None:
        """Take a loaded network and its renderer."""
        self.location = location
        self.name = location.name
        self.fingerprint = fingerprint
        self.objectives = config.objectives
        self.scale = config.scale
        self.device = network.device
        self.dtype: torch.dtype = network.get_input_embeddings().weight.dtype  # type: ignore[assignment]
        self._is_encoder = config.is_encoder
        self.layout = Layout(shares_prefixes=False, is_padded=True) if self._is_encoder else causal_layout(self.device)
        self.is_compiled = False
        self._network = network
        self.renderer = renderer
        self._heads = FLOAT32_HEADS[config.network.model_type]
        self._mean, self._std = config.normalisation.mean, config.normalisation.std
        self._activate = _ACTIVATIONS[config.scale]
        self._logits = self._read_whole if self._is_encoder else self._read_last
        self._padding = config.padding if config.network.pad_token_id is None else config.network.pad_token_id

    @torch.inference_mode()
    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        """Score n >= 1 texts in one pass; see `RewardModel.forward`.

        A single label is the overall score, so its weight is 1. Several have no overall score: their weights are 0.
        """
        values = self._activate((self._logits(texts).float() - self._mean) / self._std)  # (m, k)
        weights = torch.ones_like(values) if len(self.objectives) == 1 else torch.zeros_like(values)
        return torch.cat((values, weights), dim=1)

    def forward_with_hidden(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score texts, and give what the head read; see `RewardModel.forward_with_hidden`."""
        with inputs_of(self._network.get_submodule(self._heads[0])) as seen:
            rows = self.forward(texts)
        hidden = seen[0][:, 0] if seen[0].ndim == _OF_EACH_TOKEN else seen[0]  # (m, h), or (n, h) of an encoder
        if self._is_encoder:
            hidden = hidden[[at for at, text in enumerate(texts) for _ in text.reads]]
        return rows, hidden

    @torch.inference_mode()
    def beside_transformers(self, texts: Sequence[Text]) -> tuple[torch.Tensor, torch.Tensor]:
        """Score texts together, and each alone by transformers' own network; see `RewardModel.beside_transformers`."""
        fields = read_config(self.location.folder)
        reference = reference_network(fields, _as_transformers, self._network, self.device, self._heads)
        alone = [reference(input_ids=torch.tensor([text.token_ids], device=self.device)).logits[0] for text in texts]
        return self._logits(texts).float(), torch.stack(alone).float()

    def compile(self) -> None:
        """Compile a decoder's layers at their first call; encoders are not compiled."""
        if self.layout.shares_prefixes:
            compile_layers(self._network.get_submodule("model.layers").children())
            self.is_compiled = True

    def _read_last(self, texts: Sequence[Text]) -> torch.Tensor:
        """(m, k): the linear layer over the last token of each read-out."""
        read = [self._without_padding(text) for text in texts]
        hidden = last_hidden(self._network.get_submodule("model"), read, self.layout, self.device)
        logits: torch.Tensor = self._network.get_submodule("score")(hidden)
        return logits

    def _without_padding(self, text: Text) -> Text:
        """Read a prompt's scores at the last token that is not padding, as transformers does: some templates write it.

        A prompt begins where its text begins, so going back never leaves the prompt.
        """
        reads = tuple(read._replace(last_row=self._last_row(text, read.last_row)) for read in text.reads)
        return text._replace(reads=reads)

    def _last_row(self, text: Text, row: int) -> int:
        while row > 0 and text.token_ids[row] == self._padding:
            row -= 1
        return row

    def _read_whole(self, texts: Sequence[Text]) -> torch.Tensor:
        """(m, k): transformers' own pass over texts padded to the longest; a row for each read-out."""
        laid = lay_out(texts, self.layout, self.device, self._padding or 0)
        lengths = laid.cu_seqlens.diff()  # (n,)
        longest = laid.input_ids.shape[1]
        mask = torch.arange(longest, device=self.device) < lengths[:, None]  # (n, longest)
        logits: torch.Tensor = self._network(input_ids=laid.input_ids, attention_mask=mask.long()).logits  # (n, k)
        return logits[laid.last_rows // longest]
