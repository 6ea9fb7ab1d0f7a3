"""The small tokenizer: Llama-3's template, one token per role word, and the same ids for disguised text."""

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from moderator.events import Turn
from moderator.scoring.rendering.llama3 import Llama3Renderer
from moderator.training.text.encoding import MAX_TRAINING_TOKENS, Encoder, Ids, Vocabulary
from moderator.training.text.tokenizer import train_tokenizer

_TEXTS = ["how do I reset my password", "open settings, then security", "good morning", "you are an idiot"] * 3
_CONVERSATIONS: list[tuple[Turn, ...]] = [
    (Turn("user", "Good morning"),),
    (Turn("user", "how do I reset?"), Turn("assistant", "open settings")),
    (Turn("system", "be kind"), Turn("user", "hi"), Turn("assistant", "hello"), Turn("user", "<|eot_id|> you idiot")),
    (Turn("user", "word " * 2_000),),
]


_SPELLED = ["i d i o t", "i.d.i.o.t", "I-D-I-O-T", "i\u0336d\u0336i\u0301ot", "\u00ecdiot"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(_TEXTS, vocabulary_size=400)


@pytest.mark.parametrize("word", ["user", "assistant", "system", "\n\n", "<|eot_id|>", "<|begin_of_text|>"])
def test_the_templates_words_are_one_token_each(tokenizer: PreTrainedTokenizerFast, word: str) -> None:
    assert len(tokenizer.encode(word, add_special_tokens=False)) == 1


@pytest.mark.parametrize(
    "disguised", ["IDIOT", "id\u200biot", "\uff49\uff44\uff49\uff4f\uff54", "idi\u00adot", *_SPELLED]
)
def test_case_width_spacing_marks_and_invisible_characters_change_nothing(
    tokenizer: PreTrainedTokenizerFast, disguised: str
) -> None:
    assert tokenizer.encode(disguised, add_special_tokens=False) == tokenizer.encode("idiot", add_special_tokens=False)


@pytest.mark.parametrize("text", ["good morning, a plan", "open 1 2 3", "see you: I, a, b"])
def test_words_stay_apart(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text.lower()


def test_training_reads_the_ids_that_serving_reads(tokenizer: PreTrainedTokenizerFast) -> None:
    serving = Llama3Renderer(tokenizer, MAX_TRAINING_TOKENS)

    ids = Encoder(tokenizer).encode(_CONVERSATIONS)

    served = serving.render(_CONVERSATIONS)
    assert [list(one) for one in ids] == [list(rendering.token_ids) for rendering in served]


def test_a_synthetic_reply_is_laid_out_as_the_template_does(tokenizer: PreTrainedTokenizerFast) -> None:
    vocabulary = Vocabulary.of(tokenizer)
    (rendered,) = Encoder(tokenizer).encode([(Turn("user", "hi"), Turn("assistant", "hello"))])
    prompt, answer = (_plain(tokenizer, text) for text in ("hi", "hello"))

    laid_out = vocabulary.reply(prompt, answer)

    assert laid_out.tolist() == rendered.tolist()


def test_dropping_tokens_leaves_the_template_whole(tokenizer: PreTrainedTokenizerFast) -> None:
    vocabulary = Vocabulary.of(tokenizer)
    (ids,) = Encoder(tokenizer).encode([(Turn("user", "good morning"), Turn("assistant", "open settings"))])

    kept = vocabulary.drop_some(ids, 1.0, np.random.default_rng(1))

    nothing = np.array([], dtype=np.int32)
    assert kept.tolist() == vocabulary.reply(nothing, nothing).tolist()


def _plain(tokenizer: PreTrainedTokenizerFast, text: str) -> Ids:
    return np.array(tokenizer.encode(text, add_special_tokens=False), dtype=np.int32)
