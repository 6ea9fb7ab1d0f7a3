"""What a mebibyte costs to read with the tokenizer of Llama 3: CPU time beside that of ordinary prose."""

import time
from unicodedata import normalize

import pytest
from transformers import PreTrainedTokenizerFast

from moderator.events import Turn
from moderator.scoring.rendering.event_reader import DEFAULT_LIMITS, EventReader
from moderator.scoring.rendering.llama3 import Llama3Renderer
from moderator.scoring.rendering.templates.rendering import TemplateRenderer

pytestmark = pytest.mark.xdist_group("tokenizer of Llama 3")

MEBIBYTE = 2**20
PROSE = "How do I reset my password? I tried the link twice, and it still says that my account is locked. "
TRIES = 6
"""Other work on the machine makes any of them longer."""
MOST_OF_PROSE = 4
"""Prose takes a quarter of a second; the bound for any text is one second."""


def a_mebibyte(of: str) -> str:
    encoded = of.encode()
    return (encoded * (MEBIBYTE // len(encoded) + 1))[:MEBIBYTE].decode(errors="ignore")


def cpu_s(reader: EventReader, *texts: str) -> float:
    began_s = time.process_time()
    reader.read([[Turn("user", text) for text in texts]])
    return time.process_time() - began_s


@pytest.fixture(scope="module")
def reader(llama3_renderer: Llama3Renderer) -> EventReader:
    return EventReader(llama3_renderer, DEFAULT_LIMITS)


@pytest.fixture(scope="module")
def prose_s(reader: EventReader) -> float:
    return min(cpu_s(reader, a_mebibyte(PROSE)) for _ in range(2))


@pytest.mark.parametrize(
    "of",
    [
        "=",
        "\u200d",
        "\u034f",
        "a\u200d",
        "hel\u200blo ",
        normalize("NFD", "\u00c7a a \u00e9t\u00e9 tr\u00e8s \u00e9l\u00e9gant "),
        normalize("NFD", "Ti\u1ebfng Vi\u1ec7t r\u1ea5t kh\u00f3 "),
        "k\u0336i\u0336",
        "\U0001f469\u200d\U0001f467 ",
    ],
    ids=[
        "equal signs",
        "joiners",
        "grapheme joiners",
        "letters and joiners",
        "split words",
        "French",
        "Vietnamese",
        "struck out",
        "families",
    ],
)
def test_a_mebibyte_of_anything_costs_little_more_than_prose(reader: EventReader, prose_s: float, of: str) -> None:
    text = a_mebibyte(of)

    assert any(cpu_s(reader, text) < MOST_OF_PROSE * prose_s for _ in range(TRIES))


@pytest.mark.parametrize(
    "is_any_template", [False, pytest.param(True, marks=pytest.mark.long)], ids=["Llama 3", "any template"]
)
def test_a_mebibyte_before_the_judged_message_costs_little_more_than_prose(
    llama3_renderer: Llama3Renderer,
    llama3_tokenizer: PreTrainedTokenizerFast,
    prose_s: float,
    *,
    is_any_template: bool,
) -> None:
    renderer = TemplateRenderer(llama3_tokenizer, 4096) if is_any_template else llama3_renderer
    reader, text = EventReader(renderer, DEFAULT_LIMITS), a_mebibyte("=")

    assert any(cpu_s(reader, text, "hello") < MOST_OF_PROSE * prose_s for _ in range(TRIES))
