"""What the small model is drawn to: a teacher's answers, and one score for the same phrase about whichever people."""

import numpy as np
import pytest
import torch

from moderator.events import Turn
from moderator.training.data.rows import COLUMNS, Row
from moderator.training.fitting.identity import IdentityPhrases
from moderator.training.fitting.losses import distillation_loss, label_loss, targets_of
from moderator.training.fitting.training_network import TrainingNetwork, small_backbone
from moderator.training.text.batches import pad
from moderator.training.text.encoding import Encoder
from moderator.training.text.tokenizer import train_tokenizer


def _row(text: str, source: str = "made-up", **logits: float) -> Row:
    return Row((Turn("user", text),), {"is_safe": 0.95}, source, "CC0-1.0", logits=logits)


def test_no_logits_are_better_than_the_teachers_own() -> None:
    targets = targets_of([_row("a", is_safe=2.0, x_hate=-3.0), _row("b", is_safe=-1.0, x_hate=0.5)])
    own = targets.logits.nan_to_num()

    least = distillation_loss(own, targets)

    assert all(distillation_loss(own + shift, targets) > least for shift in (-0.5, 0.5))


def test_columns_and_rows_without_a_teachers_logit_do_not_count() -> None:
    targets = targets_of([_row("a", is_safe=2.0), _row("b")])
    logits = torch.zeros(2, len(COLUMNS))
    others = logits.clone()
    others[0, 1:] = 5.0
    others[1] = -5.0

    assert distillation_loss(others, targets) == distillation_loss(logits, targets) > 0
    assert distillation_loss(logits, targets_of([_row("a"), _row("b")])) == 0


def test_a_batch_with_a_teachers_logits_is_drawn_to_them() -> None:
    torch.manual_seed(1)
    network = TrainingNetwork(small_backbone(50, hidden=32, layers=2)).eval()
    batch = pad([np.array([3, 4, 5], dtype=np.int32)], [0])

    alone = label_loss(network, batch, targets_of([_row("a")]))
    guided = [label_loss(network, batch, targets_of([_row("a", is_safe=wanted)])) for wanted in (-4.0, 4.0)]

    assert guided[0] != guided[1]
    assert all(loss > alone for loss in guided)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    texts = ["hug red", "hug blue", "hug green", "like red", "like blue", "like green"]
    return Encoder(train_tokenizer(texts * 3, vocabulary_size=400))


def test_a_difference_between_identities_is_penalised_and_can_be_unlearned(encoder: Encoder) -> None:
    torch.manual_seed(1)
    network = TrainingNetwork(small_backbone(400, hidden=32, layers=2)).eval()
    rows = [
        _row(f"{verb} {term}", f"identity-templates/{term}") for term in ("red", "blue") for verb in ("hug", "like")
    ]
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    phrases = IdentityPhrases(encoder, rows, np.random.default_rng(1))
    before = phrases.penalty(network).item()

    for _ in range(20):
        optimizer.zero_grad()
        phrases.penalty(network).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    assert before > 0
    assert phrases.penalty(network).item() < 0.5 * before


def test_only_harmless_templates_are_compared(encoder: Encoder) -> None:
    network = TrainingNetwork(small_backbone(400, hidden=32, layers=2)).eval()
    harmful = Row((Turn("user", "kill red"),), {"is_safe": 0.1}, "identity-templates/red", "Apache-2.0")

    assert IdentityPhrases(encoder, [_row("hug red"), harmful], np.random.default_rng(1)).penalty(network) == 0
