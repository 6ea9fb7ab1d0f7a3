"""Scores that do not depend by a bit on what is scored with them."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from moderator.errors import ConfigurationError
from moderator.pipeline.ports import Scorer
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.engine import Engine
from moderator.scoring.packing import Layout, Text
from tests.builders import prompts_of
from tests.integration.scoring.model.troubled_armorm import (
    CONVERSATIONS,
    TroubledArmoRM,
    TwoThreads,
    noting_threads,
    overall,
    question,
    too_small,
)
from tests.models import tiny_armorm


def test_deterministic_scores_do_not_depend_on_neighbours_by_a_bit(armorm: ArmoRM, scorer: Scorer) -> None:
    engine = Engine(armorm, 512, is_deterministic=True)
    prompts = prompts_of(scorer, CONVERSATIONS)

    together = engine.score(prompts)

    assert together == engine.score(prompts[::-1])[::-1]
    assert together == [engine.score([prompt])[0] for prompt in prompts]
    assert overall(together) == pytest.approx(overall(scorer.score(prompts)), abs=1e-5)


def test_deterministic_passes_have_one_size_however_many_prompts_are_equal(armorm: ArmoRM) -> None:
    sizes: set[tuple[int, int]] = set()

    def note(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        sizes.add((sum(len(text.token_ids) for text in texts), sum(len(text.reads) for text in texts)))
        return rows

    engine = Engine(TroubledArmoRM(armorm, note), 512, is_deterministic=True)
    prompts = prompts_of(
        engine, [question("the same")] * 1500 + [question(f"q{number}", "short") for number in range(10)]
    )

    results = engine.score(prompts)

    alone = [engine.score([prompt])[0] for prompt in prompts[1499:]]
    assert results == [alone[0]] * 1499 + alone
    assert sizes == {(512, 1024)}


@pytest.mark.parametrize(("is_deterministic", "threads"), [(False, 2), (True, 1)])
def test_a_pass_has_as_many_threads_as_are_chosen_and_a_deterministic_one_a_fixed_number(
    armorm: ArmoRM, threads: int, *, is_deterministic: bool
) -> None:
    seen: list[int] = []
    trouble = noting_threads(seen)
    engine = Engine(TroubledArmoRM(armorm, trouble), 512, is_deterministic=is_deterministic, threads=TwoThreads())

    engine.score(prompts_of(engine, [question("a")]))

    assert seen == [threads]


def test_a_deterministic_pass_of_one_text_is_filled_up_less_where_memory_is_short(
    armorm: ArmoRM, scorer: Scorer
) -> None:
    engine = Engine(TroubledArmoRM(armorm, too_small(300)), 1024, is_deterministic=True)
    prompts = prompts_of(scorer, [question("a")])

    results = engine.score(prompts)

    assert overall(results) == pytest.approx(overall(scorer.score(prompts)), abs=1e-5)


def test_nothing_fills_up_a_deterministic_pass_of_a_text_beyond_the_budget(armorm: ArmoRM, scorer: Scorer) -> None:
    engine = Engine(TroubledArmoRM(armorm, too_small(200)), 120, is_deterministic=True)
    prompts = prompts_of(scorer, [question("a", "w" * 105)])

    results = engine.score(prompts)

    assert 120 < len(prompts[0].token_ids) < 200
    assert overall(results) == pytest.approx(overall(scorer.score(prompts)), abs=1e-5)


def test_what_fills_a_deterministic_pass_is_no_longer_than_the_model_has_positions(tmp_path: Path) -> None:
    scaled = {"max_position_embeddings": 128, "rope_scaling": {"type": "dynamic", "factor": 2.0}}
    armorm = tiny_armorm.load(tiny_armorm.write_checkpoint(tmp_path, **scaled))
    prompts = prompts_of(Engine(armorm), [question("a")])

    results = Engine(armorm, 512, is_deterministic=True).score(prompts)

    assert overall(results) == pytest.approx(overall(Engine(armorm).score(prompts)), abs=1e-5)


def test_deterministic_scores_have_keys_of_their_own(armorm: ArmoRM, scorer: Scorer) -> None:
    deterministic = Engine(armorm, is_deterministic=True)

    assert prompts_of(deterministic, [question("a")])[0].score_key != prompts_of(scorer, [question("a")])[0].score_key


def test_where_texts_are_padded_no_scores_are_deterministic(armorm: ArmoRM) -> None:
    padded = TroubledArmoRM(armorm, lambda _, rows: rows)
    padded.layout = Layout(is_padded=True)

    with pytest.raises(ConfigurationError, match="`deterministic` needs a device and a model that pack texts"):
        Engine(padded, is_deterministic=True)
