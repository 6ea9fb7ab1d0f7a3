"""First stage: learn whether an answer belongs to its prompt.

The network does not learn this together with other goals, so it comes first: synthetic pairs, whose better answer
repeats words of the prompt, are gradually replaced by real answers against answers to other prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from moderator.training.data.rows import COLUMNS, HELPFULNESS
from moderator.training.fitting.losses import preference_loss
from moderator.training.fitting.schedule import Learner, Progress
from moderator.training.fitting.training_network import TrainingNetwork
from moderator.training.text.batches import pad
from moderator.training.text.encoding import Ids, Vocabulary

_CLIP_TOKENS = 96
_LEAST_SYNTHETIC = 0.15
_BATCH_TOKENS = 4_096


@dataclass(frozen=True, slots=True)
class Exchange:
    """A prompt and its answer, as ids without the template's tokens."""

    prompt: Ids
    answer: Ids


class RelevancePairs:
    """Draws pairs of which the first answer belongs to the prompt and the second does not."""

    def __init__(self, exchanges: Sequence[Exchange], vocabulary: Vocabulary, random: np.random.Generator) -> None:
        self._exchanges = [_clip(exchange) for exchange in exchanges]
        self._vocabulary = vocabulary
        self._random = random
        words = np.concatenate([exchange.answer for exchange in self._exchanges])
        # half common words, half any: with common ones alone the model would rely on a few
        self._words = words[np.isin(words, vocabulary.plain)]

    def natural(self, count: int) -> tuple[list[Ids], list[Ids]]:
        """Draw `count` real exchanges, and the same prompts with another prompt's answer."""
        drawn = self._random.integers(len(self._exchanges), size=(2, count))
        better = [self._lay_out(self._exchanges[own].prompt, self._exchanges[own].answer) for own in drawn[0]]
        worse = [
            self._lay_out(self._exchanges[own].prompt, self._exchanges[other].answer)
            for own, other in zip(*drawn, strict=True)
        ]
        return better, worse

    def synthetic(self, count: int) -> tuple[list[Ids], list[Ids]]:
        """Draw `count` prompts of random words, with answers that repeat some of them and answers that do not."""
        better, worse = [], []
        for _ in range(count):
            prompt, fill, elsewhere = (self._random_words(int(self._random.integers(4, 14))) for _ in range(3))
            repeated = self._random.permutation(prompt)[: self._random.integers(1, 4)]
            better.append(self._lay_out(prompt, self._random.permutation(np.concatenate([fill, repeated]))))
            other_words = self._random.permutation(elsewhere)[: len(repeated)]
            worse.append(self._lay_out(prompt, self._random.permutation(np.concatenate([fill, other_words]))))
        return better, worse

    def mixed(self, synthetic_share: float) -> tuple[list[Ids], list[Ids]]:
        """Draw one batch: synthetic with probability `synthetic_share`, otherwise natural."""
        if self._random.random() < synthetic_share:
            return self.synthetic(_BATCH_TOKENS // 80)
        return self.natural(_BATCH_TOKENS // 2 // _CLIP_TOKENS * 5 // 4)

    def _random_words(self, count: int) -> Ids:
        common = self._words[self._random.integers(len(self._words), size=count)]
        rare = self._random.choice(self._vocabulary.plain, size=count)
        return np.where(self._random.integers(2, size=count) == 0, common, rare).astype(np.int32)

    def _lay_out(self, prompt: Ids, answer: Ids) -> Ids:
        return self._vocabulary.reply(prompt, answer)


def learn_relevance(network: TrainingNetwork, pairs: RelevancePairs, steps: int, progress: Progress) -> None:
    """Train for `steps` or until `progress` is over; synthetic batches fall from 100 % to 15 % in the first half."""
    learner = Learner("relevance", {network: 2e-3}, progress, last_share=0.1)
    while not progress.is_over:
        better, worse = pairs.mixed(max(_LEAST_SYNTHETIC, 1 - 2 * progress.share))
        progress.reached = (progress.steps + 1) / steps
        learner.learn(preference_loss(helpfulness_logits(network, [*better, *worse])))


def helpfulness_logits(network: TrainingNetwork, sequences: Sequence[Ids]) -> Tensor:
    """Return one logit per sequence, (n,)."""
    batch = pad(sequences, range(len(sequences)))
    logits: Tensor = network.logits(network.last_hidden(batch))[:, COLUMNS.index(HELPFULNESS)]
    return logits


def _clip(exchange: Exchange) -> Exchange:
    return Exchange(exchange.prompt[: _CLIP_TOKENS // 2], exchange.answer[: _CLIP_TOKENS // 2])
