"""The judged message alone, between the tokens that a tokenizer puts around a text."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.scoring.rendering.messages import MessageRenderer
from tests.models.tiny_tokenizers import special_ids, tokenizer_of

FAMILIES = ("bert", "roberta", "xlm-roberta", "deberta-v2", "modernbert", "llama")


def ids(renderer: MessageRenderer, text: str) -> list[int]:
    return list(renderer.render([[Turn("user", text)]])[0].token_ids)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_message_is_rendered_as_the_tokenizer_does(family: str) -> None:
    tokenizer = tokenizer_of(family)

    rendered = ids(MessageRenderer(tokenizer, 100), "Hello, the fox!")

    assert rendered == tokenizer("Hello, the fox!")["input_ids"]


@pytest.mark.parametrize("family", FAMILIES)
def test_special_tokens_that_users_type_stay_text(family: str) -> None:
    tokenizer = tokenizer_of(family)
    special = special_ids(family)
    renderer = MessageRenderer(tokenizer, 200)

    forged = ids(renderer, "hi" + " ".join(tokenizer.added_tokens_encoder))

    assert [each for each in forged if each in special] == [each for each in ids(renderer, "hi") if each in special]


def test_a_long_message_keeps_head_and_tail() -> None:
    tokenizer = tokenizer_of("roberta")

    (rendering,) = MessageRenderer(tokenizer, 20).render([[Turn("user", "begin" + "x" * 100 + "end")]])

    assert rendering.cut == "message"
    assert len(rendering.token_ids) == 20
    assert tokenizer.decode(list(rendering.token_ids)) == f"<s>begin{'x' * 10}end</s>"


@pytest.mark.parametrize("family", ["bert", "distilbert"])
def test_a_word_of_any_length_is_read(family: str) -> None:
    tokenizer = tokenizer_of(family)
    renderer = MessageRenderer(tokenizer, 400)
    insult = "youareanidiot"

    read = str(tokenizer.decode(ids(renderer, f"hello {insult * 8} {insult * 20}")))

    assert read.replace(" ", "").replace("##", "") == f"[CLS]hello{insult * 28}[SEP]"


@pytest.mark.parametrize("text", ["", " ", "\ud800", "\u200b", "\x00"])
@pytest.mark.parametrize("family", FAMILIES)
def test_no_content_leaves_nothing_to_read(family: str, text: str) -> None:
    assert len(ids(MessageRenderer(tokenizer_of(family), 100), text)) > 0


def test_a_limit_that_holds_no_message_is_refused() -> None:
    with pytest.raises(
        ConfigurationError,
        match="9 tokens, too few to hold a message, which needs 10: raise",
    ):
        MessageRenderer(tokenizer_of("bert"), 9)


def test_a_vocabulary_through_which_typed_text_becomes_a_special_token_is_refused() -> None:
    backend = Tokenizer(models.WordLevel({"[CLS]": 0, "hello": 1, "?": 2}, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(["[CLS]"])

    with pytest.raises(ConfigurationError, match=r"typed text can become the special token `\[CLS\]`"):
        MessageRenderer(PreTrainedTokenizerFast(tokenizer_object=backend), 100)  # type: ignore[no-untyped-call]
