"""`moderator run`: consume, decide, publish."""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from moderator.cli import exit_codes
from moderator.cli.options import NoCompile

if TYPE_CHECKING:
    from moderator.settings import Settings

_GRACE_S = 15.0
"""How long a worker may outlive its drain time-out; one stuck on a lost device must not delay a restart."""


def run(
    model: Annotated[str | None, typer.Option(help="A folder, a hub id, or `builtin` (a practice model).")] = None,
    policies: Annotated[Path | None, typer.Option(help="The policy folder, else ./policies.")] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Kafka brokers, comma-separated.")] = None,
    redis_url: Annotated[str | None, typer.Option(help="Redis, for the caches.")] = None,
    devices: Annotated[
        str | None,
        typer.Option(
            help="One worker for each CUDA device (`all`), or for each of a list such as `0,1`; HTTP ports count up."
        ),
    ] = None,
    *,
    no_compile: NoCompile = False,
    print_settings: Annotated[
        bool, typer.Option("--print-settings", help="Show the settings in effect, secrets masked, and end.")
    ] = False,
) -> None:
    """Consume chat events from Kafka, decide, and publish; set up by MODERATOR_… variables."""
    from moderator.observability.logging import configure_logging
    from moderator.settings import effective_settings, load_settings

    flags = {
        "model.path": model,
        "policies.path": policies,
        "kafka.bootstrap_servers": bootstrap_servers,
        "redis.url": redis_url,
        "model.compile": False if no_compile else None,
    }
    settings = load_settings(flags)
    if print_settings:
        sys.stdout.write(effective_settings(settings))
        return
    configure_logging(settings.log.level)
    if devices is not None:
        raise typer.Exit(_run_workers(devices, settings, flags))
    _run_here(settings)


def _run_here(settings: "Settings") -> NoReturn:
    stop, has_begun = threading.Event(), threading.Event()
    drain_on_signals(stop, has_begun)
    from moderator.wiring import run_stream

    run_stream(settings, stop, has_begun)
    # all is published and closed; only the libraries would still shut down, and some of them print prose
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_codes.OK)


def _run_workers(devices: str, settings: "Settings", flags: Mapping[str, object]) -> int:
    from moderator.supervisor.supervisor import Supervisor
    from moderator.supervisor.workers import named_devices, plan_workers

    workers = plan_workers(named_devices(devices), settings, flags, os.environ)
    return Supervisor(workers, grace_s=settings.drain_timeout_s + _GRACE_S).run()


def drain_on_signals(stop: threading.Event, has_begun: threading.Event) -> None:
    """Let the first SIGTERM or SIGINT drain, and the second end the process at once.

    Until `has_begun` is set there is nothing to drain, and the first one ends the process at once, with exit code 0.
    """

    def on_signal(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        if not has_begun.is_set():
            os._exit(exit_codes.OK)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
