"""Ways to damage a checkpoint, and what stops it from being loaded then."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer

from moderator.errors import ConfigurationError
from moderator.scoring.opening import open_model
from tests.models import tiny_armorm

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
CHAT = [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello!"}]]


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)


def change_config(folder: Path, **changes: Any) -> None:
    (folder / "config.json").write_text(json.dumps(tiny_armorm.fields(**changes)))


def shard(folder: Path) -> dict[str, str]:
    """Split the weights over two files with an index, as large checkpoints are."""
    weights = load_file(folder / WEIGHTS)
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, folder / file)
    (folder / WEIGHTS).unlink()
    places = {name: file for file, part in parts.items() for name in part}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return places


def add_token(folder: Path, text: str, *, special: bool) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    add = tokenizer.add_special_tokens if special else tokenizer.add_tokens
    add([AddedToken(text, special=special)])
    tokenizer.save(str(folder / "tokenizer.json"))


def error_of(folder: Path) -> str:
    """What stops the model from being loaded."""
    with pytest.raises(ConfigurationError) as raised:
        tiny_armorm.load(folder)
    text = str(raised.value)
    assert "\n" not in text
    return text


def opening_error_of(folder: Path) -> str:
    """What stops the model from being opened, with the same error as loading, weights aside."""
    with pytest.raises(ConfigurationError) as raised:
        open_model(folder)
    assert str(raised.value) == error_of(folder)
    return str(raised.value)
