"""A cheap start before the first stage: the network's embedding starts from a teacher's, or from a bag of words.

A bag costs a hundredth of the network per token and learns most of what single words can show.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from moderator.training.data.rows import COLUMNS
from moderator.training.fitting.losses import Targets, entropy_loss
from moderator.training.fitting.training_network import TrainingNetwork
from moderator.training.text.encoding import Ids

_EPOCHS = 3
_BATCH = 512
_RATE = 5e-3
_DROPPED_SHARE = 0.1
# as large as the rows of a new embedding become in training; larger ones would hide what the layers add
_EMBEDDING_STD = 0.05


def learn_word_embeddings(
    network: TrainingNetwork, sequences: Sequence[Ids], targets: Targets, random: np.random.Generator
) -> None:
    """Train a bag of embeddings on the labels and copy it, rescaled, into the network's embedding."""
    embedding = network.backbone.embed_tokens.weight
    vocabulary, width = embedding.shape
    bag = nn.EmbeddingBag(vocabulary, width, mode="mean")
    nn.init.normal_(bag.weight, std=0.1)
    head = nn.Linear(width, len(COLUMNS))
    optimizer = torch.optim.Adam([*bag.parameters(), *head.parameters()], lr=_RATE)
    for _ in range(_EPOCHS):
        for members in np.array_split(random.permutation(len(sequences)), -(-len(sequences) // _BATCH)):
            hidden = _bag_of(bag, [_thinned(sequences[member], random) for member in members])
            loss = entropy_loss(head(hidden), targets.of(torch.from_numpy(members)))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    print(f"words: loss {loss.item():.3f}", flush=True)
    with torch.no_grad():
        embedding.copy_(bag.weight * (_EMBEDDING_STD / bag.weight.std()))


def start_from(network: TrainingNetwork, vectors: Tensor) -> None:
    """Copy vectors (vocabulary, width), reduced to their main directions and rescaled, into the network's embedding.

    Tokens without a vector (all zeros) start at random.
    """
    embedding = network.backbone.embed_tokens.weight
    is_known = vectors.abs().sum(1) > 0
    centred = vectors[is_known] - vectors[is_known].mean(0)
    _, _, directions = torch.linalg.svd(centred.double(), full_matrices=False)
    reduced = centred @ directions[: embedding.shape[1]].T.float()
    with torch.no_grad():
        nn.init.normal_(embedding, std=_EMBEDDING_STD)
        embedding[is_known] = functional.pad(
            reduced * (_EMBEDDING_STD / reduced.std()), (0, embedding.shape[1] - reduced.shape[1])
        )


def _bag_of(bag: nn.EmbeddingBag, sequences: Sequence[Ids]) -> Tensor:
    offsets = np.cumsum([0, *(len(ids) for ids in sequences[:-1])])
    hidden: Tensor = bag(torch.from_numpy(np.concatenate(sequences)).long(), torch.from_numpy(offsets))
    return hidden


def _thinned(ids: Ids, random: np.random.Generator) -> Ids:
    kept = ids[random.random(len(ids)) >= _DROPPED_SHARE]
    return kept if len(kept) else ids
