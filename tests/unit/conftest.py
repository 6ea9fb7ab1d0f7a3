"""Hypothesis on shared and noisy machines: no deadlines, and slow first draws are no failure."""

import gc

from hypothesis import HealthCheck, settings

settings.register_profile("noisy-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("noisy-machine")


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the libraries: torch alone holds a million objects."""
    gc.collect()
    gc.freeze()
