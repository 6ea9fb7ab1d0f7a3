"""Let the garbage collector pass over the libraries: torch alone holds a million objects."""

import gc

gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # what is frozen is never freed, which libraries report as leaks when the process ends
