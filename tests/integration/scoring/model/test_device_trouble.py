"""Too little memory, numbers that are not finite, and other failures of the device."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch._dynamo.exc import FailOnRecompileLimitHit

from moderator.errors import ConfigurationError, ScorerUnavailableError
from moderator.events import Scores, Unscored
from moderator.pipeline.ports import Scorer
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.engine import Engine
from moderator.scoring.packing import Text
from tests.builders import prompts_of
from tests.integration.scoring.model.troubled_armorm import (
    CONVERSATIONS,
    TroubledArmoRM,
    overall,
    question,
    too_small,
)
from tests.models import tiny_armorm
from tests.models.tiny_tokenizers import armorm_tokenizer


def test_a_pack_that_does_not_fit_is_halved_until_it_does(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, too_small(400))
    prompts = prompts_of(scorer, [turns for turns in CONVERSATIONS if len(turns[1].content) < 200])

    results = Engine(troubled).score(prompts)

    assert overall(results) == pytest.approx(overall(scorer.score(prompts)), abs=1e-5)


def test_packs_that_were_halved_are_counted_and_so_is_what_went_through(armorm: ArmoRM, scorer: Scorer) -> None:
    engine = Engine(TroubledArmoRM(armorm, too_small(600)))
    prompts = prompts_of(scorer, [question(f"q{number}", "short") for number in range(20)])

    engine.score(prompts)

    usage = engine.usage
    assert usage.packs_halved > 0
    assert (usage.texts, usage.tokens) == (20, sum(len(prompt.token_ids) for prompt in prompts))
    assert usage.pack_tokens < 1_024


def test_later_packs_are_made_smaller(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, too_small(600))
    engine = Engine(troubled)
    prompts = prompts_of(scorer, [question(f"q{number}", "short") for number in range(20)])
    engine.score(prompts)
    troubled.packs.clear()

    engine.score(prompts)

    assert sum(troubled.packs) == 20


def test_a_text_that_alone_does_not_fit_is_unscored_and_the_others_are_not(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, too_small(300))
    prompts = prompts_of(scorer, [question("a"), question("b", "x" * 1000), question("c")])

    first, long, last = Engine(troubled).score(prompts)

    assert long == Unscored(f"the device has too little memory for {len(prompts[1].token_ids)} tokens")
    assert overall([first, last]) == pytest.approx(overall(scorer.score([prompts[0], prompts[2]])), abs=1e-5)


def test_equal_texts_that_alone_do_not_fit_are_tried_once(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, too_small(300))
    prompts = prompts_of(scorer, [question("b", "x" * 1000)] * 50)

    results = Engine(troubled).score(prompts)

    assert all(isinstance(result, Unscored) for result in results)
    assert troubled.packs == [1]


def test_the_budget_comes_back_once_memory_does(armorm: ArmoRM, scorer: Scorer) -> None:
    limits = iter([100])

    def allocate(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        return too_small(next(limits, 10**6))(texts, rows)

    troubled = TroubledArmoRM(armorm, allocate)
    engine = Engine(troubled, 512)
    prompts = prompts_of(scorer, [question(f"q{number}", "short") for number in range(40)])

    for _ in range(4):
        engine.score(prompts)
    lowered = max(troubled.packs[1:])
    for _ in range(4 * 64):
        engine.score(prompts[:1])
    troubled.packs.clear()
    engine.score(prompts)

    assert max(troubled.packs) > lowered
    assert sum(troubled.packs) == 40


def test_any_other_failure_of_the_device_scores_nothing(armorm: ArmoRM, scorer: Scorer) -> None:
    def fail(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")

    engine = Engine(TroubledArmoRM(armorm, fail))

    with pytest.raises(ScorerUnavailableError, match=r"device `cpu` failed: CUDA error: unspecified launch failure$"):
        engine.score(prompts_of(scorer, CONVERSATIONS[:2]))


def test_layers_that_would_be_compiled_once_too_often_score_nothing(armorm: ArmoRM, scorer: Scorer) -> None:
    def fail(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        raise FailOnRecompileLimitHit("Hard failure due to fullgraph=True")

    engine = Engine(TroubledArmoRM(armorm, fail))

    with pytest.raises(ScorerUnavailableError, match="Hard failure"):
        engine.score(prompts_of(scorer, CONVERSATIONS[:2]))
    with pytest.raises(ConfigurationError, match="`--no-compile`"):
        engine.warm_up()


@pytest.fixture(scope="module")
def holed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ArmoRM:
    """A model with one bad number: where it embeds `Z`."""
    copied = Path(shutil.copytree(folder, tmp_path_factory.mktemp("holed") / "holed"))
    weights = load_file(copied / "model.safetensors")
    letter = armorm_tokenizer().convert_tokens_to_ids("Z")
    weights["model.embed_tokens.weight"][letter, 5] = float("nan")
    save_file(weights, copied / "model.safetensors")
    return tiny_armorm.load(copied)


def test_a_score_that_is_not_finite_is_no_score_and_changes_no_other(holed: ArmoRM, scorer: Scorer) -> None:
    engine = Engine(holed)
    conversations = [question("fine"), question("Zzz"), question("fine too")]

    fine, bad, fine_too = engine.score(prompts_of(engine, conversations))

    assert bad == Unscored("the model's scores are not finite")
    alone = overall(scorer.score(prompts_of(scorer, conversations[::2])))
    assert overall([fine, fine_too]) == pytest.approx(alone, abs=1e-5)


def test_a_text_that_is_not_finite_among_others_is_scored_once_more_alone(armorm: ArmoRM, scorer: Scorer) -> None:
    def spoil(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        rows = rows.clone()
        if len(texts) > 1:
            rows[1, 3] = float("inf")
        return rows

    troubled = TroubledArmoRM(armorm, spoil)
    prompts = prompts_of(scorer, CONVERSATIONS[:4])

    results = Engine(troubled).score(prompts)

    assert overall(results) == pytest.approx(overall(scorer.score(prompts)), abs=1e-5)
    assert troubled.packs == [4, 1]


def test_a_text_that_is_not_finite_alone_is_not_scored_again(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, lambda _, rows: rows * float("nan"))

    results = Engine(troubled).score(prompts_of(scorer, [question("a")]))

    assert results == [Unscored("the model's scores are not finite")]
    assert troubled.packs == [1]


def test_equal_texts_that_are_not_finite_are_scored_once_more_between_them(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, lambda _, rows: rows * float("nan"))
    prompts = prompts_of(scorer, [question("a")] * 50 + [question("b")] * 50)

    results = Engine(troubled).score(prompts)

    assert results == [Unscored("the model's scores are not finite")] * 100
    assert troubled.packs == [2, 1, 1]


def test_of_equal_texts_that_are_scored_once_more_each_says_itself_whether_it_was_truncated(armorm: ArmoRM) -> None:
    troubled = TroubledArmoRM(armorm, lambda texts, rows: rows * float("nan") if len(texts) > 1 else rows)
    engine = Engine(troubled)
    whole, other = prompts_of(engine, [question("a"), question("b")])

    results = engine.score([whole, whole._replace(truncated=True), other])

    assert [result.truncated for result in results if isinstance(result, Scores)] == [False, True, False]
