"""Prompts and their keys, scores in their order, and the start of an engine."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from moderator.errors import ConfigurationError
from moderator.events import Prompt, Scores, Turn
from moderator.pipeline.ports import Scorer
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.engine import Engine, load_scorer
from moderator.scoring.packing import Text
from moderator.scoring.rendering.framing import frame
from moderator.settings import ModelSettings
from tests.builders import prompts_of
from tests.integration.scoring.model.troubled_armorm import (
    CONVERSATIONS,
    TroubledArmoRM,
    overall,
    question,
)
from tests.models import tiny_armorm


def test_the_identity_names_the_model(scorer: Scorer, armorm: ArmoRM) -> None:
    identity = scorer.identity

    assert identity.name == "Tiny-ArmoRM"
    assert identity.fingerprint == armorm.fingerprint
    assert identity.dtype == "float32"
    assert identity.objectives == armorm.config.objectives
    assert identity.framing == "reply/2"
    assert identity.max_input_tokens == 4096
    assert not identity.is_practice


def test_scores_are_those_of_the_framed_conversations_in_their_order(scorer: Scorer, armorm: ArmoRM) -> None:
    conversations = [*CONVERSATIONS, [Turn("user", "You fool")], [Turn("tool", "{}"), Turn("developer", "Be brief.")]]

    results = scorer.score(prompts_of(scorer, conversations))

    framed = [[{"role": role, "content": text} for role, text in frame(turns)] for turns in conversations]
    expected = armorm.score(framed)
    torch.testing.assert_close(torch.tensor(overall(results)), expected.overall, atol=1e-5, rtol=0)
    for result, rewards, weights in zip(results, expected.rewards, expected.weights, strict=True):
        assert isinstance(result, Scores)
        torch.testing.assert_close(torch.tensor(result.rewards), rewards, atol=1e-5, rtol=0)
        torch.testing.assert_close(torch.tensor(result.weights), weights, atol=1e-5, rtol=0)


def test_nothing_to_score_is_no_scores(scorer: Scorer) -> None:
    assert prompts_of(scorer, []) == []
    assert scorer.score([]) == []


def test_truncation_is_reported(scorer: Scorer) -> None:
    results = scorer.score(prompts_of(scorer, [question("short"), question("long", "x" * 50_000)]))

    assert [result.truncated for result in results if isinstance(result, Scores)] == [False, True]


def test_equal_content_has_one_key_and_other_content_another(scorer: Scorer) -> None:
    first, same, other, moved = prompts_of(
        scorer, [question("a", "b"), question("a", "b"), question("a", "c"), question("ab", "a")]
    )

    assert first.score_key == same.score_key
    assert len({first.score_key, other.score_key, moved.score_key}) == 3
    assert len(bytes.fromhex(first.score_key)) == 32


def test_a_user_message_has_the_key_of_the_reply_that_it_is_framed_as(scorer: Scorer) -> None:
    shouted, answered = prompts_of(scorer, [[Turn("user", "Go away")], [Turn("assistant", "Go away")]])

    assert shouted.score_key == answered.score_key


@pytest.mark.parametrize("arguments", [{"dtype": "bfloat16"}, {"max_input_tokens": 512}])
def test_precision_and_limit_are_part_of_the_key(folder: Path, scorer: Scorer, arguments: dict[str, Any]) -> None:
    other = Engine(tiny_armorm.load(folder, **arguments))

    assert prompts_of(other, [question("a")])[0].score_key != prompts_of(scorer, [question("a")])[0].score_key


def test_the_model_is_part_of_the_key(folder: Path, scorer: Scorer, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "copied"))
    (copied / "config.json").write_text((copied / "config.json").read_text() + "\n")

    other = Engine(tiny_armorm.load(copied))

    assert prompts_of(other, [question("a")])[0].score_key != prompts_of(scorer, [question("a")])[0].score_key


def test_a_model_is_warm_after_many_short_texts_the_longest_and_one_token(armorm: ArmoRM) -> None:
    seen: list[list[int]] = []

    def record(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        seen.append([len(text.token_ids) for text in texts])
        return rows

    Engine(TroubledArmoRM(armorm, record), 128).warm_up()

    assert seen[:3] == [[16] * 8, [4096], [1]]


def test_a_model_without_finite_scores_does_not_warm_up(armorm: ArmoRM) -> None:
    def spoil(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        return rows * float("nan")

    with pytest.raises(
        ConfigurationError, match="model `Tiny-ArmoRM` cannot be used: the model's scores are not finite"
    ):
        Engine(TroubledArmoRM(armorm, spoil)).warm_up()


def test_a_scorer_is_loaded_as_the_settings_say(folder: Path) -> None:
    wanted = ModelSettings(path=str(folder), device="cpu", dtype="bfloat16", max_input_tokens=256)

    identity = load_scorer(wanted).identity

    assert (identity.dtype, identity.max_input_tokens) == ("bfloat16", 256)


def test_packs_are_made_as_the_settings_say(folder: Path) -> None:
    engine = load_scorer(ModelSettings(path=str(folder), device="cpu", pack_tokens=128, deterministic=True))

    assert engine._runner.budget.tokens == 128
    assert not engine._runner.layout.shares_prefixes


def test_no_model_named_is_a_plain_error() -> None:
    with pytest.raises(ConfigurationError, match="no model is named: set `MODERATOR_MODEL__PATH`"):
        load_scorer(ModelSettings(path=None))


def test_prompts_with_lists_of_ids_score_like_those_with_tuples(scorer: Scorer) -> None:
    prompt = prompts_of(scorer, [question("a")])[0]

    as_list = Prompt(list(prompt.token_ids), prompt.gate_row, truncated=False, score_key="")

    assert scorer.score([as_list]) == scorer.score([prompt])


def test_what_warms_a_model_up_is_not_counted_as_scored(armorm: ArmoRM) -> None:
    engine = Engine(armorm)
    engine.warm_up()
    before = (engine.usage.texts, engine.usage.tokens, engine.usage.busy_s)
    prompts = prompts_of(engine, [question("a"), question("b")])

    engine.score(prompts)

    assert before == (0, 0, 0.0)
    assert (engine.usage.texts, engine.usage.tokens) == (2, sum(len(prompt.token_ids) for prompt in prompts))
    assert engine.usage.busy_s > 0
