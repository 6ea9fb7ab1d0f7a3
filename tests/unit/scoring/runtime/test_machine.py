"""The machine's devices; beside the other tests that import torch, which takes seconds."""

import pytest

from moderator.errors import ConfigurationError
from moderator.supervisor.workers import named_devices


def test_all_without_a_cuda_device_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    with pytest.raises(ConfigurationError, match="there is no CUDA device here; check `nvidia-smi`, or leave"):
        named_devices("all")
