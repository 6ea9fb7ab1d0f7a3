"""`moderator run`: consume, decide, publish."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli.options import NoCompile
from moderator.cli.service.start_report import report_start
from moderator.cli.service.until_signal import (
    Devices,
    Model,
    Policies,
    PrintSettings,
    RedisUrl,
    log_start,
    run_workers,
    work_here,
)

if TYPE_CHECKING:
    from moderator.settings import Settings


def run(
    model: Model = None,
    policies: Policies = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Kafka brokers, comma-separated.")] = None,
    redis_url: RedisUrl = None,
    devices: Devices = None,
    *,
    no_compile: NoCompile = False,
    print_settings: PrintSettings = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Check all that a start needs, change nothing, print what was found, and end."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --check: print one JSON object.")] = False,
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
    if check:
        configure_logging("error")  # what is printed is the answer
        raise typer.Exit(report_start(lambda: load_settings(flags), is_json=as_json))
    settings = load_settings(flags)
    if print_settings:
        sys.stdout.write(effective_settings(settings))
        return
    configure_logging(settings.log.level, libraries=settings.log.libraries)
    _log_start(settings, flags)
    if devices is not None:
        run_workers("run", devices, settings, flags)
    from moderator.wiring.stream import run_stream

    work_here(settings, run_stream)


def _log_start(settings: "Settings", flags: Mapping[str, object]) -> None:
    from moderator.stream.kafka.connection import client_id

    kafka = settings.kafka
    log_start(flags, instance=kafka.instance_id, client_id=client_id(kafka), group=kafka.group_id)
