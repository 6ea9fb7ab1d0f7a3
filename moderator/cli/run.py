"""`moderator run`: consume, decide, publish."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from moderator.cli import exit_codes
from moderator.cli.options import NoCompile
from moderator.cli.start_report import report_start
from moderator.ending import DRAINED, SIGNALS_OF_RUN, end, flush_outputs

if TYPE_CHECKING:
    from moderator.settings import Settings

_GRACE_S = 15.0
"""How long a worker may outlive its drain time-out; one stuck on a lost device must not delay a restart."""
_REASONS_OF_WORKERS: Final = {
    exit_codes.OK: DRAINED,
    exit_codes.WRONG_CONFIGURATION: "configuration",
    exit_codes.SERVER_UNREACHABLE: "unreachable",
}
"""Why all workers ended, as far as the exit code of the first that failed says."""


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
        _run_workers(devices, settings, flags)
    _run_here(settings)


def _log_start(settings: "Settings", flags: Mapping[str, object]) -> None:
    from moderator.observability.build import versions
    from moderator.observability.logging import get_logger
    from moderator.settings import settings_from
    from moderator.stream.kafka.connection import client_id

    built = {name: version for name, version in versions().items() if name in {"version", "revision", "python"}}
    kafka = settings.kafka
    get_logger(__name__).info(
        "starting",
        **built,
        instance=kafka.instance_id,
        client_id=client_id(kafka),
        group=kafka.group_id,
        pid=os.getpid(),
        settings_from=settings_from(flags),
    )


def _run_here(settings: "Settings") -> NoReturn:
    from moderator.wiring.stream import run_stream

    run_stream(settings, SIGNALS_OF_RUN.stop, SIGNALS_OF_RUN.drain_from_now_on)
    # all is published and closed; only the libraries would still shut down, and some of them print prose
    flush_outputs()
    end(exit_codes.OK, DRAINED)


def _run_workers(devices: str, settings: "Settings", flags: Mapping[str, object]) -> NoReturn:
    from moderator.supervisor.supervisor import Supervisor
    from moderator.supervisor.workers import named_devices, plan_workers

    workers = plan_workers(named_devices(devices), settings, flags, os.environ)
    code = Supervisor(workers, grace_s=settings.drain_timeout_s + _GRACE_S).run()
    flush_outputs()
    reason = _REASONS_OF_WORKERS.get(code, "crashed")
    end(code, reason, f"a worker ended with exit code {code}; its own last line says why" if code else None)
