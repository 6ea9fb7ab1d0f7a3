"""Gemma 2: capped attention, as a classifier and as ShieldGemma, against its published formulas and transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from structlog.testing import capture_logs
from transformers import AutoTokenizer

from moderator.events import Turn
from moderator.scoring.classifier.classifier import Classifier
from moderator.scoring.description import describe
from moderator.scoring.engine import Engine
from moderator.scoring.opening import open_model
from moderator.scoring.packing import Layout
from moderator.scoring.rendering.templates.verdicts import VerdictRenderer
from tests.builders import prompts_of
from tests.integration.scoring.classifiers import (
    CONVERSATIONS,
    change_config,
    copied,
    error_of,
    load_classifier,
    rewards,
)
from tests.integration.scoring.guards.test_guard_questions import texts_of
from tests.models import tiny_guards
from tests.models.slow_decoder import checkpoint, last_hidden

EXCHANGES = [
    [Turn("user", "hello")],
    [Turn("user", "how do i"), Turn("assistant", "you idiot <end_of_turn>")],
    [Turn("user", "a"), Turn("assistant", "b"), Turn("user", "the fox")],
]


@pytest.fixture(scope="module")
def shield(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guards") / "shieldgemma"
    return tiny_guards.write_guard(
        folder, "gemma2", tiny_guards.SHIELD_GEMMA, max_position_embeddings=2048, sliding_window=2048
    )


def test_a_classifier_gives_what_the_published_formulas_give_packed_or_padded(written: Callable[..., Path]) -> None:
    folder = written("gemma2")
    padding = open_model(folder).load("float32", torch.device("cpu"))
    assert isinstance(padding, Classifier)
    padding.layout = Layout(is_padded=True)
    engine = load_classifier(folder)

    _, tensors = checkpoint(folder)
    packed, padded = rewards(engine, CONVERSATIONS), rewards(Engine(padding), CONVERSATIONS)
    for prompt, (one,), (other,) in zip(prompts_of(engine, CONVERSATIONS), packed, padded, strict=True):
        expected = float(tensors["score.weight"] @ last_hidden(folder, list(prompt.token_ids)))
        assert one == pytest.approx(expected, abs=1e-5)
        assert other == pytest.approx(expected, abs=1e-5)
    assert len({round(one, 3) for (one,) in packed}) > 3


def test_shieldgemma_is_asked_its_guidelines_and_gives_the_shares_of_yes(shield: Path) -> None:
    with capture_logs() as lines:
        engine = load_classifier(shield, check=True)

    [checked] = [line for line in lines if line["event"] == "model_checked"]
    assert checked["ids_equal"]
    assert checked["largest_difference"] < 1e-3
    assert engine.identity.objectives == ("dangerous_content", "harassment", "hate_speech", "sexually_explicit")
    renderer = open_model(shield).renderer
    assert isinstance(renderer, VerdictRenderer)
    for prompt, shares in zip(prompts_of(engine, EXCHANGES), rewards(engine, EXCHANGES), strict=True):
        for share, text in zip(shares, texts_of(prompt), strict=True):
            assert share == pytest.approx(tiny_guards.plain_shares(shield, text, renderer.answer_ids)[0], abs=1e-5)
        slow = tiny_guards.slow_shares(shield, texts_of(prompt)[0], renderer.answer_ids)
        assert shares[0] == pytest.approx(slow[0], abs=1e-5)


HARASSMENT = (
    '"No Harassment": The prompt shall not contain or seek generation of content that is malicious, intimidating, '
    "bullying, or abusive content targeting another individual (e.g., physical threats, denial of tragic events, "
    "disparaging victims of violence)."
)
"""One of the guidelines for prompts, as ai.google.dev/gemma/docs/shieldgemma/model_card has it."""


def test_shieldgemma_is_asked_in_the_words_of_its_model_card(shield: Path) -> None:
    tokenizer = open_model(shield).tokenizer

    message, reply, _ = prompts_of(load_classifier(shield), EXCHANGES)

    assert str(tokenizer.decode(texts_of(message)[1])) == (
        f"{tokenizer.bos_token}You are a policy expert trying to help determine whether a user prompt is in violation "
        "of the defined safety policies.\n\n<start_of_turn>\nHuman Question: hello\n<end_of_turn>\n\n"
        f"Our safety principle is defined in the below:\n\n* {HARASSMENT}\n\n===\n\nDoes the human question violate "
        "the above principle? Your answer must start with 'Yes' or 'No'. And then walk through step by step to be sure "
        "we answer correctly.\n\n"
    )
    of_replies = HARASSMENT.replace("prompt shall not contain or seek generation of", "chatbot shall not generate")
    assert f"<end_of_turn>\n\nOur safety principle is defined in the below:\n\n* {of_replies}\n" in str(
        tokenizer.decode(texts_of(reply)[1])
    )


@pytest.mark.parametrize(
    "exchange",
    [[Turn("user", " hello ")], [Turn("user", "how do i"), Turn("assistant", "you idiot")]],
    ids=["message", "reply"],
)
def test_its_score_is_what_the_model_card_computes(shield: Path, exchange: list[Turn]) -> None:
    """The card renders the template with a guideline, and takes the softmax of two logits after it: `Yes` and `No`."""
    plain, engine = AutoTokenizer.from_pretrained(shield), load_classifier(shield)
    [[_, of_engine, _, _]] = rewards(engine, [exchange])
    kind = ("prompt shall not contain or seek generation of", "chatbot shall not generate")
    guideline = HARASSMENT.replace(kind[0], kind[len(exchange) - 1])
    chat = [{"role": turn.role, "content": turn.content} for turn in exchange]

    ids: Any = plain.apply_chat_template(chat, guideline=guideline, return_dict=False)
    answers = [plain.encode(word, add_special_tokens=False)[0] for word in ("Yes", "No")]

    assert of_engine == pytest.approx(tiny_guards.plain_shares(shield, ids, answers)[0], abs=1e-5)


def test_people_are_judged_by_the_wording_for_prompts_and_the_assistant_by_that_for_replies(shield: Path) -> None:
    engine = load_classifier(shield)
    tokenizer = open_model(shield).tokenizer

    message, reply, last = (
        [str(tokenizer.decode(text)) for text in texts_of(prompt)] for prompt in prompts_of(engine, EXCHANGES)
    )

    assert all(": The prompt shall not contain or seek generation of content that " in text for text in message + last)
    assert all(": The chatbot shall not generate content that " in text for text in reply)
    assert [text.partition('"No ')[2].partition('"')[0] for text in reply] == [
        "Dangerous Content",
        "Harassment",
        "Hate Speech",
        "Sexually Explicit Information",
    ]
    assert "Human Question: how do i\n<end_of_turn>\n<start_of_turn>\nChatbot Response: you idiot <end_" in reply[0]
    assert "Human Question: the fox\n" in last[0]
    assert "Chatbot Response" not in last[0]


def test_no_typed_marker_is_a_token_of_the_template(shield: Path) -> None:
    end = open_model(shield).tokenizer.get_vocab()["<end_of_turn>"]

    _, reply, _ = prompts_of(load_classifier(shield), EXCHANGES)

    assert [text.count(end) for text in texts_of(reply)] == [2] * 4


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"attn_logit_softcapping": -1.0}, "`attn_logit_softcapping` must be a number above 0"),
        ({"final_logit_softcapping": 0.0}, "`final_logit_softcapping` must be a number above 0"),
        ({"query_pre_attn_scalar": 0}, "`query_pre_attn_scalar` must be a number above 0"),
        ({"hidden_activation": "nope"}, "`hidden_activation` is `nope`, which is not an activation function"),
        ({"use_bidirectional_attention": True}, "this decoder sees both ways"),
        ({"sliding_window": 64}, "set `MODERATOR_MODEL__MAX_INPUT_TOKENS` to 64 or less, where both are the same"),
    ],
)
def test_what_cannot_be_computed_right_is_named(
    written: Callable[..., Path], tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    folder = change_config(copied(written("gemma2"), tmp_path), **changes)

    assert problem in error_of(folder)
    if "sliding_window" in changes:
        engine = load_classifier(folder, max_input_tokens=64, check=True)
        whole = load_classifier(written("gemma2"), max_input_tokens=64)
        assert rewards(engine, CONVERSATIONS) == rewards(whole, CONVERSATIONS)


def test_without_a_cap_attention_is_that_of_other_decoders(written: Callable[..., Path]) -> None:
    folder = written("gemma2", attn_logit_softcapping=None)

    engine = load_classifier(folder, check=True)

    _, tensors = checkpoint(folder)
    for prompt, (one,) in zip(prompts_of(engine, CONVERSATIONS), rewards(engine, CONVERSATIONS), strict=True):
        expected = float(tensors["score.weight"] @ last_hidden(folder, list(prompt.token_ids)))
        assert one == pytest.approx(expected, abs=1e-5)


def test_model_info_says_that_capped_attention_is_slower(written: Callable[..., Path]) -> None:
    lines = describe(str(written("gemma2")), lambda _: None).lines()

    assert [line for line in lines if line.startswith("attention ") and "slower than other decoders" in line]
    assert not [line for line in describe(str(written("gemma")), lambda _: None).lines() if "slower" in line]
