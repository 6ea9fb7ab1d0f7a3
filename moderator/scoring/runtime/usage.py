"""What the device has done, counted while it scores and read by whoever shows it."""

import os
from collections.abc import Mapping
from typing import Any, Protocol

import torch


class Cuda(Protocol):
    """What is asked of `torch.cuda`."""

    def memory_allocated(self, device: torch.device) -> int:
        """Bytes that tensors take."""
        ...

    def memory_reserved(self, device: torch.device) -> int:
        """Bytes that the allocator holds."""
        ...

    def get_device_properties(self, device: torch.device) -> Any:
        """What the device is."""
        ...


class DeviceUsage:
    """Counted by the thread that scores; may be read from any.

    Attributes:
        texts, tokens: how many went through the model; padding and fillers do not count.
        busy_s: how long a pack was on the device.
        packs_halved: how often a pack did not fit into the device's memory.
        pack_tokens: the token budget of a pack at present.
    """

    def __init__(self, device: torch.device, pack_tokens: int, cuda: Cuda = torch.cuda) -> None:
        """Start from zero."""
        self.texts = 0
        self.tokens = 0
        self.busy_s = 0.0
        self.packs_halved = 0
        self.pack_tokens = pack_tokens
        self._device = device
        self._cuda = cuda
        is_cuda = device.type == "cuda"
        self._total_bytes = int(cuda.get_device_properties(device).total_memory) if is_cuda else _machine_bytes()

    def memory_bytes(self) -> Mapping[str, int]:
        """Give the device's memory by kind: `allocated`, `reserved`, `total`; `total` alone, the machine's, on others.

        Asks the allocator's books and not the device, so that it answers while the device is busy or lost.
        """
        total = {"total": self._total_bytes}
        if self._device.type != "cuda":
            return total
        allocated, reserved = self._cuda.memory_allocated(self._device), self._cuda.memory_reserved(self._device)
        return {"allocated": allocated, "reserved": reserved, **total}


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
