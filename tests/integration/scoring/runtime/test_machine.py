"""The machine's devices; here because looking for them imports torch."""

import pytest

from moderator.errors import ConfigurationError
from moderator.supervisor.workers import named_devices


def test_all_devices_without_a_cuda_device_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    with pytest.raises(ConfigurationError, match="there is no CUDA device here; check `nvidia-smi`, or leave"):
        named_devices("all")
