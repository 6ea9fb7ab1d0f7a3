"""ArmoRM with the tokenizer that the published one has."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.scoring.checkpoint.location import Location
from moderator.scoring.rendering.llama3 import Llama3Renderer
from tests.models import tiny_armorm
from tests.models.llama3 import GATE_PATTERN
from tests.models.published_armorm import CHATS, assert_scores_equal, reference, templated

pytestmark = pytest.mark.xdist_group("tokenizer of Llama 3")


def test_scores_follow_the_published_formulas(
    llama3_tokenizer: PreTrainedTokenizerFast, llama3_renderer: Llama3Renderer
) -> None:
    config = ArmoRMConfig.from_fields(tiny_armorm.fields(vocab_size=128256))
    model = tiny_armorm.random_model(config)
    armorm = ArmoRM(model, llama3_renderer, config, Location(Path(), "random"), "sha256:")

    output = armorm.score(CHATS[:3])

    weights = model.state_dict()
    expected = [reference(weights, templated(llama3_tokenizer, turns), GATE_PATTERN) for turns in CHATS[:3]]
    assert_scores_equal(output, expected)
