"""Sequence classifiers: any reward or moderation model of transformers whose labels are its objectives.

A decoder is one linear layer over the last token of texts that lie end to end, and shares prefixes as ArmoRM does. An
encoder sees both ways, so its texts are padded and masked, sorted by length, under the head transformers gives it.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Final, Protocol

import torch
from transformers import PreTrainedModel

from moderator.events import Turn
from moderator.scoring.classifier_config import ClassifierConfig, Scale
from moderator.scoring.device import compile_layers
from moderator.scoring.packing import Layout, Text
from moderator.scoring.rendering import Rendering

_SCALES: Final[Mapping[Scale, Callable[[torch.Tensor], torch.Tensor]]] = {
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
        self.layout = Layout(shares_prefixes=not config.is_encoder, is_padded=config.is_encoder)
        self._network = network
        self._renderer = renderer
        self._scale = _SCALES[config.scale]
        self._logits = self._padded if config.is_encoder else self._packed
        self._padding = config.network.pad_token_id or 0

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Rendering]:
        """Frame, truncate and tokenize each conversation, in the order given; never fails on content."""
        return self._renderer.render(conversations)

    def compile(self) -> None:
        """Compile a decoder's layers when they are first called."""
        if self.layout.shares_prefixes:
            compile_layers(self._network.get_submodule("model").layers)  # type: ignore[arg-type]

    @torch.inference_mode()
    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        """Score n >= 1 texts in one pass; see `RewardModel.forward`.

        A single label makes up the overall score, so its weight is 1. Several make up none: their weights are 0.
        """
        values = self._scale(self._logits(texts).float())  # (m, k)
        weights = torch.ones_like(values) if len(self.objectives) == 1 else torch.zeros_like(values)
        return torch.cat((values, weights), dim=1)

    def _packed(self, texts: Sequence[Text]) -> torch.Tensor:
        """(m, k): the linear layer over the last token of each read-out, wherever padding would have been."""
        lengths = [len(text.token_ids) for text in texts]
        starts = [0, *accumulate(lengths)]
        hidden = self._network.get_submodule("model")(
            input_ids=self._tensor([token for text in texts for token in text.token_ids])[None],
            position_ids=self._tensor([position for length in lengths for position in range(length)])[None],
            use_cache=False,
            cu_seqlens=self._tensor(starts, torch.int32),
            max_len=max(lengths),
        ).last_hidden_state[0]  # (t, hidden)
        rows = [start + read.last_row for start, text in zip(starts, texts, strict=False) for read in text.reads]
        logits: torch.Tensor = self._network.get_submodule("score")(hidden[self._tensor(rows)])
        return logits

    def _padded(self, texts: Sequence[Text]) -> torch.Tensor:
        """(m, k): transformers' own pass over texts padded to the longest, once for each read-out."""
        longest = max(len(text.token_ids) for text in texts)
        lengths = self._tensor([len(text.token_ids) for text in texts])
        input_ids = self._tensor(
            [[*text.token_ids, *[self._padding] * (longest - len(text.token_ids))] for text in texts]
        )
        mask = torch.arange(longest, device=self.device) < lengths[:, None]  # (n, longest)
        logits: torch.Tensor = self._network(input_ids=input_ids, attention_mask=mask.long()).logits  # (n, k)
        return logits[self._tensor([at for at, text in enumerate(texts) for _ in text.reads])]

    def _tensor(self, values: Sequence[object], dtype: torch.dtype = torch.int64) -> torch.Tensor:
        is_cuda = self.device.type == "cuda"  # only pinned memory is copied without waiting for the passes before
        return torch.tensor(values, dtype=dtype, pin_memory=is_cuda).to(self.device, non_blocking=is_cuda)
