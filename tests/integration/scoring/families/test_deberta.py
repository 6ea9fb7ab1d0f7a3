"""DeBERTa v2 and v3 against their published formulas, in each form of their config that checkpoints use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import prompts_of
from tests.integration.scoring.classifiers import CONVERSATIONS, load_classifier, rewards
from tests.models import slow_deberta


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"share_att_key": False},
        {"pos_att_type": "c2p"},
        {"pos_att_type": ["p2c"], "norm_rel_ebd": "none"},
        {"position_buckets": -1, "max_relative_positions": 8},
        {"position_biased_input": True, "type_vocab_size": 2},
    ],
    ids=["v3", "own keys for positions", "one way", "the other way, not normalised", "no buckets", "positions added"],
)
def test_texts_of_any_mix_score_as_the_published_formulas_say(
    written: Callable[..., Path], changes: dict[str, Any]
) -> None:
    folder = written("deberta-v2", **changes)
    engine = load_classifier(folder)

    results = rewards(engine, CONVERSATIONS)

    for prompt, given in zip(prompts_of(engine, CONVERSATIONS), results, strict=True):
        assert given == pytest.approx(slow_deberta.logits(folder, list(prompt.token_ids)), abs=1e-5)
    assert len({round(reward, 3) for (reward,) in results}) > 3
