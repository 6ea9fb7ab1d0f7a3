"""One thread, and what is made once per session: a tiny checkpoint, Llama-3's tokenizer, classifiers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from moderator.pipeline.ports import Scorer
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.engine import Engine
from moderator.scoring.rendering.llama3 import Llama3Renderer
from tests.models import llama3, tiny_armorm, tiny_classifiers


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Compute each test on one thread, whatever a test before it left: sums differ with their number."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint to read; tests that change one copy it first."""
    return tiny_armorm.write_checkpoint(tmp_path_factory.mktemp("tiny") / "Tiny-ArmoRM")


@pytest.fixture(scope="session")
def armorm(folder: Path) -> ArmoRM:
    return tiny_armorm.load(folder)


@pytest.fixture(scope="session")
def scorer(armorm: ArmoRM) -> Scorer:
    return Engine(armorm)


@pytest.fixture(scope="session")
def llama3_tokenizer() -> PreTrainedTokenizerFast:
    return llama3.llama3_tokenizer()


@pytest.fixture(scope="session")
def llama3_renderer(llama3_tokenizer: PreTrainedTokenizerFast) -> Llama3Renderer:
    return Llama3Renderer(llama3_tokenizer, 4096)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Checkpoints to read, each written once; tests that change one copy it first."""
    known: dict[str, Path] = {}

    def write(family: str, labels: tuple[str, ...] = ("reward",), **changes: Any) -> Path:
        key = json.dumps([family, labels, changes])
        if key not in known:
            folder = tmp_path_factory.mktemp("classifiers") / f"tiny-{family}"
            known[key] = tiny_classifiers.write_classifier(folder, family, labels, **changes)
        return known[key]

    return write
