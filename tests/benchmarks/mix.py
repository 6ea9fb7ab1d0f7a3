"""What benchmarks score: texts of random ids with the lengths of chats.

Lengths are the quantiles of their distribution in a random order, so that no draw is lucky: only the order of arrival
differs from seed to seed.
"""

import math
import random
from dataclasses import dataclass
from statistics import NormalDist

LEAST_TOKENS = 16
MOST_TOKENS = 2_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A text as the model reads it; see `moderator.scoring.packing.Tokenized`."""

    token_ids: tuple[int, ...]
    gate_row: int


def lognormal_lengths(count: int, *, median: float, sigma: float, least: int = LEAST_TOKENS) -> list[int]:
    """Quantiles of a lognormal distribution in rising order, cut at `least` and 2,000 tokens."""
    normal = NormalDist(math.log(median), sigma)
    lengths = [round(math.exp(normal.inv_cdf((at + 0.5) / count))) for at in range(count)]
    return [max(least, min(MOST_TOKENS, length)) for length in lengths]


def chats(
    count: int, vocab_size: int, chance: random.Random, *, median: float = 90, sigma: float = 1.0
) -> list[Sample]:
    """Chats in their order of arrival: lognormal, median 90, sigma 1, cut at 2,000 tokens, by default."""
    lengths = lognormal_lengths(count, median=median, sigma=sigma)
    chance.shuffle(lengths)
    return [Sample(_ids(length, vocab_size, chance), length // 2) for length in lengths]


def backlog(conversations: int, replies: int, vocab_size: int, chance: random.Random) -> list[Sample]:
    """Conversations of `replies` exchanges; each reply is judged with everything before it.

    An exchange is a question and its reply: lognormal, median 80, sigma 0.5.
    """
    lengths = lognormal_lengths(conversations * replies, median=80, sigma=0.5)
    chance.shuffle(lengths)
    samples = []
    for first in range(0, len(lengths), replies):
        ids: tuple[int, ...] = ()
        for length in lengths[first : first + replies]:
            gate_row = len(ids) + length // 3
            ids += _ids(length, vocab_size, chance)
            samples.append(Sample(ids, gate_row))
    return samples


def padding_ratio(samples: list[Sample], batch: int) -> float:
    """Tokens computed for each useful one when batches in order of arrival are padded to their longest."""
    lengths = [len(sample.token_ids) for sample in samples]
    batches = [lengths[start : start + batch] for start in range(0, len(lengths), batch)]
    return sum(len(each) * max(each) for each in batches) / sum(lengths)


def _ids(length: int, vocab_size: int, chance: random.Random) -> tuple[int, ...]:
    return tuple(chance.randrange(vocab_size) for _ in range(length))
