"""The devices of this machine, and how fast they multiply matrices."""

import time
from typing import Final

import torch

_WARM_UP: Final = 2
_MEASURED_S: Final = 0.2
_ROWS: Final = {"cuda": 8192}
_OTHER_ROWS: Final = 256
_LEAST_WIDTH: Final = 1024
"""A smaller product is too short to measure."""


def cuda_devices() -> list[str]:
    """Return the names of the CUDA devices, such as `cuda:0`; opens none of them."""
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]


def present_devices() -> list[torch.device]:
    """Return the devices that a model can run on: accelerators first, then the CPU."""
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [torch.device(name) for name in (*cuda_devices(), *mps, "cpu")]


def measured_flops_per_s(device: torch.device, dtype: torch.dtype, widths: tuple[int, int]) -> float:
    """Measure floating-point operations per second of a matrix product: the best of several within 0.2 seconds.

    Args:
        device: one of those present.
        dtype: of both matrices.
        widths: (inner, outer) of the layer's weight, such as hidden and intermediate size; at least 1,024 is used.
    """
    inner, outer = (max(_LEAST_WIDTH, width) for width in widths)
    rows = _ROWS.get(device.type, _OTHER_ROWS)
    left, right = (torch.randn(shape, device=device).to(dtype) for shape in ((rows, inner), (inner, outer)))
    best_s = float("inf")
    ends_s = time.monotonic() + _MEASURED_S
    done = 0
    while done <= _WARM_UP or time.monotonic() < ends_s:
        took_s = _timed(left, right)
        best_s = best_s if done < _WARM_UP else min(best_s, took_s)
        done += 1
    return 2.0 * rows * inner * outer / best_s


def _timed(left: torch.Tensor, right: torch.Tensor) -> float:
    started_s = time.perf_counter()
    product = left @ right
    product[0, 0].item()  # waits for the device
    return time.perf_counter() - started_s
