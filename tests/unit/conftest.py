"""Let the garbage collector pass over the libraries: torch alone holds a million objects."""

import gc


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
