"""Group encoded conversations into right-padded batches of similar length."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moderator.training.text.encoding import Ids


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded ids; padding comes after the tokens that are read, so a causal model needs no mask.

    Attributes:
        ids: (n, t) token ids.
        lengths: (n,) number of real ids in each row.
        members: (n,) indices in the list from which the batch was drawn.
    """

    ids: Tensor
    lengths: Tensor
    members: Tensor


def pad(sequences: Sequence[Ids], members: Sequence[int]) -> Batch:
    """Pad `sequences` on the right to the longest; any id serves as padding."""
    lengths = np.array([len(ids) for ids in sequences])
    padded = np.zeros((len(sequences), int(lengths.max())), dtype=np.int64)
    for row, ids in enumerate(sequences):
        padded[row, : len(ids)] = ids
    return Batch(torch.from_numpy(padded), torch.from_numpy(lengths), torch.tensor(members))


def shuffled_groups(lengths: Sequence[int], budget: int, random: np.random.Generator) -> list[list[int]]:
    """Divide 0..n-1 into groups of similar length whose padded size is at most `budget` tokens, in random order."""
    jittered = np.array(lengths) * random.uniform(0.9, 1.1, len(lengths))
    groups = list(_groups(np.argsort(jittered).tolist(), lengths, budget))
    random.shuffle(groups)
    return groups


def _groups(order: Sequence[int], lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    group: list[int] = []
    longest = 0
    for member in order:
        longest = max(longest, lengths[member])
        if group and longest * (len(group) + 1) > budget:
            yield group
            group, longest = [], lengths[member]
        group.append(member)
    if group:
        yield group


@torch.no_grad()
def read_in_order(sequences: Sequence[Ids], read: Callable[[Batch], Tensor], *, budget: int = 16_384) -> Tensor:
    """Run `read` over all sequences in batches; return its rows (n, …) in the order of `sequences`."""
    lengths = [len(ids) for ids in sequences]
    parts, members = [], []
    for group in _groups(np.argsort(lengths).tolist(), lengths, budget):
        batch = pad([sequences[member] for member in group], group)
        parts.append(read(batch))
        members.append(batch.members)
    rows = torch.cat(parts)
    ordered = torch.empty_like(rows)
    ordered[torch.cat(members)] = rows
    return ordered
