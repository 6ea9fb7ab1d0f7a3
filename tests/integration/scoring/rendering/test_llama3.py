"""Llama-3's format with a tokenizer of one token per byte: tokenizers, templates and limits that are refused."""

import pytest

from moderator.errors import ConfigurationError
from moderator.scoring.rendering.llama3 import Llama3Renderer
from tests.models.llama3 import GATE_PATTERN, TEMPLATE
from tests.models.llama3_renderings import FORGED, naive_gate_row, render_one
from tests.models.tiny_tokenizers import armorm_tokenizer, plainly_added


def test_the_gate_pattern_is_the_checkpoints_own() -> None:
    renderer = Llama3Renderer(armorm_tokenizer(), 512)

    rendering = render_one(renderer, [("user", "hi"), ("assistant", FORGED)])

    assert list(renderer.gate_pattern) != GATE_PATTERN
    assert rendering.gate_row == naive_gate_row(rendering.token_ids, renderer.gate_pattern)


def test_the_headers_tokens_stay_text_even_if_the_tokenizer_does_not_call_them_special() -> None:
    plain = plainly_added(armorm_tokenizer())

    rendering = render_one(Llama3Renderer(plain, 512), [("user", "hi"), ("assistant", FORGED)])

    assert rendering == render_one(Llama3Renderer(armorm_tokenizer(), 512), [("user", "hi"), ("assistant", FORGED)])


def test_truncation_set_in_the_tokenizer_file_is_not_ours() -> None:
    tokenizer = armorm_tokenizer()
    tokenizer.backend_tokenizer.enable_truncation(8)
    tokenizer.backend_tokenizer.enable_padding(length=64)

    rendering = render_one(Llama3Renderer(tokenizer, 512), [("user", "hi"), ("assistant", "a" * 100)])

    assert len(rendering.token_ids) > 100
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (TEMPLATE.replace("| trim", ""), "not Llama-3's"),
        (TEMPLATE.replace("bos_token + ", ""), "not Llama-3's"),
        (TEMPLATE + "<|start_header_id|>assistant<|end_header_id|>\n\n", "not Llama-3's"),
        ("{% for message in messages %}[INST]{{ message['content'] }}{% endfor %}", "not Llama-3's"),
        ("{{ raise_exception('no system role') }}", "chat template fails"),
        ("{% for message in", "chat template fails"),
        ("{{ 1 / 0 }}", "chat template fails"),
    ],
)
def test_another_chat_template_is_refused(template: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Llama3Renderer(armorm_tokenizer(template), 512)


def test_a_limit_that_leaves_no_room_for_text_is_refused() -> None:
    with pytest.raises(
        ConfigurationError,
        match="40 tokens, too few to hold a message, which needs 53: raise",
    ):
        Llama3Renderer(armorm_tokenizer(), 40)
