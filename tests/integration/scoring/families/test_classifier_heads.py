"""Heads of classifiers: how many labels, which tensors are taken, renamed or passed over, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from structlog.testing import capture_logs

from moderator.errors import ConfigurationError
from moderator.policy.authoring.model_outputs import read_outputs
from moderator.scoring.opening import open_model
from moderator.settings import ModelSettings
from tests.builders import prompts_of
from tests.integration.scoring.classifiers import (
    CONVERSATIONS,
    change_config,
    copied,
    error_of,
    load_classifier,
    rewards,
)
from tests.models import tiny_classifiers

Tensors = dict[str, torch.Tensor]


def change_weights(folder: Path, change: Callable[[Tensors], object]) -> Path:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    return folder


def rename(tensors: Tensors, old: str, new: str) -> None:
    tensors.update({name.replace(old, new): tensors.pop(name) for name in list(tensors) if old in name})


@pytest.mark.parametrize("family", ["llama", "bert", "roberta"])
def test_without_a_number_of_labels_the_head_says_how_many(
    written: Callable[..., Path], tmp_path: Path, family: str
) -> None:
    folder = change_config(copied(written(family), tmp_path), id2label=..., label2id=...)

    (expected,) = rewards(load_classifier(written(family)), CONVERSATIONS[:1])
    assert rewards(load_classifier(folder), CONVERSATIONS[:1]) == [expected]
    assert load_classifier(folder).identity.objectives == read_outputs(str(folder)).objectives == ("LABEL_0",)


def test_a_head_of_openrlhf_is_found_by_its_name_and_its_rewards_are_normalised(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    wishes: dict[str, Any] = {"architectures": ["RewardModel"], "value_head_prefix": "value_head"}
    wishes |= {"id2label": ..., "label2id": ..., "normalize_reward": True, "mean": [0.5], "std": 2.0}
    folder = change_weights(
        change_config(copied(written("llama"), tmp_path), **wishes),
        lambda tensors: rename(tensors, "score.", "value_head."),
    )

    (plain,) = rewards(load_classifier(written("llama")), CONVERSATIONS[:1])

    assert rewards(load_classifier(folder), CONVERSATIONS[:1])[0] == pytest.approx([(plain[0] - 0.5) / 2.0])


@pytest.mark.parametrize(
    "tensors", [("lm_head.weight",), ("cls.predictions.bias", "bert.embeddings.position_ids"), ("pooler.dense.weight",)]
)
def test_tensors_of_other_tasks_are_passed_over_and_one_line_says_so(
    written: Callable[..., Path], tmp_path: Path, tensors: tuple[str, ...]
) -> None:
    folder = change_weights(
        copied(written("modernbert"), tmp_path), lambda all_: all_.update({name: torch.ones(2) for name in tensors})
    )

    with capture_logs() as lines:
        scores = rewards(load_classifier(folder), CONVERSATIONS)

    assert scores == rewards(load_classifier(written("modernbert")), CONVERSATIONS)
    assert [line["tensors"] for line in lines if line["event"] == "tensors_passed_over"] == [sorted(tensors)]


def test_the_bias_of_a_decoders_head_is_added(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = change_weights(
        copied(written("qwen2"), tmp_path), lambda tensors: tensors.update({"score.bias": torch.tensor([0.75])})
    )

    for (with_bias,), (plain,) in zip(
        rewards(load_classifier(folder), CONVERSATIONS),
        rewards(load_classifier(written("qwen2")), CONVERSATIONS),
        strict=True,
    ):
        assert with_bias == pytest.approx(plain + 0.75, abs=1e-5)


def test_the_old_names_of_layer_norms_are_read(written: Callable[..., Path], tmp_path: Path) -> None:
    def to_old_names(tensors: Tensors) -> None:
        rename(tensors, "LayerNorm.weight", "LayerNorm.gamma")
        rename(tensors, "LayerNorm.bias", "LayerNorm.beta")

    folder = change_weights(copied(written("bert"), tmp_path), to_old_names)

    engine = load_classifier(folder)
    for prompt, (reward,) in zip(prompts_of(engine, CONVERSATIONS), rewards(engine, CONVERSATIONS), strict=True):
        plain = tiny_classifiers.plain_logits(folder, list(prompt.token_ids))  # transformers reads them too
        assert [reward] == pytest.approx(plain, rel=1e-5, abs=1e-5)


def test_a_layer_norm_with_both_names_is_refused(written: Callable[..., Path], tmp_path: Path) -> None:
    old = "bert.embeddings.LayerNorm.gamma"
    folder = change_weights(copied(written("bert"), tmp_path), lambda tensors: tensors.update({old: torch.ones(16)}))

    assert f"unexpected `{old}`" in error_of(folder)


@pytest.mark.parametrize(
    ("tensor", "problem"),
    [
        ({"v_head.summary.weight": torch.ones(1, 16)}, "`v_head.summary.weight`: a value head: merge it into score.we"),
        ({"model.norm.weight": torch.ones(16).to(torch.float8_e4m3fn)}, "quantised weights (float8) cannot be loaded"),
        (
            {"model.norm.weight": torch.ones(16, dtype=torch.int8)},
            "quantised weights (int8) cannot be loaded; name the",
        ),
        (
            {"model.layers.0.mlp.up_proj.qweight": torch.ones(2, dtype=torch.int32)},
            "quantised weights (gptq or awq) can",
        ),
        ({"other.weight": torch.ones(2)}, "unexpected `other.weight`"),
    ],
)
def test_tensors_that_cannot_be_used_are_named(
    written: Callable[..., Path], tmp_path: Path, tensor: Tensors, problem: str
) -> None:
    folder = change_weights(copied(written("llama"), tmp_path), lambda tensors: tensors.update(tensor))

    assert problem in error_of(folder)


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        (
            "quantize_config.json",
            {"bits": 4},
            "quantised weights (gptq) cannot be loaded; name the checkpoint they were",
        ),
        (
            "adapter_config.json",
            {"base_model_name_or_path": "owner/base"},
            "an adapter for `owner/base`, not a model: merge it (peft: merge_and_unload, save_pretrained) and name",
        ),
    ],
)
def test_folders_of_another_kind_are_named(
    written: Callable[..., Path], tmp_path: Path, file: str, content: object, problem: str
) -> None:
    folder = copied(written("llama"), tmp_path)
    (folder / file).write_text(json.dumps(content))

    assert problem in error_of(folder)


def test_a_quantisation_in_the_config_is_named_by_its_method(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = change_config(copied(written("llama"), tmp_path), quantization_config={"quant_method": "awq"})

    assert error_of(folder).endswith(
        "quantised weights (awq) cannot be loaded; name the checkpoint they were made from"
    )


def test_an_empty_folder_and_a_folder_of_folders_hold_no_checkpoint(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    copied(written("llama"), tmp_path / "several")

    assert error_of(tmp_path / "empty") == f"{tmp_path / 'empty'}: holds no checkpoint: config.json is missing"
    assert error_of(tmp_path / "several").endswith(
        "holds no checkpoint: config.json is missing; name one of the folders in it that hold one: `tiny-llama`"
    )


def test_a_decoder_without_a_template_is_refused_until_it_is_said_to_read_messages(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = copied(written("qwen2"), tmp_path)
    (folder / "chat_template.jinja").unlink()

    assert error_of(folder).endswith(
        "no chat template: this model was trained on conversations in some form; add chat_template.jinja, or set "
        "MODERATOR_MODEL__READS=message to score bare messages"
    )
    assert load_classifier(folder, reads="message").identity.framing.startswith("message/")


@pytest.mark.parametrize("reads", ["auto", "conversation"])
def test_an_encoder_without_a_template_reads_messages_unless_it_must_read_conversations(
    written: Callable[..., Path], reads: str
) -> None:
    if reads == "conversation":
        assert "no chat template" in error_of(written("bert"), reads=reads)
    else:
        assert load_classifier(written("bert"), reads=reads).identity.framing.startswith("message/")


def test_a_model_with_a_template_may_be_said_to_read_messages(written: Callable[..., Path]) -> None:
    assert load_classifier(written("qwen2"), reads="message").identity.framing.startswith("message/")


def test_armorm_takes_no_other_scale_and_reads_no_bare_messages() -> None:
    for settings in (ModelSettings(scale="sigmoid"), ModelSettings(reads="message")):
        with pytest.raises(ConfigurationError, match="ArmoRM gives rewards for conversations: leave"):
            open_model("builtin", settings)
