"""`moderator console`: the web console."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from moderator.cli import exit_codes
from moderator.ending import flush_outputs
from moderator.errors import ConfigurationError


def console(
    *,
    bootstrap_servers: Annotated[
        str | None, typer.Option(help="Kafka brokers, comma-separated, whose decisions are shown.")
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Decisions to show, one a line, as `moderator score` writes them."),
    ] = None,
    policies: Annotated[Path | None, typer.Option(help="The policy folder, else ./policies.")] = None,
    labels_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append labels to this file instead of writing them to Kafka.")
    ] = None,
    redis_url: Annotated[str | None, typer.Option(help="Redis, to show what the verdict cache holds.")] = None,
    scorer_url: Annotated[
        str | None,
        typer.Option(
            help="Replicas of `run` or `serve`, comma-separated: which policies decide there is shown, and the first "
            "that answers scores typed text."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A model folder, a hub id, or `builtin`, to score typed text in this process.")
    ] = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address to listen on, else 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, else 8090; 0: any free one.")] = None,
    print_settings: Annotated[
        bool, typer.Option("--print-settings", help="Show the settings in effect, secrets masked, and end.")
    ] = False,
) -> None:
    """Show recent decisions, why each was made, and the policies in force, in a browser."""
    _refuse_both("--bootstrap-servers", bootstrap_servers, "--decisions", decisions)
    _refuse_both("--scorer-url", scorer_url, "--model", model)
    from moderator.observability.logging import configure_logging
    from moderator.settings import effective_settings, load_settings

    settings = load_settings(
        {
            "kafka.bootstrap_servers": bootstrap_servers,
            "console.decisions_file": decisions,
            "policies.path": policies,
            "console.labels_file": labels_file,
            "redis.url": redis_url,
            "console.scorer_url": scorer_url,
            "model.path": model,
            "console.host": host,
            "console.port": port,
        }
    )
    if print_settings:
        sys.stdout.write(effective_settings(settings))
        return
    configure_logging(settings.log.level, libraries=settings.log.libraries)
    from moderator.console.running import run_console

    run_console(settings, loads_model=model is not None)
    flush_outputs()
    os._exit(exit_codes.OK)  # a worker that is in a client's code would turn a normal exit into an abort


def _refuse_both(one: str, given: object, other: str, too: object) -> None:
    if given is not None and too is not None:
        raise ConfigurationError(f"`{one}` and `{other}` exclude each other: leave one out")
