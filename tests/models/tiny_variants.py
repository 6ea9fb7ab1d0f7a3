"""Tiny random checkpoints of QRM and URM, which are built like ArmoRM, in the published layout; and their formulas."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaModel

from tests.models import tiny_armorm
from tests.models.slow_decoder import checkpoint, last_hidden
from tests.models.tiny_classifiers import SIZES
from tests.models.tiny_tokenizers import armorm_tokenizer, tokenizer_of

OBJECTIVES = 19
QUANTILES = 5
LLAMA_31 = (
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
    "Today Date: {{ date_string if date_string is defined else strftime_now('%d %b %Y') }}\n\n"
    "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] | trim }}{% endif %}<|eot_id|>"
    "{% for message in messages %}{% if message['role'] != 'system' %}"
    "<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n{{ message['content'] | trim }}<|eot_id|>"
    "{% endif %}{% endfor %}"
)
"""Llama 3.1's in short: a system block with the date begins every conversation."""
_GATE_WIDTH = 16


def write_qrm(folder: Path, template: str = LLAMA_31, **changes: Any) -> Path:
    """Save a random QRM as its authors did."""
    own: dict[str, Any] = {
        "architectures": ["LlamaForRewardModelWithGating31"],
        "num_quantiles": QUANTILES,
        "hidden_size": 16,
    }
    fields = tiny_armorm.fields(**own | changes)
    torch.manual_seed(1)
    widths = [fields["hidden_size"], *[_GATE_WIDTH] * fields["gating_n_hidden"]]
    tensors = {
        **_backbone(fields),
        "regression_layer.weight": _random(OBJECTIVES * QUANTILES, widths[0]),
        "reward_transform_matrix": _random(OBJECTIVES, OBJECTIVES),
        "gating.logit_scale": torch.tensor([1.3]),
    }
    for at, (n_in, n_out) in enumerate(pairwise(widths)):
        norm = f"gating.layers.{3 * at + 2}."
        tensors |= {f"gating.layers.{3 * at}.weight": _random(n_out, n_in)}
        tensors |= {norm + part: _random(n_out) for part in ("weight", "bias", "running_mean")}
        tensors |= {norm + "running_var": _random(n_out).abs(), norm + "num_batches_tracked": torch.tensor(7)}
    last = f"gating.layers.{3 * (len(widths) - 1)}."
    tensors |= {last + "weight": _random(OBJECTIVES, widths[-1]), last + "bias": _random(OBJECTIVES)}
    armorm_tokenizer(template).save_pretrained(folder)
    return _written(folder, fields, tensors)


def qrm_scores(folder: Path, token_ids: list[int], gate_row: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The published formulas: rewards, weights, overall; float64."""
    fields, tensors = checkpoint(folder)
    quantiles = (tensors["regression_layer.weight"] @ last_hidden(folder, token_ids)).view(OBJECTIVES, QUANTILES)
    gate = last_hidden(folder, token_ids, gate_row)
    for at in range(0, 3 * fields["gating_n_hidden"], 3):
        gate = (tensors[f"gating.layers.{at}.weight"] @ gate).clamp(min=0)
        weight, bias, mean, variance = (
            tensors[f"gating.layers.{at + 2}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        gate = (gate - mean) / (variance + 1e-5).sqrt() * weight + bias
    last = f"gating.layers.{3 * fields['gating_n_hidden']}."
    gate = tensors[last + "weight"] @ gate + tensors[last + "bias"]
    gate = (gate / fields["gating_temperature"]).softmax(0) * tensors["gating.logit_scale"][0]
    rewards, transform = quantiles.mean(1), tensors["reward_transform_matrix"]
    return rewards, transform @ gate, gate @ (rewards @ transform)


def write_urm(folder: Path, **changes: Any) -> Path:
    """Save a random URM as its authors did."""
    tokenizer = tokenizer_of("llama")
    fields = {
        **SIZES,
        "architectures": ["LlamaForSequenceClassificationWithNormal_Weights"],
        "model_type": "llama",
        "num_key_value_heads": 2,
        "vocab_size": len(tokenizer),
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "id2label": {str(at): f"LABEL_{at}" for at in range(10)},
        **changes,
    }
    hidden = fields["hidden_size"]
    torch.manual_seed(1)
    tensors = {**_backbone(fields), "score.weight": _random(10, hidden)}
    for at, rows in ((0, hidden), (2, hidden), (4, 5)):
        tensors |= {f"weights.fc.{at}.weight": _random(rows, hidden), f"weights.fc.{at}.bias": _random(rows)}
    tokenizer.save_pretrained(folder)
    return _written(folder, fields, tensors)


def urm_scores(folder: Path, token_ids: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """The published formulas: rewards and weights; float64."""
    _, tensors = checkpoint(folder)
    hidden = last_hidden(folder, token_ids)
    rewards = (tensors["score.weight"] @ hidden).view(5, 2)[:, 0]
    weights = hidden
    for at in (0, 2, 4):
        weights = tensors[f"weights.fc.{at}.weight"] @ weights + tensors[f"weights.fc.{at}.bias"]
        weights = _selu(weights) if at < 4 else weights
    return rewards, weights


def _selu(values: torch.Tensor) -> torch.Tensor:
    below = 1.6732632423543772 * (values.clamp(max=0).exp() - 1)
    return 1.0507009873554805 * torch.where(values > 0, values, below)


def _backbone(fields: dict[str, Any]) -> dict[str, torch.Tensor]:
    network = LlamaModel(LlamaConfig.from_dict(fields | {"pad_token_id": None, "initializer_range": 0.5}))
    return {f"model.{name}": each.clone() for name, each in network.state_dict().items()}


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape) * 0.4


def _written(folder: Path, fields: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Path:
    (folder / "config.json").write_text(json.dumps(fields))
    save_file(tensors, folder / "model.safetensors")
    return folder
