"""What many tests would make again, once: the command line; and no garbage collection of libraries."""

import atexit
import gc
from functools import cache

import typer.main

typer.main.get_command = cache(typer.main.get_command)  # `moderator` has forty commands; it is built for each call
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
    # What is frozen is never freed, which libraries report as leaks when the process ends. Not before: pytest collects
    # garbage five times after the last test.
    atexit.register(gc.unfreeze)
