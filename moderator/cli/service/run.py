"""`moderator run`: consume, decide, publish."""

from collections.abc import Callable
from threading import Event
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
    work_until_signal,
)
from moderator.errors import ConfigurationError

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
    flags = {
        "model.path": model,
        "policies.path": policies,
        "kafka.bootstrap_servers": bootstrap_servers,
        "redis.url": redis_url,
        "model.compile": False if no_compile else None,
    }
    if check:
        from moderator.observability.logging import configure_logging
        from moderator.settings import load_settings

        configure_logging("error")  # what is printed is the answer
        raise typer.Exit(report_start(lambda: load_settings(flags), is_json=as_json))
    if as_json:
        raise ConfigurationError("`--json` is about the answer of `--check`; leave it out to start the service")
    work_until_signal("run", _work, flags, devices=devices, print_settings=print_settings, facts=_facts)


def _facts(settings: "Settings") -> dict[str, object]:
    from moderator.stream.kafka.connection import client_id

    kafka = settings.kafka
    return {"instance": kafka.instance_id, "client_id": client_id(kafka), "group": kafka.group_id}


def _work(settings: "Settings", stop: Event, loaded: Callable[[], object]) -> None:
    from moderator.wiring.stream import run_stream

    run_stream(settings, stop, loaded)
