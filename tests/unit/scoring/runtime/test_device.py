import pytest
import torch

from moderator.scoring.runtime.device import choose_dtype


@pytest.mark.parametrize(
    ("device", "stored", "chosen"),
    [
        ("mps", torch.bfloat16, torch.bfloat16),
        ("mps", torch.float16, torch.float16),
        ("mps", torch.float32, torch.float32),
        ("mps", torch.float64, torch.float32),
        ("cpu", torch.float16, torch.float32),
        ("cpu", torch.float64, torch.float32),
    ],
)
def test_auto_is_the_stored_dtype_if_the_device_is_fast_in_it(
    device: str, stored: torch.dtype, chosen: torch.dtype
) -> None:
    assert choose_dtype("auto", stored, torch.device(device)) is chosen


def test_a_named_dtype_is_used_for_any_stored_one() -> None:
    assert choose_dtype("float16", torch.float32, torch.device("cpu")) is torch.float16
