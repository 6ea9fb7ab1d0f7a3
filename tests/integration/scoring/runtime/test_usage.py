"""What is read of a device's memory, without a device."""

import os
from dataclasses import dataclass
from typing import Any

import torch

from moderator.scoring.runtime.usage import DeviceUsage


@dataclass
class TotalMemory:
    total_memory: int


class ScriptedCuda:
    """Answers as `torch.cuda` does."""

    def __init__(self) -> None:
        self.asked: list[torch.device] = []

    def memory_allocated(self, device: torch.device) -> int:
        self.asked.append(device)
        return 16_000

    def memory_reserved(self, device: torch.device) -> int:
        self.asked.append(device)
        return 20_000

    def get_device_properties(self, device: torch.device) -> Any:
        self.asked.append(device)
        return TotalMemory(80_000)


def test_of_a_cuda_device_its_own_memory_is_read() -> None:
    cuda, device = ScriptedCuda(), torch.device("cuda:1")

    usage = DeviceUsage(device, 8_192, cuda)

    assert usage.memory_bytes() == {"allocated": 16_000, "reserved": 20_000, "total": 80_000}
    assert set(cuda.asked) == {device}


def test_of_a_cpu_only_the_machine_s_memory_is_known() -> None:
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    assert DeviceUsage(torch.device("cpu"), 1_024).memory_bytes() == {"total": machine_bytes}
