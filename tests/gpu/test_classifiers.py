"""Sequence classifiers on a CUDA device: packed decoders, padded encoders, and what compiling them changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from moderator.events import Scores, Turn
from moderator.scoring.engine import Engine, load_scorer
from moderator.settings import ModelSettings
from tests.builders import prompts_of
from tests.models import tiny_classifiers

pytestmark = pytest.mark.gpu

CONVERSATIONS = [
    [Turn("user", f"question {number}"), Turn("assistant", "word " * (number % 20))] for number in range(40)
]
WIDE: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_attention_heads": 4,
    "initializer_range": 0.05,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    def write(family: str) -> Path:
        return tiny_classifiers.write_classifier(tmp_path_factory.mktemp("gpu") / family, family, **WIDE)

    return write


def rewards(scorer: Engine) -> torch.Tensor:
    results = scorer.score(prompts_of(scorer, CONVERSATIONS))
    return torch.tensor([result.rewards for result in results if isinstance(result, Scores)])


@pytest.mark.parametrize("family", tiny_classifiers.FAMILIES)
@pytest.mark.parametrize("is_compiled", [False, True])
def test_scores_on_cuda_are_those_of_the_cpu_in_the_same_precision(
    written: Callable[[str], Path], family: str, *, is_compiled: bool
) -> None:
    folder = str(written(family))
    on_cuda = load_scorer(ModelSettings(path=folder, device="cuda", dtype="bfloat16", compile=is_compiled))
    on_cuda.warm_up()

    on_cpu = load_scorer(ModelSettings(path=folder, device="cpu", dtype="bfloat16"))
    torch.testing.assert_close(rewards(on_cuda), rewards(on_cpu), atol=0.1, rtol=0.1)
