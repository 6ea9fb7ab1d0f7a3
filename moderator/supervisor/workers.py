"""What `moderator run --devices` starts: one worker for each device, set up by its environment alone."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moderator.errors import ConfigurationError
from moderator.settings import Settings
from moderator.settings.names import path_of, variable_of

ALL: Final = "all"
_DEVICE: Final = re.compile(r"(?:cuda:)?([0-9]+)|cpu|mps")
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Worker:
    """One process to start: the device it scores on, and its environment."""

    device: str
    environment: Mapping[str, str]


def named_devices(wanted: str) -> list[str]:
    """Read `all`, or a list such as `0,1`, `cuda:0,cuda:1` or `cpu,cpu`; a number is a CUDA device.

    Raises:
        ConfigurationError: it is no such list, it names an accelerator twice, or there is no CUDA device.
    """
    if wanted.strip() == ALL:
        return _cuda_devices()
    devices = [_device(name.strip(), wanted) for name in wanted.split(",")]
    twice = next((name for name in devices if name != "cpu" and devices.count(name) > 1), None)
    if twice:
        raise ConfigurationError(f"`--devices {wanted}` names `{twice}` twice; one worker fills a device")
    return devices


def plan_workers(
    devices: Sequence[str], settings: Settings, flags: Mapping[str, object], environ: Mapping[str, str]
) -> list[Worker]:
    """Set the workers up like the parent, but each with a device, an HTTP port and an instance id of its own.

    Args:
        devices: n >= 1 of them, in the order of ports and ids.
        settings: the parent's; the first worker has its HTTP port, the others the ports after it.
        flags: what the command line sets, by path; None: not given.
        environ: what the workers inherit.

    Raises:
        ConfigurationError: there is no port for the last worker.
    """
    threads = {} if set(devices) != {"cpu"} else _shared_cores(len(devices), environ)
    return [
        Worker(device, threads | _variables(environ, {**flags, **_own(index, device, settings)}))
        for index, device in enumerate(devices)
    ]


def core_count() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cuda_devices() -> list[str]:
    from moderator.scoring.runtime.machine import cuda_devices  # noqa: PLC0415 - torch takes seconds, and a list needs none

    devices = cuda_devices()
    if not devices:
        raise ConfigurationError(
            "`--devices all`: there is no CUDA device here; check `nvidia-smi`, "
            "or leave `--devices` out to run one worker on what there is"
        )
    return devices


def _device(name: str, wanted: str) -> str:
    known = _DEVICE.fullmatch(name)
    if known is None:
        raise ConfigurationError(
            f"`--devices {wanted}`: `{name}` is no device; say `all`, or a list such as `0,1` or `cuda:0,cpu`"
        )
    return f"cuda:{int(known[1])}" if known[1] else name


def _own(index: int, device: str, settings: Settings) -> dict[str, object]:
    """Give the settings that differ from worker to worker."""
    first, name = settings.http.port, settings.kafka.instance_id
    port = first + index if first else 0
    if port > _LAST_PORT:
        raise ConfigurationError(
            f"worker {index} has no HTTP port: {first} + {index} is beyond {_LAST_PORT}; lower `MODERATOR_HTTP__PORT`"
        )
    return {"model.device": device, "http.port": port, "kafka.instance_id": name and f"{name}-{index}"}


def _variables(environ: Mapping[str, str], values: Mapping[str, object]) -> dict[str, str]:
    """Set `values`, by path, in the environment; replace variables that name the same path in other letters."""
    given = {path: str(value) for path, value in values.items() if value is not None}
    kept = {name: text for name, text in environ.items() if path_of(name) not in given}
    return kept | {variable_of(path): text for path, text in given.items()}


def _shared_cores(workers: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Divide the cores among CPU workers, each of which would use all of them; a value that is set is kept."""
    return {} if "OMP_NUM_THREADS" in environ else {"OMP_NUM_THREADS": str(max(1, core_count() // workers))}
