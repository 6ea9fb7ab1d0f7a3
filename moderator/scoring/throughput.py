"""How fast a model can be at best, estimated from its matrix products.

Operations per token = 2 x parameters of the linear layers + attention, which is 2 x layers x heads x head width x
tokens of the text, and twice that if attention is bidirectional. Tokens per second = measured operations per second /
operations per token. Only matrix products are counted, so this is an upper bound: expect 70 to 90 % of it.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch

from moderator.errors import ConfigurationError
from moderator.scoring.opening import OpenModel
from moderator.scoring.runtime.device import choose_dtype, pack_tokens
from moderator.scoring.runtime.machine import measured_flops_per_s

EVENT_TOKENS: Final = 150
"""Tokens of a chat event, assumed for the estimate."""
LARGE_PARAMETERS: Final = 1_000_000_000
"""A model with more is too slow on a CPU to moderate a chat."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """An estimate for one device.

    Attributes:
        device: such as `cuda:0`.
        dtype: the model's on this device, such as `bfloat16`.
        flops_per_s: operations per second, measured on one of the model's matrix products.
        tokens_per_s: at `EVENT_TOKENS` each.
        events_per_minute: at `EVENT_TOKENS` each, read once for each question.
        memory_bytes: of the weights.
        pack_bytes: about what a pack's pass needs in addition.
    """

    device: str
    dtype: str
    flops_per_s: float
    tokens_per_s: float
    events_per_minute: float
    memory_bytes: int
    pack_bytes: int


def parameter_count(model: OpenModel) -> int:
    """Count all numbers in the checkpoint."""
    return sum(shape.numel() for shape in model.shapes.values())


def flops_per_token(model: OpenModel, text_tokens: int) -> float:
    """Return the operations for one token of a text of `text_tokens`."""
    config = model.backbone
    # an embedding is a table, not a product; norms and biases are vectors
    linear = sum(shape.numel() for name, shape in model.shapes.items() if len(shape) == 2 and "embed" not in name)  # noqa: PLR2004
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    directions = 1 if model.is_causal else 2
    return float(
        2 * linear + 2 * directions * config.num_hidden_layers * config.num_attention_heads * head_width * text_tokens
    )


def estimate(
    model: OpenModel, device: torch.device, wanted: str = "auto", stored: torch.dtype = torch.float32
) -> Throughput:
    """Measure the device for a moment and estimate the model's speed on it.

    Args:
        model: an open one.
        device: one of those present.
        wanted: the backbone's dtype, or `auto`.
        stored: the checkpoint's dtype.
    """
    dtype = choose_dtype(wanted, stored, device)
    flops_per_s = measured_flops_per_s(device, dtype, (model.backbone.hidden_size, model.backbone.intermediate_size))
    tokens_per_s = flops_per_s / flops_per_token(model, EVENT_TOKENS)
    return Throughput(
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        flops_per_s=flops_per_s,
        tokens_per_s=tokens_per_s,
        events_per_minute=60 * tokens_per_s / (EVENT_TOKENS * model.renderer.questions),
        memory_bytes=parameter_count(model) * dtype.itemsize,
        pack_bytes=pack_tokens(device) * _numbers_per_token(model) * dtype.itemsize,
    )


def _numbers_per_token(model: OpenModel) -> int:
    """Count the numbers held at a layer's peak: the MLP's three products, and four times the hidden state."""
    return int(3 * model.backbone.intermediate_size + 4 * model.backbone.hidden_size)


def is_too_slow(device: str, parameters: int) -> bool:
    """Whether the device is a CPU and the model too large for one."""
    return device == "cpu" and parameters > LARGE_PARAMETERS


def refuse_slow(model: OpenModel, device: torch.device, wanted: str, stored: torch.dtype) -> None:
    """Refuse a model of more than a billion parameters on a CPU.

    Raises:
        ConfigurationError: it would take seconds per event; the text says how many events per minute, and what to do.
    """
    parameters = parameter_count(model)
    if not is_too_slow(device.type, parameters):
        return
    expected = estimate(model, device, wanted, stored)
    raise ConfigurationError(
        f"model `{model.location.name}` has {parameters / 1e9:.1f} billion parameters: on this CPU at most about "
        f"{two_digits(expected.events_per_minute)} events a minute (estimated, {EVENT_TOKENS} tokens each); use a GPU "
        "or a smaller model, or set `MODERATOR_MODEL__FORCE_CPU=true`"
    )


def two_digits(number: float) -> str:
    """Write an estimate, such as `1,200`."""
    return f"{float(f'{number:.2g}'):,.10g}" if math.isfinite(number) else "?"
