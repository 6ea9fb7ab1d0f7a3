"""Special tokens and tokenizer settings count as they do in transformers' `AutoTokenizer`."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.tokenizer_files import read_tokenizer
from tests.models.tiny_tokenizers import tokenizer_of

ROOM = 1_000
TEXTS = ["Hello  WORLD", " caf\u00e9 cafe\u0301", "\u4f60\u597d x", "a<x>b <y> c", ""]
PAD = "{{ pad_token }}{{ unk_token }}{% for m in messages %}{{ m.content }}{{ sep_token }}{% endfor %}"


def written(folder: Path, family: str, **fields: Any) -> Path:
    """Save a tokenizer of the family's kind; `files__NAME` adds a JSON file, and `...` removes a field."""
    tokenizer_of(family).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": family}))
    for name in [name for name in fields if name.startswith("files__")]:
        (folder / f"{name.removeprefix('files__')}.json").write_text(json.dumps(fields.pop(name)))
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not ...}))
    return folder


def token(content: str, **how: bool) -> dict[str, object]:
    usual: dict[str, object] = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    return {"content": content, **usual, **how}


CASES: list[tuple[str, dict[str, Any]]] = [
    ("roberta", {"pad_token": "<x>", "mask_token": token("<y>", lstrip=True) | {"__type": "AddedToken"}}),
    ("roberta", {"files__special_tokens_map": {"unk_token": "<x>", "mask_token": token("<y>", lstrip=True)}}),
    ("roberta", {"additional_special_tokens": ["<x>", "<y>"]}),
    ("roberta", {"files__special_tokens_map": {"additional_special_tokens": ["<x>", "<y>"]}}),
    ("roberta", {"added_tokens_decoder": {"259": token("<x>") | {"special": True}}}),
    ("roberta", {"added_tokens_decoder": {"259": token("<x>", rstrip=True) | {"special": False}}}),
    ("roberta", {"files__added_tokens": {"<y>": 259}}),
    ("roberta", {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True}),
    ("bert", {"tokenizer_class": "BertTokenizer", "do_lower_case": False}),
    ("bert", {"tokenizer_class": "BertTokenizerFast", "do_lower_case": True, "strip_accents": False}),
    ("bert", {"tokenizer_class": "BertTokenizer", "tokenize_chinese_chars": False}),
    ("llama", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True, "legacy": False}),
    ("qwen2", {"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": True}),
]


@pytest.mark.parametrize(("family", "fields"), CASES)
def test_ids_and_special_tokens_are_those_of_transformers(tmp_path: Path, family: str, fields: dict[str, Any]) -> None:
    folder = written(tmp_path, family, chat_template=..., **fields)
    plain = AutoTokenizer.from_pretrained(folder)

    tokenizer = read_tokenizer(folder, ROOM)

    assert [tokenizer.encode(text) for text in TEXTS] == [plain.encode(text, padding=False) for text in TEXTS]
    assert tokenizer.special_tokens_map == plain.special_tokens_map
    assert tokenizer.added_tokens_decoder == plain.added_tokens_decoder


def test_every_named_token_is_visible_to_the_template(tmp_path: Path) -> None:
    folder = written(
        tmp_path, "roberta", chat_template=PAD, pad_token="<pad>", files__special_tokens_map={"unk_token": "<s>"}
    )

    text = read_tokenizer(folder, ROOM).apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)

    assert text == "<pad><s>x"


def test_a_token_may_be_an_object_with_its_content(tmp_path: Path) -> None:
    folder = written(tmp_path, "roberta", pad_token=token("<pad>"), mask_token=token("<y>", lstrip=True))

    tokenizer = read_tokenizer(folder, ROOM)

    assert tokenizer.pad_token == "<pad>"
    assert tokenizer.encode("a <y>", add_special_tokens=False) == tokenizer.encode("a<y>", add_special_tokens=False)


@pytest.mark.parametrize("name", ["pad_token", "unk_token"])
def test_a_token_beyond_the_vocabulary_is_named_where_something_reads_it(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path, "roberta", chat_template=PAD, **{name: "<new>"})

    with pytest.raises(
        ConfigurationError, match=rf"tokenizer_config.json: `{name}`: `<new>` has the id 259, beyond .* 259; it must"
    ):
        read_tokenizer(folder, vocab_size=259)


def test_padding_beyond_the_vocabulary_is_no_fault_where_nothing_reads_it(tmp_path: Path) -> None:
    folder = written(tmp_path, "roberta", pad_token="<new>")

    assert read_tokenizer(folder, vocab_size=259).pad_token == "<new>"


@pytest.mark.parametrize(
    "fields",
    [
        {"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": ["own.Own", None]}},
        {"tokenizer_class": "MistralCommonBackend"},
    ],
)
def test_a_tokenizer_that_needs_code_or_packages_is_read_from_its_files(tmp_path: Path, fields: dict[str, Any]) -> None:
    folder = written(tmp_path, "roberta", **fields)
    (folder / "own.py").write_text("raise SystemExit('ran')")
    expected: PreTrainedTokenizerFast = tokenizer_of("roberta")

    assert read_tokenizer(folder, ROOM).encode("hello") == expected.encode("hello")


def test_the_files_of_special_tokens_count_in_the_order_of_transformers(tmp_path: Path) -> None:
    """A list of all added tokens in the config wins over the older files."""
    listed = {"256": token("<s>") | {"special": True}}
    folder = written(
        tmp_path, "roberta", added_tokens_decoder=listed, files__special_tokens_map={"unk_token": "<other>"}
    )

    assert read_tokenizer(folder, ROOM).unk_token is None
