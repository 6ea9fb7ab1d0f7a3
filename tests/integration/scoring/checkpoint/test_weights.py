"""Weights that cannot be loaded: every error names the file and the key."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.integration.scoring.checkpoint.damage import (
    INDEX,
    WEIGHTS,
    change_config,
    change_weights,
    error_of,
    shard,
)


def test_a_missing_key_is_named(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.pop("gating.logit_scale"))

    assert "lack `gating.logit_scale`" in error_of(copied)


def test_an_unexpected_key_is_named(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.update({"other.weight": torch.zeros(2)}))

    assert f"{WEIGHTS}: unexpected `other.weight`" in error_of(copied)


def test_many_missing_keys_are_counted(copied: Path) -> None:
    change_config(copied, num_hidden_layers=3)

    assert "and 6 more" in error_of(copied)


def test_a_key_of_the_wrong_shape_is_named_with_both_shapes(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.update({"regression_layer.weight": torch.zeros(10, 32)}))

    assert "`regression_layer.weight` has shape (10, 32), the model (19, 32)" in error_of(copied)


def test_weights_that_are_not_floating_point_are_named(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.update({"model.norm.weight": torch.ones(32, dtype=torch.int8)}))

    assert "`model.norm.weight` is of type I8: quantised weights (int8) cannot be loaded; name" in error_of(copied)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["regression_layer.weight", "gating.layers.2.bias", "reward_transform_matrix"])
def test_a_head_that_is_not_finite_is_named(copied: Path, name: str, value: float) -> None:
    change_weights(copied, lambda weights: weights[name].view(-1)[3].fill_(value))

    assert f"`{name}` holds a number that is not finite" in error_of(copied)


def test_a_head_too_large_for_float32_is_named(copied: Path) -> None:
    def enlarge(weights: dict[str, torch.Tensor]) -> None:
        weights["regression_layer.weight"] = weights["regression_layer.weight"].double()
        weights["regression_layer.weight"][0, 0] = 1e300

    change_weights(copied, enlarge)

    assert "`regression_layer.weight` holds a number that is not finite in float32" in error_of(copied)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_cut_weights_file_is_named(copied: Path, share: float) -> None:
    content = (copied / WEIGHTS).read_bytes()
    (copied / WEIGHTS).write_bytes(content[: int(len(content) * share)])

    assert f"{WEIGHTS}: truncated or not a safetensors file" in error_of(copied)


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", b"\xff" * 64])
def test_what_is_no_safetensors_file_is_named(copied: Path, content: bytes) -> None:
    (copied / WEIGHTS).write_bytes(content)

    assert f"{WEIGHTS}: truncated or not a safetensors file" in error_of(copied)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00004.bin", "consolidated.00.pth"])
def test_pickled_weights_are_refused(copied: Path, name: str) -> None:
    (copied / WEIGHTS).rename(copied / name)

    assert f"only pickled weights (`{name}`)" in error_of(copied)


def test_a_folder_without_weights_is_named(copied: Path) -> None:
    (copied / WEIGHTS).unlink()

    assert f"{copied}: no {WEIGHTS} and no {INDEX}" in error_of(copied)


def test_a_missing_shard_is_named(copied: Path) -> None:
    shard(copied)
    (copied / "model-00002-of-00002.safetensors").unlink()

    assert "model-00002-of-00002.safetensors: no such file" in error_of(copied)


def test_a_shard_that_lacks_what_the_index_says_is_named(copied: Path) -> None:
    shard(copied)
    part = copied / "model-00001-of-00002.safetensors"
    weights = load_file(part)
    weights.pop("gating.layers.0.bias")
    save_file(weights, part)

    assert "model-00001-of-00002.safetensors: " in error_of(copied)
    assert "`gating.layers.0.bias`" in error_of(copied)


def test_a_key_in_two_shards_is_named(copied: Path) -> None:
    shard(copied)
    part = copied / "model-00002-of-00002.safetensors"
    save_file({**load_file(part), "gating.layers.0.bias": torch.zeros(16)}, part)

    assert "model-00002-of-00002.safetensors: unexpected `gating.layers.0.bias`" in error_of(copied)


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "/etc/passwd", "pytorch_model.bin"])
def test_an_index_may_name_only_safetensors_files_of_its_folder(copied: Path, name: str) -> None:
    places = shard(copied)
    (copied / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(places, name)}))

    assert f"`{name}` is not the name of a safetensors file" in error_of(copied)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}'])
def test_a_damaged_index_is_named(copied: Path, content: str) -> None:
    shard(copied)
    (copied / INDEX).write_text(content)

    assert INDEX in error_of(copied)
