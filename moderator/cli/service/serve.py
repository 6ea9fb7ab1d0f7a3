"""`moderator serve`: decisions over HTTP, without Kafka."""

from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli.options import NoCompile
from moderator.cli.service.until_signal import (
    Devices,
    Model,
    Policies,
    PrintSettings,
    RedisUrl,
    work_until_signal,
)

if TYPE_CHECKING:
    from moderator.settings import Settings


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
    flags = {
        "model.path": model,
        "policies.path": policies,
        "redis.url": redis_url,
        "http.host": host,
        "http.port": port,
        "model.compile": False if no_compile else None,
    }
    work_until_signal("serve", _work, flags, devices=devices, print_settings=print_settings, facts=_facts)


def _facts(settings: "Settings") -> dict[str, object]:
    return {"instance": settings.kafka.instance_id}


def _work(settings: "Settings", stop: Event, loaded: Callable[[], object]) -> None:
    from moderator.wiring.serving import serve_requests

    serve_requests(settings, stop, loaded)
