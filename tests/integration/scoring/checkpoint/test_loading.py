"""A checkpoint that loads: as published, as saved here, whole or in shards."""

import json
import os
from pathlib import Path

import pytest
import torch

from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.scoring.checkpoint.saving import save_checkpoint
from tests.integration.scoring.checkpoint.damage import (
    CHAT,
    WEIGHTS,
    change_weights,
    shard,
)
from tests.models import tiny_armorm
from tests.models.tiny_tokenizers import armorm_tokenizer


def test_a_sharded_checkpoint_gives_the_scores_of_a_single_file(copied: Path, armorm: ArmoRM) -> None:
    shard(copied)

    sharded = tiny_armorm.load(copied)

    assert torch.equal(sharded.score(CHAT).overall, armorm.score(CHAT).overall)


def test_a_saved_model_loads_to_the_same_scores(tmp_path: Path) -> None:
    config = ArmoRMConfig.from_fields(
        tiny_armorm.fields(objectives=["beavertails-is_safe", "helpsteer-helpfulness"], num_objectives=2)
    )
    model = tiny_armorm.random_model(config)

    save_checkpoint(tmp_path / "new" / "folder", model, armorm_tokenizer(), config)

    loaded = tiny_armorm.load(tmp_path / "new" / "folder")
    assert loaded.config.objectives == ("beavertails-is_safe", "helpsteer-helpfulness")
    assert loaded.config.to_fields() == config.to_fields()
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in loaded.network.state_dict().items())


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_saved_files_are_as_readable_as_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        tiny_armorm.write_checkpoint(tmp_path / "new")
    finally:
        os.umask(before)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()}
    assert modes == dict.fromkeys(modes, mode)
    assert WEIGHTS in modes


def test_code_in_the_folder_is_not_run(copied: Path) -> None:
    (copied / "modeling_custom.py").write_text("raise SystemExit('ran')")

    assert tiny_armorm.load(copied).name == "copied"


def test_bfloat16_shards_with_a_template_in_the_tokenizer_config_load_as_published(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.update({name: each.bfloat16() for name, each in weights.items()}))
    places = shard(copied)
    template = (copied / "chat_template.jinja").read_text()
    (copied / "chat_template.jinja").unlink()
    (copied / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "added_tokens_decoder": {"256": {"content": "<|begin_of_text|>", "special": True}},
                "bos_token": "<|begin_of_text|>",
                "chat_template": template,
                "eos_token": "<|eot_id|>",
                "model_input_names": ["input_ids", "attention_mask"],
                "model_max_length": 4096,
                "pad_token": "[PAD]",
                "tokenizer_class": "PreTrainedTokenizerFast",
            }
        )
    )
    (copied / "special_tokens_map.json").write_text(json.dumps({"pad_token": "[PAD]"}))

    loaded = tiny_armorm.load(copied, dtype="bfloat16")

    assert loaded.dtype == torch.bfloat16
    assert {tensor.dtype for name, tensor in loaded.network.state_dict().items() if not name.startswith("model.")} == {
        torch.float32
    }
    assert set(loaded.network.state_dict()) == set(places)
    assert loaded.score(CHAT).overall.isfinite().all()
