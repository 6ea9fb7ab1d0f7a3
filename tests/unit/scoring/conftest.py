"""One thread, and the slow things once per session: Llama-3's tokenizer and tiny checkpoints."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from moderator.scoring.armorm import ArmoRM
from moderator.scoring.rendering import Renderer
from tests import llama3, tiny_armorm


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests with Llama-3's tokenizer on one worker: making it takes seconds."""
    for item in items:
        if "llama3_tokenizer" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("llama3"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def llama3_tokenizer() -> PreTrainedTokenizerFast:
    return llama3.llama3_tokenizer()


@pytest.fixture(scope="session")
def llama3_renderer(llama3_tokenizer: PreTrainedTokenizerFast) -> Renderer:
    return Renderer(llama3_tokenizer, 4096)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint to read; tests that change one copy it first."""
    return tiny_armorm.write_checkpoint(tmp_path_factory.mktemp("tiny") / "Tiny-ArmoRM", tiny_armorm.tokenizer())


@pytest.fixture(scope="session")
def armorm(folder: Path) -> ArmoRM:
    return tiny_armorm.load(folder)
