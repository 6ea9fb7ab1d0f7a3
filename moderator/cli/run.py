"""`moderator run`: consume, decide, publish."""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from moderator.cli import exit_codes


def run(
    model: Annotated[str | None, typer.Option(help="A folder, a hub id, or `builtin` (a practice model).")] = None,
    policies: Annotated[Path | None, typer.Option(help="The policy folder, else ./policies.")] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Kafka brokers, comma-separated.")] = None,
    redis_url: Annotated[str | None, typer.Option(help="Redis, for the caches.")] = None,
    *,
    print_settings: Annotated[
        bool, typer.Option("--print-settings", help="Show the settings in effect, secrets masked, and end.")
    ] = False,
) -> None:
    """Consume chat events from Kafka, decide, and publish; set up by MODERATOR_… variables."""
    from moderator.observability.logging import configure_logging
    from moderator.settings import effective_settings, load_settings

    settings = load_settings(
        {
            "model.path": model,
            "policies.path": policies,
            "kafka.bootstrap_servers": bootstrap_servers,
            "redis.url": redis_url,
        }
    )
    if print_settings:
        sys.stdout.write(effective_settings(settings))
        return
    configure_logging(settings.log.level)
    stop = threading.Event()
    drain_on_signals(stop)
    from moderator.wiring import run_stream

    run_stream(settings, stop)
    # all is published and closed; what is left is the tear-down of libraries, some of which print prose
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_codes.OK)


def drain_on_signals(stop: threading.Event) -> None:
    """Let the first SIGTERM or SIGINT drain, and the second end the process at once."""

    def hear(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    signal.signal(signal.SIGTERM, hear)
    signal.signal(signal.SIGINT, hear)
