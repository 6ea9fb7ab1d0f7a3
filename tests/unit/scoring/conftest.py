"""Tiny checkpoints, once per session. Tests that need no torch do not wait for it: only fixtures import it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moderator.pipeline.ports import Scorer

if TYPE_CHECKING:
    from moderator.scoring.armorm.armorm import ArmoRM


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Compute each test on one thread, whatever a test before it left: sums differ with their number."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint to read; tests that change one copy it first."""
    from tests.models import tiny_armorm  # noqa: PLC0415

    return tiny_armorm.write_checkpoint(tmp_path_factory.mktemp("tiny") / "Tiny-ArmoRM")


@pytest.fixture(scope="session")
def armorm(folder: Path) -> "ArmoRM":
    from tests.models import tiny_armorm  # noqa: PLC0415

    return tiny_armorm.load(folder)


@pytest.fixture(scope="session")
def scorer(armorm: "ArmoRM") -> Scorer:
    from moderator.scoring.engine import Engine  # noqa: PLC0415

    return Engine(armorm)
