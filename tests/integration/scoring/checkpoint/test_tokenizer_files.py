"""Tokenizers and chat templates: what is read of them, and what stops a model from being loaded."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.checkpoint.tokenizer_files import read_tokenizer
from tests.integration.scoring.checkpoint.damage import (
    CHAT,
    add_token,
    change_config,
    error_of,
    opening_error_of,
)
from tests.models import tiny_armorm


def test_a_template_inside_the_tokenizer_config_is_found(copied: Path, armorm: ArmoRM) -> None:
    template = (copied / "chat_template.jinja").read_text()
    (copied / "chat_template.jinja").unlink()
    fields = {"bos_token": {"content": "<|begin_of_text|>"}, "chat_template": template}
    (copied / "tokenizer_config.json").write_text(json.dumps(fields))

    assert torch.equal(tiny_armorm.load(copied).score(CHAT).overall, armorm.score(CHAT).overall)


def test_a_missing_file_is_named(copied: Path) -> None:
    (copied / "tokenizer_config.json").unlink()

    assert error_of(copied) == f"{copied / 'tokenizer_config.json'}: no such file"


def test_a_tokenizer_that_is_not_in_one_file_is_refused_with_the_way_to_write_it(copied: Path) -> None:
    (copied / "tokenizer.json").rename(copied / "spm.model")

    assert error_of(copied) == (
        f"{copied}: no tokenizer.json: write it once with AutoTokenizer.from_pretrained(…).save_pretrained(…)"
    )


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"', "\ufeff{}", "[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_damaged_file_is_named(copied: Path, name: str, content: str) -> None:
    (copied / name).write_text(content)

    assert error_of(copied).startswith(str(copied / name))


@pytest.mark.parametrize(
    "template",
    [None, "", "  ", 7, [], {}, ["x"], [None], [{"name": "rag", "template": 7}], [{"template": "x"}]],
)
def test_a_missing_chat_template_is_named(copied: Path, template: object) -> None:
    (copied / "chat_template.jinja").unlink()
    fields = {"bos_token": "<|begin_of_text|>", "chat_template": template}
    (copied / "tokenizer_config.json").write_text(json.dumps(fields))

    assert "no chat template" in error_of(copied)


def test_a_checkpoint_whose_chat_template_fails_is_named(copied: Path) -> None:
    (copied / "chat_template.jinja").write_text("{% for message in")

    assert opening_error_of(copied) == f"{copied}: the chat template fails: TemplateSyntaxError"


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}),  # panics when it is read
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAAAAAA"}),  # panics when it is used
        ("model", {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "b"}),
    ],
)
def test_a_tokenizer_that_its_library_cannot_read_is_named(copied: Path, part: str, broken: dict[str, object]) -> None:
    path = copied / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {part: broken}))

    assert opening_error_of(copied) == f"{path}: not a valid tokenizer; download it again"


def test_a_checkpoint_whose_tokenizer_is_not_llama_3s_is_named(copied: Path) -> None:
    tokenizer = (copied / "tokenizer.json").read_text().replace("<|end_header_id|>", "<|other|>")
    (copied / "tokenizer.json").write_text(tokenizer)

    text = opening_error_of(copied)

    assert text == f"{copied}: tokenizer.json has no token `<|end_header_id|>`, which Llama-3's chat template needs"


def test_a_chat_template_that_is_not_utf8_is_named(copied: Path) -> None:
    (copied / "chat_template.jinja").write_bytes(b"{{ '\xe9' }}")

    assert error_of(copied).startswith(f"{copied / 'chat_template.jinja'}: not UTF-8")


@pytest.mark.parametrize("token", [None, "", 7, ["x"], {"content": 7}, "<|new|>", {"content": "<|new|>"}, "\ud83d"])
def test_a_bos_token_that_the_tokenizer_lacks_is_named(copied: Path, token: object) -> None:
    (copied / "tokenizer_config.json").write_text(json.dumps({"bos_token": token}))

    assert error_of(copied).startswith(f"{copied / 'tokenizer_config.json'}: `bos_token`")


def test_a_tokenizer_of_another_model_is_named(copied: Path) -> None:
    change_config(copied, vocab_size=100)

    assert "tokenizer.json: token 260 is beyond the model's `vocab_size` 100" in error_of(copied)


def test_a_padding_token_beyond_the_embedding_is_never_read(copied: Path, armorm: ArmoRM) -> None:
    add_token(copied, "[PAD]", special=True)

    assert torch.equal(tiny_armorm.load(copied).score(CHAT).overall, armorm.score(CHAT).overall)


def test_lengths_that_were_saved_with_a_tokenizer_are_ignored(copied: Path) -> None:
    backend = Tokenizer.from_file(str(copied / "tokenizer.json"))
    backend.enable_truncation(4)
    backend.enable_padding(length=4)
    backend.save(str(copied / "tokenizer.json"))

    tokenizer = read_tokenizer(copied, vocab_size=261)

    assert [len(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)) for text in ("ab", "abcdef")] == [
        2,
        6,
    ]


def test_an_ordinary_token_beyond_the_embedding_is_named(copied: Path) -> None:
    add_token(copied, "moderator", special=False)

    assert "tokenizer.json: token 261 is beyond the model's `vocab_size` 261" in error_of(copied)
