"""Await a condition instead of sleeping."""

import time
from collections.abc import Callable

LOOK_EVERY_S = 0.05


def await_condition(holds: Callable[[], bool], timeout_s: float) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s"
        time.sleep(LOOK_EVERY_S)
