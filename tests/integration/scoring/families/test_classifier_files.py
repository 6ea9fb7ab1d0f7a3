"""Files of sequence classifiers: what is ignored in them, and what stops a model from being loaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from tests.builders import prompts_of
from tests.integration.scoring.classifiers import (
    CONVERSATIONS,
    change_config,
    copied,
    error_of,
    load_classifier,
    rewards,
)

LINEAR = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "short_factor": [1.0, 1.0],
    "long_factor": [2.0, 2.0],
    "original_max_position_embeddings": 64,
}


def test_buffers_that_old_releases_saved_are_ignored(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = copied(written("bert"), tmp_path)
    weights = load_file(folder / "model.safetensors") | {"bert.embeddings.position_ids": torch.arange(128)[None]}
    save_file(weights, folder / "model.safetensors")

    assert rewards(load_classifier(folder), CONVERSATIONS) == rewards(load_classifier(written("bert")), CONVERSATIONS)


def test_a_pooler_that_roberta_does_not_use_is_ignored(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = copied(written("roberta"), tmp_path)
    pooler = {"roberta.pooler.dense.weight": torch.ones(16, 16), "roberta.pooler.dense.bias": torch.ones(16)}
    save_file(load_file(folder / "model.safetensors") | pooler, folder / "model.safetensors")

    assert rewards(load_classifier(folder), CONVERSATIONS) == rewards(
        load_classifier(written("roberta")), CONVERSATIONS
    )


def test_padding_that_was_saved_with_a_tokenizer_is_ignored(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = copied(written("bert"), tmp_path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(length=64)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(folder / "tokenizer.json"))

    prompts = prompts_of(load_classifier(folder), CONVERSATIONS)

    assert [each.token_ids for each in prompts] == [
        each.token_ids for each in prompts_of(load_classifier(written("bert")), CONVERSATIONS)
    ]


def test_code_in_the_folder_is_not_run(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = copied(written("llama"), tmp_path)
    (folder / "modeling_custom.py").write_text("raise SystemExit('ran')")
    change_config(folder, auto_map={"AutoModelForSequenceClassification": "modeling_custom.Own"})

    assert load_classifier(folder).identity.name == "tiny-llama"


@pytest.mark.parametrize("family", ["llama", "roberta"])
def test_a_missing_key_is_named(written: Callable[..., Path], tmp_path: Path, family: str) -> None:
    folder = change_config(copied(written(family), tmp_path), num_hidden_layers=3)

    assert "the weights lack `" in error_of(folder)
    assert "layers.2" in error_of(folder) or "layer.2" in error_of(folder)


def test_an_unexpected_key_is_named(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = change_config(copied(written("llama"), tmp_path), num_hidden_layers=1)

    assert "unexpected `model.layers.1." in error_of(folder)


def test_a_head_of_another_number_of_labels_is_named_with_both_numbers(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = change_config(
        copied(written("bert", ("toxic", "insult", "threat")), tmp_path), id2label={"0": "a"}, label2id={"a": 0}
    )

    assert "`id2label` and the head in the weights disagree: 1 and 3 labels" in error_of(folder)


@pytest.mark.parametrize(
    ("family", "changes", "problem"),
    [
        (
            "llama",
            {"model_type": "gemma3_text"},
            "`model_type` is `gemma3_text`; a classifier may be of llama, qwen2, qwen3,",
        ),
        ("llama", {"model_type": ...}, "`model_type` is `None`"),
        ("llama", {"architectures": ["LlamaModel"]}, "`architectures` is `LlamaModel`: neither ArmoRM"),
        (
            "llama",
            {"quantization_config": {"bits": 4}},
            "config.json: quantised weights (`quantization_config`) cannot be loaded; name",
        ),
        ("llama", {"attn_logit_softcapping": 50.0}, "`attn_logit_softcapping` is `50.0`, which is not supported"),
        ("gemma", {"use_bidirectional_attention": True}, "`use_bidirectional_attention` is true: this"),
        ("llama", {"is_causal": False}, "`is_causal` is false: this decoder sees both ways, which is not supported"),
        ("llama", {"sliding_window": "x"}, "`sliding_window` must be a whole number from 1"),
        ("mistral", {"sliding_window": 64}, "`sliding_window` is 64: only full attention is supported; set"),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 32, "max_window_layers": 1, "layer_types": ...}, "32"),
        ("bert", {"hidden_size": ...}, "`hidden_size` is missing"),
        ("bert", {"hidden_size": "16"}, "`hidden_size` must be a whole number"),
        ("bert", {"num_attention_heads": 5}, "no such network can be built"),
        ("bert", {"hidden_act": "nope"}, "`hidden_act` is `nope`, which is not an activation"),
        ("modernbert", {"hidden_activation": "nope"}, "`hidden_activation` is `nope`, which is not an activation"),
        ("bert", {"pad_token_id": -5}, "`pad_token_id` is `-5`, which is not a token"),
        ("roberta", {"pad_token_id": None}, "`pad_token_id` is `None`, which is not a token"),
        ("bert", {"is_decoder": True}, "`is_decoder` is `True`, which is not supported"),
        ("bert", {"layer_norm_eps": "x"}, "config.json: Field 'layer_norm_eps' expected float"),
        ("bert", {"problem_type": []}, "`problem_type` is `[]`; it may be regression, multi_label_classification"),
        ("bert", {"problem_type": "ranking"}, "`problem_type` is `ranking`; it may be regression, multi_label_classi"),
        (
            "bert",
            {"problem_type": "single_label_classification"},
            "one label, whose probability would always be 1; say",
        ),
        ("bert", {"id2label": {"0": "a", "1": "a"}}, "`id2label` must give 2 different names, numbered from 0"),
        ("bert", {"id2label": {"1": "a"}}, "`id2label` must give 1 different names, numbered from 0"),
        ("bert", {"id2label": []}, "`id2label` must map numbers to names"),
        ("bert", {"vocab_size": 50}, "is beyond the model's `vocab_size` 50"),
        ("llama", {"rope_parameters": {"rope_type": "nope", "rope_theta": 1.0}}, "`rope_type` is `nope`, which"),
        ("llama", {"rope_parameters": LONGROPE}, "`rope_type` is `longrope`: its"),
        (
            "modernbert",
            {"rope_parameters": dict.fromkeys(("full_attention", "sliding_attention"), LONGROPE)},
            "`rope_type` is `longrope`: its",
        ),
        (
            "qwen2",
            {"rope_parameters": LINEAR | {"partial_rotary_factor": 0.5}},
            "give frequencies for heads of 2, but the model's are of 4",
        ),
        ("modernbert", {"head_dim": 0.5}, "give frequencies for heads of 2, but the model's are of 4"),
    ],
)
def test_what_cannot_be_loaded_is_named(
    written: Callable[..., Path], tmp_path: Path, family: str, changes: dict[str, Any], problem: str
) -> None:
    assert problem in error_of(change_config(copied(written(family), tmp_path), **changes))


@pytest.mark.parametrize("family", ["bert", "qwen2"])
def test_a_model_with_too_few_positions_for_a_message_is_named(
    written: Callable[..., Path], tmp_path: Path, family: str
) -> None:
    folder = change_config(copied(written(family), tmp_path), max_position_embeddings=5)

    assert error_of(folder).startswith(f"{folder}: a text may have 5 tokens, too few to hold a message, which needs ")


def test_a_window_as_long_as_the_longest_text_is_full_attention(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = change_config(copied(written("mistral"), tmp_path), sliding_window=64)

    assert rewards(load_classifier(folder, max_input_tokens=64), CONVERSATIONS[:2]) == rewards(
        load_classifier(written("mistral"), max_input_tokens=64), CONVERSATIONS[:2]
    )


def test_a_roberta_has_two_positions_fewer_than_it_says(written: Callable[..., Path]) -> None:
    folder = written("roberta")

    assert load_classifier(folder).identity.max_input_tokens == 128
    assert "has only 128 positions" in error_of(folder, max_input_tokens=129)
