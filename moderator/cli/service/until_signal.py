"""What `run` and `serve` share: their flags, their first log line, workers for several devices, and their end."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from moderator.cli import exit_codes
from moderator.ending import (
    DRAINED,
    SECOND_SIGNAL,
    SIGNALLED,
    SIGNALS_OF_RUN,
    end,
    end_by_second_signal,
    flush_outputs,
)

if TYPE_CHECKING:
    from moderator.settings import Settings

Model = Annotated[str | None, typer.Option(help="A folder, a hub id, or `builtin` (a practice model).")]
Policies = Annotated[Path | None, typer.Option(help="The policy folder, else ./policies.")]
RedisUrl = Annotated[str | None, typer.Option(help="Redis, for the caches.")]
Devices = Annotated[
    str | None,
    typer.Option(
        help="One worker for each CUDA device (`all`), or for each of a list such as `0,1`; HTTP ports count up."
    ),
]
PrintSettings = Annotated[
    bool, typer.Option("--print-settings", help="Show the settings in effect, secrets masked, and end.")
]
Work = Callable[["Settings", Event, Callable[[], object]], object]
"""Works until the event is set; calls its third argument once there is something to finish."""

_GRACE_S = 15.0
"""How long a worker may outlive its drain time-out; one stuck on a lost device must not delay a restart."""


def work_until_signal(
    command: str,
    work: Work,
    flags: Mapping[str, object],
    *,
    devices: str | None,
    print_settings: bool,
    facts: Callable[["Settings"], Mapping[str, object]],
) -> None:
    """Work here, or in one worker of this command for each device, until a signal comes; then end this process.

    With `print_settings` it prints the settings in effect and returns. `facts` are added to the first log line.
    """
    from moderator.observability.logging import configure_logging
    from moderator.settings import effective_settings, load_settings

    settings = load_settings(flags)
    if print_settings:
        sys.stdout.write(effective_settings(settings))
        return
    configure_logging(settings.log.level, libraries=settings.log.libraries)
    _log_start(flags, facts(settings))
    if devices is not None:
        _run_workers(command, devices, settings, flags)
    work(settings, SIGNALS_OF_RUN.stop, SIGNALS_OF_RUN.drain_from_now_on)
    # all is answered, published and closed; only the libraries would still shut down, and some of them print prose
    flush_outputs()
    end(exit_codes.OK, DRAINED)


def _log_start(flags: Mapping[str, object], facts: Mapping[str, object]) -> None:
    from moderator.observability.build import versions
    from moderator.observability.logging import get_logger
    from moderator.settings import settings_from

    built: dict[str, Any] = {
        name: version for name, version in versions().items() if name in {"version", "revision", "python"}
    }
    get_logger(__name__).info("starting", **built, **facts, pid=os.getpid(), settings_from=settings_from(flags))


def _run_workers(command: str, devices: str, settings: "Settings", flags: Mapping[str, object]) -> NoReturn:
    from moderator.supervisor.supervisor import MODERATOR, Supervisor
    from moderator.supervisor.workers import named_devices, plan_workers

    workers = plan_workers(named_devices(devices), settings, flags, os.environ)
    supervisor = Supervisor(workers, grace_s=settings.drain_timeout_s + _GRACE_S, command=(*MODERATOR, command))
    failure = supervisor.run()
    flush_outputs()
    if failure is None:
        end(exit_codes.OK, DRAINED)
    if failure.reason == SECOND_SIGNAL:
        end_by_second_signal(failure.code - SIGNALLED)
    end(*failure)
