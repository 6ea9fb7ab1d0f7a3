"""What this machine can score on."""

import torch


def cuda_devices() -> list[str]:
    """Name the CUDA devices, such as `cuda:0`; opens none of them."""
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
