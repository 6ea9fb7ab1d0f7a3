"""The baseline: logistic regression on hashed TF-IDF words and word pairs, reported next to the model."""

import math
import re
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from moderator.evaluation.figures import Floats
from moderator.events import Turn

_BUCKETS = 2**18
_EPOCHS = 3
_LEAST_STEPS = 300
"""Of few rows, so that they are learned as well as they can be."""
_BATCH = 1_024
_WORD = re.compile(r"[^\W_]+|[^\w\s]")


def words_alone(
    learned: Sequence[Sequence[Turn]], labels: Floats, held_out: Sequence[Sequence[Turn]], seed: int
) -> Floats:
    """Learn from the words of conversations alone, the judged turn and those before it.

    Args:
        learned: n conversations, the last turn of each judged.
        labels: (n,), 0 to 1.
        held_out: m conversations to score.
        seed: of the order in which they are learned.

    Returns:
        (m,) logits.
    """
    known = [_terms_of(conversation) for conversation in learned]
    words = _Vocabulary(known)
    model = _fit(words, [words.bag(terms) for terms in known], torch.tensor(labels, dtype=torch.float32), seed)
    with torch.no_grad():
        logits = [_logits(model, [words.bag(_terms_of(conversation))]).item() for conversation in held_out]
    return np.array(logits)


class _Bag(NamedTuple):
    """The known terms of a text by their number, and how much each counts: (n,) both."""

    terms: Tensor
    shares: Tensor


class _Vocabulary:
    """The terms that were seen, numbered, and how rare each is."""

    def __init__(self, texts: Sequence[Tensor]) -> None:
        seen = torch.zeros(_BUCKETS)
        for terms in texts:
            seen[terms] += 1
        self._is_known = seen > 0
        self._numbers = self._is_known.cumsum(0) - 1
        self._rarity = torch.log((1 + len(texts)) / (1 + seen)) + 1

    def __len__(self) -> int:
        return int(self._is_known.sum())

    def bag(self, terms: Tensor) -> _Bag:
        is_known = self._is_known[terms]
        shares = functional.normalize(self._rarity[terms], dim=0)
        return _Bag(self._numbers[terms][is_known], shares[is_known])


class _Linear(nn.Module):
    def __init__(self, terms: int) -> None:
        super().__init__()
        self.weights = nn.EmbeddingBag(terms, 1, mode="sum")
        nn.init.zeros_(self.weights.weight)
        self.bias = nn.Parameter(torch.zeros(1))


def _fit(words: _Vocabulary, bags: list[_Bag], labels: Tensor, seed: int) -> _Linear:
    model = _Linear(len(words))
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.3)
    random = np.random.default_rng(seed)
    batches = math.ceil(len(bags) / _BATCH)
    for _ in range(max(_EPOCHS, math.ceil(_LEAST_STEPS / batches))):
        order = random.permutation(len(bags))
        for drawn in np.array_split(order, batches):
            loss = functional.binary_cross_entropy_with_logits(
                _logits(model, [bags[at] for at in drawn]), labels[drawn]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model


def _logits(model: _Linear, bags: list[_Bag]) -> Tensor:
    offsets = torch.tensor([0, *(len(bag.terms) for bag in bags[:-1])]).cumsum(0)
    terms, shares = (torch.cat(parts) for parts in zip(*bags, strict=True))
    logits: Tensor = model.weights(terms, offsets, per_sample_weights=shares)[:, 0] + model.bias
    return logits


def _terms_of(conversation: Sequence[Turn]) -> Tensor:
    """Hash words and word pairs into buckets; those of the context differ from those of the judged text."""
    *before, judged = conversation
    terms = {*_terms(judged.content), *(f"before {term}" for turn in before for term in _terms(turn.content))}
    return torch.tensor(sorted({zlib.crc32(term.encode()) % _BUCKETS for term in terms} or {0}))


def _terms(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    return [*words, *map(" ".join, pairwise(words))]
