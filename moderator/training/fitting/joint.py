"""Second stage: learn safety, helpfulness and harm categories together, without forgetting relevance."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor

from moderator.training.data.augmentation import augment
from moderator.training.data.rows import COLUMNS, HARMLESS_FROM, SAFETY, Pair, Row
from moderator.training.fitting.identity import IdentityPhrases
from moderator.training.fitting.losses import Targets, label_loss, preference_loss, targets_of
from moderator.training.fitting.relevance import RelevancePairs, helpfulness_logits
from moderator.training.fitting.schedule import Learner, Progress
from moderator.training.fitting.training_network import TrainingNetwork
from moderator.training.text.batches import pad, shuffled_groups
from moderator.training.text.encoding import Encoder, Ids, Vocabulary

BATCH_TOKENS = 4_096
_RATE = 7e-4
_RATE_OF_LEARNED = 5e-4
_SAVED_STEPS = 500
_DROPPED_SHARE = 0.02
_PAIRED_BATCHES = 3
_PAIR_LOSS_WEIGHT = 1.0
_IDENTITY_BATCHES = 4
_IDENTITY_LOSS_WEIGHT = 0.5
# long rows cost most and teach least; each epoch uses some of them
_LONG_CHARACTERS = 400
_LONG_SHARE = 0.4
# each epoch uses half of the rows that have no labels
_UNLABELLED_PARTS = 2


@dataclass(frozen=True, slots=True)
class JointStage:
    """The data of the joint stage.

    Attributes:
        rows: labelled rows, with a teacher's logits where there is a teacher.
        unlabelled: rows with a teacher's logits alone; empty without a teacher.
    """

    encoder: Encoder
    vocabulary: Vocabulary
    rows: Sequence[Row]
    unlabelled: Sequence[Row]
    pairs: Sequence[Pair]
    relevance: RelevancePairs
    seed: int

    def learn(
        self,
        network: TrainingNetwork,
        epochs: float,
        progress: Progress,
        save: Callable[[], None],
        *,
        has_learned: bool = False,
    ) -> None:
        """Train for `epochs` or until `progress` is over; every epoch is augmented differently.

        `save` is called from time to time, so that a stopped run leaves a checkpoint. A network that has learned before
        learns at a lower rate.
        """
        learner = Learner("joint", {network: _RATE_OF_LEARNED if has_learned else _RATE}, progress, last_share=0.05)
        for epoch in range(math.ceil(epochs)):
            for done, loss in self._losses(network, epoch):
                progress.reached = (epoch + done) / epochs
                learner.learn(loss)
                if progress.steps % _SAVED_STEPS == 0:
                    save()
                if progress.is_over:
                    return

    def _losses(self, network: TrainingNetwork, epoch: int) -> Iterator[tuple[float, Tensor]]:
        """Yield the share of the epoch that is done with each batch, and the batch's loss."""
        random = np.random.default_rng((self.seed, epoch))
        sequences, targets = self.draw(epoch)
        groups = shuffled_groups([len(ids) for ids in sequences], BATCH_TOKENS, random)
        preferences = self._preferences(network, random)
        identity = IdentityPhrases(self.encoder, self.rows, random)
        for number, group in enumerate(groups, start=1):
            kept = [self.vocabulary.drop_some(sequences[member], _DROPPED_SHARE, random) for member in group]
            loss = label_loss(network, pad(kept, group), targets)
            if number % _PAIRED_BATCHES == 0:
                loss = loss + _PAIR_LOSS_WEIGHT * next(preferences)
            elif number % _IDENTITY_BATCHES == 1:
                loss = loss + _IDENTITY_LOSS_WEIGHT * identity.penalty(network)
            yield number / len(groups), loss

    def draw(self, epoch: int) -> tuple[list[Ids], Targets]:
        """Draw and augment an epoch's rows; return ids and targets, always the same for the same epoch."""
        random = Random(f"{self.seed}/{epoch}")
        harmless = [row for row in self.rows if len(row.conversation) == 1 and row.labels[SAFETY] >= HARMLESS_FROM]
        drawn = [row for row in self.rows if _length(row) <= _LONG_CHARACTERS or random.random() < _LONG_SHARE]
        drawn += random.sample(self.unlabelled, k=len(self.unlabelled) // _UNLABELLED_PARTS)
        rows = [augment(row, harmless, random) for row in drawn] if harmless else drawn
        return self.encoder.encode([row.conversation for row in rows]), targets_of(rows)

    def _preferences(self, network: TrainingNetwork, random: np.random.Generator) -> Iterator[Tensor]:
        """Alternate without end: two batches of relevance, one of the labelled pairs."""
        labelled = self._labelled_preferences(network, random)
        while True:
            for _ in range(2):
                better, worse = self.relevance.mixed(synthetic_share=0.15)
                yield preference_loss(helpfulness_logits(network, [*better, *worse]))
            yield next(labelled)

    def _labelled_preferences(self, network: TrainingNetwork, random: np.random.Generator) -> Iterator[Tensor]:
        better = self.encoder.encode([pair.chosen for pair in self.pairs])
        worse = self.encoder.encode([pair.rejected for pair in self.pairs])
        columns = torch.tensor([COLUMNS.index(pair.column) for pair in self.pairs])
        lengths = [2 * max(len(one), len(other)) for one, other in zip(better, worse, strict=True)]
        while True:
            for group in shuffled_groups(lengths, BATCH_TOKENS, random):
                both = [better[member] for member in group] + [worse[member] for member in group]
                logits = network.logits(network.last_hidden(pad(both, range(len(both)))))
                yield preference_loss(logits.gather(1, columns[group].repeat(2)[:, None])[:, 0])


def _length(row: Row) -> int:
    return sum(len(turn.content) for turn in row.conversation)
