"""Where a model runs, in what precision, and how much it takes at once."""

import torch

from moderator.errors import ConfigurationError

_CUDA_PACK_TOKENS = 8192
_OTHER_PACK_TOKENS = 1024


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
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigurationError(f"device `{wanted}` is not there; use auto, cpu, cuda, cuda:1 or mps") from error
    return device


def choose_dtype(wanted: str | torch.dtype, stored: torch.dtype, device: torch.device) -> torch.dtype:
    """Find the backbone's dtype; auto: as stored on an accelerator, float32 on CPU.

    Raises:
        ConfigurationError: no such floating-point type.
    """
    if wanted == "auto":
        return torch.float32 if device.type == "cpu" else stored
    dtype = wanted if isinstance(wanted, torch.dtype) else getattr(torch, wanted, None)
    if dtype not in {torch.float32, torch.bfloat16, torch.float16}:
        raise ConfigurationError(f"dtype `{wanted}` is none of auto, float32, bfloat16, float16")
    assert isinstance(dtype, torch.dtype)
    return dtype


def pack_tokens(device: torch.device) -> int:
    """Tokens of one forward pass: on CUDA throughput is nearly flat above this, and a pack's time is latency."""
    return _CUDA_PACK_TOKENS if device.type == "cuda" else _OTHER_PACK_TOKENS
