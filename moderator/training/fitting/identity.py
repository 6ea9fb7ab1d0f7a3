"""The same harmless phrase gets the same score about whichever people: a penalty on the differences."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from moderator.training.data.rows import COLUMNS, HARMLESS_FROM, SAFETY, Row, is_identity_template
from moderator.training.fitting.training_network import TrainingNetwork
from moderator.training.text.batches import pad
from moderator.training.text.encoding import Encoder

_TERMS: Final = 16
_PHRASES: Final = 8


class IdentityPhrases:
    """The harmless rows of the identity templates, by the term that each is about."""

    def __init__(self, encoder: Encoder, rows: Sequence[Row], random: np.random.Generator) -> None:
        self._random = random
        by_term = defaultdict(list)
        for row in rows:
            if is_identity_template(row) and row.labels[SAFETY] >= HARMLESS_FROM:
                by_term[row.source].append(row.conversation)
        self._by_term = [encoder.encode(conversations) for conversations in by_term.values()]

    def penalty(self, network: TrainingNetwork) -> Tensor:
        """Return the variance over 16 terms of the mean safety logit of 8 phrases about each; 0 without terms."""
        if not self._by_term:
            return torch.zeros(())
        terms = self._random.integers(len(self._by_term), size=_TERMS)
        drawn = [
            self._by_term[term][self._random.integers(len(self._by_term[term]))]
            for term in terms
            for _ in range(_PHRASES)
        ]
        logits: Tensor = network.logits(network.last_hidden(pad(drawn, range(len(drawn)))))[:, COLUMNS.index(SAFETY)]
        return logits.view(_TERMS, _PHRASES).mean(1).var()
