from collections.abc import Iterator

import pytest
import torch

from moderator.scoring.runtime.device import choose_dtype, choose_threads


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


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("device", "weights", "count", "most"),
    [("cpu", 1_600_000, 1, 2), ("cpu", 66_000_000, 2, 1), ("mps", 1_600_000, 2, 1)],
)
def test_a_small_network_begins_on_one_thread_of_a_cpu_and_may_have_as_many_as_torch_was_given(
    device: str, weights: int, count: int, most: int
) -> None:
    assert choose_threads(torch.device(device), weights) == most

    assert torch.get_num_threads() == count
