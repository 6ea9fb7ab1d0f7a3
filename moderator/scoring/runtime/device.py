"""Where a model runs, in what precision, and how much it takes at once."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch
from torch import nn

from moderator.errors import ConfigurationError
from moderator.scoring.packing import Layout

_CUDA_PACK_TOKENS: Final = 8192
_OTHER_PACK_TOKENS: Final = 1024
_AMPERE: Final = (8, 0)
"""The oldest CUDA devices that compute in bfloat16, and for which torch has flash attention."""


def choose_device(wanted: str | torch.device) -> torch.device:
    """Find the device; auto: CUDA, else MPS, else CPU.

    Raises:
        ConfigurationError: this machine has no such device.
    """
    if wanted == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(name)
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigurationError(f"device `{wanted}` is not there; use auto, cpu, cuda, cuda:1 or mps") from error
    return device


def prepare_device(device: torch.device) -> None:
    """Set this process up for its one device, before anything is put there."""
    if device.type == "cuda":
        # sums in float32, so that a text's scores depend less on what shares its pack
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False


def on(device: torch.device) -> AbstractContextManager[object]:
    """Make the device this thread's own: else the first one may be opened by what names none, such as `empty_cache`."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def choose_dtype(wanted: str | torch.dtype, stored: torch.dtype, device: torch.device) -> torch.dtype:
    """Find the backbone's dtype; auto: as stored where the device is fast in it, else float32.

    Of CPUs only those with AMX are fast, and in bfloat16 alone; with AVX512-BF16 it was slower than float32. A
    checkpoint stored otherwise, as the practice model is, computes in float32 on every CPU and scores alike everywhere.
    CUDA devices are fast in float16, and from compute capability 8.0 on in bfloat16; before, they only imitate it.

    Raises:
        ConfigurationError: no such floating-point type.
    """
    if wanted == "auto":
        return stored if stored in _fast_dtypes(device) else torch.float32
    dtype = wanted if isinstance(wanted, torch.dtype) else getattr(torch, wanted, None)
    if dtype not in {torch.float32, torch.bfloat16, torch.float16}:
        raise ConfigurationError(f"dtype `{wanted}` is none of auto, float32, bfloat16, float16")
    assert isinstance(dtype, torch.dtype)
    return dtype


def pack_tokens(device: torch.device) -> int:
    """Tokens of one forward pass: on CUDA throughput is nearly flat above this, and a pack's time is latency."""
    return _CUDA_PACK_TOKENS if device.type == "cuda" else _OTHER_PACK_TOKENS


def causal_layout(device: torch.device) -> Layout:
    """Tell how a causal model takes texts: end to end where attention can be kept within each, else padded."""
    if device.type == "cuda":
        return Layout(is_padded=torch.cuda.get_device_capability(device) < _AMPERE)
    return Layout(is_padded=device.type != "cpu")


def compile_layers(layers: Iterable[nn.Module]) -> None:
    """Compile decoder layers when they are first called; one graph serves all of them and every shape."""
    for layer in layers:
        layer.compile(dynamic=True, fullgraph=True)


def _fast_dtypes(device: torch.device) -> set[torch.dtype]:
    """Name the types, float32 aside, that matrices are multiplied in by hardware."""
    if device.type == "cpu":
        has_amx = torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - the public way is newer than the oldest torch we take
        return {torch.bfloat16} if has_amx else set()
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < _AMPERE:
        return {torch.float16}
    return {torch.bfloat16, torch.float16}
