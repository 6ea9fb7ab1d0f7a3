"""The baseline: logistic regression on hashed TF-IDF words and word pairs, reported next to the model."""

import math
import re
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from moderator.evaluation.figures import Floats
from moderator.training.data.rows import SAFETY, Row

_BUCKETS = 2**18
_EPOCHS = 3
_BATCH = 1_024
_WORD = re.compile(r"[^\W_]+|[^\w\s]")


def baseline_safety(rows: Sequence[Row], held_out: Sequence[Row], seed: int) -> Floats:
    """Fit on the safety labels of `rows`; return the logit of safety of each held-out row."""
    bags = [_bag(row) for row in rows]
    seen = torch.zeros(_BUCKETS)
    for bag in bags:
        seen[bag] += 1
    rarity = torch.log((1 + len(bags)) / (1 + seen)) + 1
    model = _fit(bags, rarity, torch.tensor([row.labels[SAFETY] for row in rows]), seed)
    with torch.no_grad():
        logits = [_logits(model, [_bag(row)], rarity).item() for row in held_out]
    return np.array(logits)


class _Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.EmbeddingBag(_BUCKETS, 1, mode="sum")
        nn.init.zeros_(self.weights.weight)
        self.bias = nn.Parameter(torch.zeros(1))


def _fit(bags: list[Tensor], rarity: Tensor, labels: Tensor, seed: int) -> _Linear:
    model = _Linear()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.3)
    random = np.random.default_rng(seed)
    for _ in range(_EPOCHS):
        order = random.permutation(len(bags))
        for drawn in np.array_split(order, math.ceil(len(bags) / _BATCH)):
            loss = functional.binary_cross_entropy_with_logits(
                _logits(model, [bags[at] for at in drawn], rarity), labels[drawn]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return model


def _logits(model: _Linear, bags: list[Tensor], rarity: Tensor) -> Tensor:
    offsets = torch.tensor([0, *(len(bag) for bag in bags[:-1])]).cumsum(0)
    scaled = torch.cat([functional.normalize(rarity[bag], dim=0) for bag in bags])
    logits: Tensor = model.weights(torch.cat(bags), offsets, per_sample_weights=scaled)[:, 0] + model.bias
    return logits


def _bag(row: Row) -> Tensor:
    """Hash words and word pairs into buckets; those of the context differ from those of the judged text."""
    *before, judged = row.conversation
    terms = {*_terms(judged.content), *(f"before {term}" for turn in before for term in _terms(turn.content))}
    return torch.tensor(sorted({zlib.crc32(term.encode()) % _BUCKETS for term in terms} or {0}))


def _terms(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    return [*words, *map(" ".join, pairwise(words))]
