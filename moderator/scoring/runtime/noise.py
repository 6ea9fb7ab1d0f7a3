"""How much a text's rewards depend on what else is in its pack, measured.

A device multiplies matrices of different heights in different ways, and sums in different orders. The result holds for
one model on one device, in one precision, with one release of torch: `model calibrate` measures and records it.
"""

import math
import random
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

from moderator.events import Prompt, Role, Turn

_CONVERSATIONS: Final = 24
_EXCHANGES: Final = 2
_PACKINGS: Final = 20
_LEAST_PACK_TOKENS: Final = 64
_PERCENTILE: Final = 0.999
_WORDS: Final = tuple(
    """the you that was for are with have this what can not your when will there how all about them then would like him
    time could people than first been now find down day get come made may part over new take only please thanks refund
    order never idiot hate love stupid help money today angry friend game lost won again why""".split()  # noqa: SIM905
)


def measure_noise(
    render: Callable[[Sequence[Sequence[Turn]]], list[Prompt]],
    rewards: Callable[[Sequence[Prompt]], Sequence[Sequence[float]]],
    budget_tokens: int,
) -> tuple[float, ...]:
    """Score probes alone and in random packs of a few to `budget_tokens` tokens; every run uses the same ones.

    Each conversation is probed after every exchange; in one pack the earlier probe can be read within the later.

    Args:
        render: conversations to prompts.
        rewards: scores prompts as in operation; k rewards for each.
        budget_tokens: of a pack.

    Returns:
        For each objective the 99.9th percentile of the absolute differences of a probe's reward from its reward alone.
    """
    chance = random.Random(1)
    conversations = [_conversation(chance) for _ in range(_CONVERSATIONS)]
    probes = render([turns[:end] for turns in conversations for end in range(2, len(turns) + 1, 2)])
    alone = [rewards([probe])[0] for probe in probes]
    differences: list[list[float]] = []
    for _ in range(_PACKINGS):
        picked = _pick(probes, chance, budget_tokens)
        for at, together in zip(picked, rewards([probes[at] for at in picked]), strict=True):
            differences.append([abs(one - other) for one, other in zip(together, alone[at], strict=True)])
    return tuple(_high(sorted(column)) for column in zip(*differences, strict=True))


def _pick(probes: Sequence[Prompt], chance: random.Random, budget_tokens: int) -> list[int]:
    """Choose probes for a pack of random size, from small to large; one or more of each conversation."""
    order = [
        conversation * _EXCHANGES + exchange
        for conversation in chance.sample(range(_CONVERSATIONS), _CONVERSATIONS)
        for exchange in chance.sample(range(_EXCHANGES), chance.randint(1, _EXCHANGES))
    ]
    room = math.exp(chance.uniform(math.log(_LEAST_PACK_TOKENS), math.log(budget_tokens)))
    ends = accumulate(len(probes[at].token_ids) for at in order)
    return [at for at, end in zip(order, ends, strict=True) if end <= room] or order[:1]


def _conversation(chance: random.Random) -> list[Turn]:
    speakers: tuple[Role, ...] = ("user", "assistant") * _EXCHANGES
    return [
        Turn(speaker, " ".join(chance.choices(_WORDS, k=round(chance.lognormvariate(2, 1)) + 1)))
        for speaker in speakers
    ]


def _high(differences: Sequence[float]) -> float:
    return differences[math.ceil(_PERCENTILE * len(differences)) - 1]
