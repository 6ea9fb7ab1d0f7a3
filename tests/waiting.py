"""Await a condition instead of sleeping, and coroutines on a thread of their own."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

PATIENCE_S = 60.0
"""Who waits longer waits for nothing, even on a busy machine."""
LOOK_EVERY_S = 0.05


def await_condition(holds: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, f"not within {timeout_s:g} s"
        time.sleep(LOOK_EVERY_S)


def run_apart(job: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end: the main thread may have Playwright's event loop already."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, job).result()
