"""The hidden states that heads read, of every family, against transformers' own backbone, one text at a time."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, LlamaModel

from moderator.scoring.engine import Engine
from moderator.scoring.opening import open_model
from moderator.scoring.packing import gather
from moderator.scoring.rendering.event_reader import WHOLE
from tests.builders import prompts_of
from tests.integration.scoring.classifiers import CONVERSATIONS
from tests.models import tiny_armorm, tiny_classifiers, tiny_guards

TWICE = [*CONVERSATIONS, CONVERSATIONS[1]]


def hidden_by_prompt(folder: Path) -> list[tuple[list[int], torch.Tensor]]:
    """Token ids of each conversation and what the head read, all scored in one pass."""
    model = open_model(folder).load("float32", torch.device("cpu"))
    prompts = prompts_of(Engine(model, limits=WHOLE), TWICE)
    texts = gather(prompts, model.layout)

    rows, hidden = model.forward_with_hidden(texts)

    assert hidden.dtype == torch.float32
    assert torch.equal(rows, model.forward(texts))
    order = [read.prompt for text in texts for read in text.reads]
    assert sorted(order) == list(range(len(TWICE)))
    return [(list(prompts[at].token_ids), state) for at, state in zip(order, hidden, strict=True)]


@pytest.mark.parametrize("family", tiny_classifiers.FAMILIES)
def test_a_classifier_gives_the_state_of_the_last_token_an_encoder_of_the_first(
    written: Callable[..., Path], family: str
) -> None:
    folder = written(family)
    backbone = tiny_classifiers.plain_network(folder).base_model
    at = 0 if family in tiny_classifiers.ENCODERS else -1

    for token_ids, state in hidden_by_prompt(folder):
        with torch.inference_mode():
            expected = backbone(input_ids=torch.tensor([token_ids])).last_hidden_state[0, at]
        assert state.tolist() == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-5)


def test_a_head_that_takes_the_mean_of_all_tokens_is_given_that(written: Callable[..., Path]) -> None:
    folder = written("modernbert", classifier_pooling="mean")
    backbone = tiny_classifiers.plain_network(folder).base_model

    for token_ids, state in hidden_by_prompt(folder):
        with torch.inference_mode():
            expected = backbone(input_ids=torch.tensor([token_ids])).last_hidden_state[0].mean(0)
        assert state.tolist() == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-5)


def test_an_armorm_gives_the_state_that_its_regression_reads(tmp_path: Path) -> None:
    folder = tiny_armorm.write_checkpoint(tmp_path / "armorm")
    backbone = LlamaModel(tiny_armorm.load(folder).config.backbone)
    backbone.load_state_dict(tiny_armorm.load(folder).network.model.state_dict())
    backbone.train(mode=False)

    for token_ids, state in hidden_by_prompt(folder):
        with torch.inference_mode():
            expected = backbone(input_ids=torch.tensor([token_ids])).last_hidden_state[0, -1]
        assert state.tolist() == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-5)


def test_a_guard_gives_the_state_before_its_answer(tmp_path: Path) -> None:
    folder = tiny_guards.write_guard(tmp_path / "guard", "llama", tiny_guards.LLAMA_GUARD)
    backbone = AutoModel.from_pretrained(folder, dtype=torch.float32).train(mode=False)

    for token_ids, state in hidden_by_prompt(folder):
        with torch.inference_mode():
            expected = backbone(input_ids=torch.tensor([token_ids])).last_hidden_state[0, -1]
        assert state.tolist() == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-5)
