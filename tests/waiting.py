"""Await a condition instead of sleeping."""

import time
from collections.abc import Callable

PATIENCE_S = 120.0
"""Who waits longer waits for nothing: with twenty others for two cores a cold start took more than sixty."""
LOOK_EVERY_S = 0.05


def await_condition(holds: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s"
        time.sleep(LOOK_EVERY_S)
