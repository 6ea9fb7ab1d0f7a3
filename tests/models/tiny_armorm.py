"""Tiny random ArmoRM checkpoints: 261 tokens, a backbone of two layers."""

import json
from pathlib import Path
from typing import Any

import torch

from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.armorm.network import ArmoRMNetwork
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from moderator.scoring.checkpoint.saving import save_checkpoint
from tests.models.tiny_tokenizers import armorm_tokenizer


def fields(**changes: Any) -> dict[str, Any]:
    """The published checkpoint's `config.json`, with small sizes."""
    published = {
        "architectures": ["LlamaForRewardModelWithGating"],
        "auto_map": {"AutoModelForSequenceClassification": "modeling_custom.LlamaForRewardModelWithGating"},
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 128000,
        "eos_token_id": 128009,
        "pad_token_id": 128256,
        "hidden_act": "silu",
        "hidden_size": 32,
        "id2label": {"0": "LABEL_0"},
        "initializer_range": 0.02,
        "intermediate_size": 64,
        "max_position_embeddings": 8192,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "num_objectives": 19,
        "gating_temperature": 10,
        "gating_hidden_dim": 16,
        "gating_n_hidden": 3,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 500000.0,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.41.2",
        "use_cache": True,
        "vocab_size": 261,
    }
    return {name: value for name, value in {**published, **changes}.items() if value is not ...}


def random_model(config: ArmoRMConfig, seed: int = 1) -> ArmoRMNetwork:
    """Weights large enough that every part of the model matters to the scores."""
    torch.manual_seed(seed)
    model = ArmoRMNetwork(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.normal_(0.0, 0.5 if "embed" in name else 0.2)
        model.gating.logit_scale.fill_(1.3)
    return model


def write_checkpoint(folder: Path, **changes: Any) -> Path:
    """Write a folder as the published one is on the hub: v4-style config, one safetensors file."""
    config = ArmoRMConfig.from_fields(fields(**changes))
    save_checkpoint(folder, random_model(config), armorm_tokenizer(), config)
    (folder / "config.json").write_text(json.dumps(fields(**changes)), encoding="utf-8")
    return folder


def load(folder: Path, **arguments: Any) -> ArmoRM:
    """Load onto the CPU."""
    return ArmoRM.from_pretrained(folder, device="cpu", **arguments)
