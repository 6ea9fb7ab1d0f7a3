"""One thread, and Llama-3's tokenizer once per session: making it takes seconds."""

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from moderator.scoring.rendering.llama3 import Llama3Renderer
from tests import llama3


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def llama3_tokenizer() -> PreTrainedTokenizerFast:
    return llama3.llama3_tokenizer()


@pytest.fixture(scope="session")
def llama3_renderer(llama3_tokenizer: PreTrainedTokenizerFast) -> Llama3Renderer:
    return Llama3Renderer(llama3_tokenizer, 4096)
