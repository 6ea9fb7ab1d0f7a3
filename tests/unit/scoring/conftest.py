"""One thread, and tiny checkpoints once per session."""

from pathlib import Path

import pytest
import torch

from moderator.scoring.armorm.armorm import ArmoRM
from tests import tiny_armorm


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint to read; tests that change one copy it first."""
    return tiny_armorm.write_checkpoint(tmp_path_factory.mktemp("tiny") / "Tiny-ArmoRM", tiny_armorm.tokenizer())


@pytest.fixture(scope="session")
def armorm(folder: Path) -> ArmoRM:
    return tiny_armorm.load(folder)
