"""Where a model runs, in which precision, and how many tokens at once."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch
from torch import nn

from moderator.errors import ConfigurationError
from moderator.scoring.packing import Layout

_CUDA_PACK_TOKENS: Final = 8192
_OTHER_PACK_TOKENS: Final = 1024
_SMALL_WEIGHTS: Final = 20_000_000
_AMPERE: Final = (8, 0)
"""The oldest CUDA devices that compute in bfloat16 and have flash attention in torch."""


def choose_device(wanted: str | torch.device) -> torch.device:
    """Find the device; auto: CUDA if present, otherwise MPS, otherwise CPU.

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
        raise ConfigurationError(
            f"device `{wanted}` does not exist here; use auto, cpu, cuda, cuda:1 or mps"
        ) from error
    return device


def prepare_device(device: torch.device) -> None:
    """Set this process up for its one device, before any tensor is put there."""
    if device.type == "cuda":
        # sum in float32, so that a text's scores depend less on what shares its pack
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False


def choose_threads(device: torch.device, weights: int) -> int:
    """Let this thread compute a small network alone on a CPU; call it on the thread that loads and scores.

    Its products are so small that a second thread saves little; `ThreadChoice` finds the passes for which it does.

    Args:
        device: where the network runs.
        weights: how many numbers the network has.

    Returns:
        How many threads its large passes may have: as many as this thread had until now, at first what
        `OMP_NUM_THREADS` sets or one for each core. 1: leave the number as it is.
    """
    most = torch.get_num_threads()
    if device.type != "cpu" or weights >= _SMALL_WEIGHTS:
        return 1
    torch.set_num_threads(1)
    return most


def on(device: torch.device) -> AbstractContextManager[object]:
    """Make the device this thread's current one: calls that name none, such as `empty_cache`, open the first one."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def choose_dtype(wanted: str | torch.dtype, stored: torch.dtype, device: torch.device) -> torch.dtype:
    """Find the backbone's dtype; auto: as stored if the device is fast in it, otherwise float32.

    Only CPUs with AMX are fast in bfloat16, and none in float16; with AVX512-BF16, bfloat16 was slower than float32. A
    checkpoint in another dtype, such as the practice model, runs in float32 on every CPU and scores alike everywhere.
    CUDA devices are fast in float16, and in bfloat16 from compute capability 8.0 on; older ones only emulate it.

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


class Rows:
    """The rows of one pass on their way from the device.

    The copy is started at once: started only when it is read, it would wait for every pass that was started meanwhile.
    """

    def __init__(self, rows: torch.Tensor) -> None:
        self._done: torch.cuda.Event | None = None
        if rows.device.type == "cuda":
            self._done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._values = rows.to("cpu", non_blocking=self._done is not None)
        if self._done is not None:
            self._done.record()

    def read(self) -> torch.Tensor:
        """Wait for them and give them, on the CPU.

        Raises:
            RuntimeError: the device failed.
        """
        if self._done is not None:
            self._done.synchronize()
        return self._values


def pack_tokens(device: torch.device) -> int:
    """Tokens of one forward pass: on CUDA, more would add latency and hardly any throughput."""
    return _CUDA_PACK_TOKENS if device.type == "cuda" else _OTHER_PACK_TOKENS


def causal_layout(device: torch.device) -> Layout:
    """Choose how a causal model processes texts: packed if the device can keep attention within each, else padded."""
    if device.type == "cuda":
        return Layout(is_padded=torch.cuda.get_device_capability(device) < _AMPERE)
    return Layout(is_padded=device.type != "cpu")


def compile_layers(layers: Iterable[nn.Module]) -> None:
    """Compile decoder layers at their first call; one graph serves all layers and all shapes."""
    for layer in layers:
        layer.compile(dynamic=True, fullgraph=True)


def _fast_dtypes(device: torch.device) -> set[torch.dtype]:
    """Return the dtypes, except float32, in which the hardware multiplies matrices."""
    if device.type == "cpu":
        has_amx = torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - the public function is newer than the oldest torch we support
        return {torch.bfloat16} if has_amx else set()
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < _AMPERE:
        return {torch.float16}
    return {torch.bfloat16, torch.float16}
