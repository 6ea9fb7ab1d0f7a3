"""`moderator serve`: decisions over HTTP, without Kafka."""

import sys
from typing import Annotated

import typer

from moderator.cli.options import NoCompile
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


def serve(
    model: Model = None,
    policies: Policies = None,
    *,
    redis_url: RedisUrl = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, else 8080; 0: any free one.")] = None,
    devices: Devices = None,
    no_compile: NoCompile = False,
    print_settings: PrintSettings = False,
) -> None:
    """Answer requests over HTTP with decisions, without Kafka; set up by MODERATOR_… variables."""
    from moderator.observability.logging import configure_logging
    from moderator.settings import effective_settings, load_settings

    flags = {
        "model.path": model,
        "policies.path": policies,
        "redis.url": redis_url,
        "http.host": host,
        "http.port": port,
        "model.compile": False if no_compile else None,
    }
    settings = load_settings(flags)
    if print_settings:
        sys.stdout.write(effective_settings(settings))
        return
    configure_logging(settings.log.level, libraries=settings.log.libraries)
    log_start(flags, instance=settings.kafka.instance_id)
    if devices is not None:
        run_workers("serve", devices, settings, flags)
    from moderator.wiring.serving import serve_requests

    work_here(settings, serve_requests)
