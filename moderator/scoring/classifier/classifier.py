"""Sequence classifiers: any reward or moderation model of transformers whose labels are its objectives.

A decoder is one linear layer over the last token of texts that lie end to end, and shares prefixes as ArmoRM does. An
encoder sees both ways, so its texts are padded and masked, sorted by length, under the head transformers gives it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import torch
from transformers import PreTrainedModel

from moderator.events import Turn
from moderator.scoring.checkpoint.classifier_config import Activation, ClassifierConfig
from moderator.scoring.packing import Layout, Text
from moderator.scoring.rendering.renderer import Rendering
from moderator.scoring.runtime.device import causal_layout, compile_layers
from moderator.scoring.runtime.passes import lay_out

_SCALES: Final[Mapping[Activation, Callable[[torch.Tensor], torch.Tensor]]] = {
    "raw": torch.Tensor.clone,
    "sigmoid": torch.sigmoid,
    "softmax": lambda logits: logits.softmax(-1),
}


class Renders(Protocol):
    """What makes a classifier's token ids."""

    framing: str
    max_tokens: int

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Render each conversation, in the order given."""
        ...


class Classifier:
    """A loaded sequence classifier; see `RewardModel`. One thread owns it."""

    is_builtin = False

    def __init__(
        self, network: PreTrainedModel, renderer: Renders, config: ClassifierConfig, *, name: str, fingerprint: str
    ) -> None:
        """Take a loaded network and what makes its token ids."""
        self.name = name
        self.fingerprint = fingerprint
        self.objectives = config.objectives
        self.framing = renderer.framing
        self.max_input_tokens = renderer.max_tokens
        self.device = network.device
        self.dtype: torch.dtype = network.get_input_embeddings().weight.dtype  # type: ignore[assignment]
        is_encoder = config.is_encoder
        self.layout = Layout(shares_prefixes=False, is_padded=True) if is_encoder else causal_layout(self.device)
        self.is_compiled = False
        self._network = network
        self._renderer = renderer
        self._scale = _SCALES[config.scale]
        self._logits = self._read_whole if is_encoder else self._read_last
        self._padding = config.network.pad_token_id or 0

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Frame, truncate and tokenize each conversation, in the order given; never fails on content."""
        return self._renderer.render(conversations)

    @torch.inference_mode()
    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        """Score n >= 1 texts in one pass; see `RewardModel.forward`.

        A single label makes up the overall score, so its weight is 1. Several make up none: their weights are 0.
        """
        values = self._scale(self._logits(texts).float())  # (m, k)
        weights = torch.ones_like(values) if len(self.objectives) == 1 else torch.zeros_like(values)
        return torch.cat((values, weights), dim=1)

    def compile(self) -> None:
        """Compile a decoder's layers when they are first called; encoders stay as transformers runs them."""
        if self.layout.shares_prefixes:
            compile_layers(self._network.get_submodule("model.layers").children())
            self.is_compiled = True

    def _read_last(self, texts: Sequence[Text]) -> torch.Tensor:
        """(m, k): the linear layer over the last token of each read-out, wherever padding would have been."""
        laid = lay_out(texts, self.layout, self.device)
        packed = {} if self.layout.is_padded else {"cu_seqlens": laid.cu_seqlens, "max_len": laid.max_len}
        hidden = self._network.get_submodule("model")(
            input_ids=laid.input_ids, position_ids=laid.position_ids, use_cache=False, **packed
        ).last_hidden_state.flatten(0, 1)  # (b x t, hidden)
        logits: torch.Tensor = self._network.get_submodule("score")(hidden[laid.last_rows])
        return logits

    def _read_whole(self, texts: Sequence[Text]) -> torch.Tensor:
        """(m, k): transformers' own pass over texts padded to the longest, once for each read-out."""
        laid = lay_out(texts, self.layout, self.device, self._padding)
        lengths = laid.cu_seqlens.diff()  # (n,)
        longest = laid.input_ids.shape[1]
        mask = torch.arange(longest, device=self.device) < lengths[:, None]  # (n, longest)
        logits: torch.Tensor = self._network(input_ids=laid.input_ids, attention_mask=mask.long()).logits  # (n, k)
        return logits[laid.last_rows // longest]
