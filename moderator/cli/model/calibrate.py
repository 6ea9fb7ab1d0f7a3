"""`moderator model calibrate`: freeze how a model's scores are spread, for phrases such as `in the lowest 2%`."""

import os
import re
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from moderator.cli.files.recorded_events import open_events
from moderator.cli.options import Brokers, Events
from moderator.cli.progress import progress
from moderator.counted import counted
from moderator.errors import ConfigurationError, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moderator.calibration.calibrate import Noise, Spread
    from moderator.policy.language.ast import Signal

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def calibrate(
    *,
    events: Events,
    name: Annotated[str, typer.Option(help="What to call it: calibration/NAME.json in the policy folder.")],
    policies: Annotated[Path, typer.Option(metavar="DIR", help="The policy folder.")] = Path("policies"),
    model: Annotated[
        str | None, typer.Option(help="The model that scored, a folder or hub id: also measure its noise here.")
    ] = None,
    bootstrap_servers: Brokers = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a calibration of that name.")] = False,
) -> None:
    """Write `calibration/NAME.json` from 1,000 or more recorded decisions of one model."""
    from moderator.calibration.calibrate import calibration_record, calibration_text, model_of
    from moderator.policy.files.vocabulary import read_derived_signals

    path = _path(policies, name, replace=replace)
    derived = read_derived_signals(policies)
    spread = _gather(events, bootstrap_servers, derived)
    noise = {} if model is None else _measure_noise(model, spread)
    record = calibration_record(spread, derived, noise)
    quantiles = cast("Mapping[str, object]", record["quantiles"])
    _write(path, calibration_text(record))
    measured = "noise measured" if noise else "noise not measured (`--model` measures it)"
    left_out = sorted(spread.rewards.keys() - quantiles.keys())
    typer.echo(f"{path}: {record['events']:,} events, {counted(len(quantiles), 'objective')}, {measured}")
    if left_out:
        typer.echo(f"left out because they have fewer than 1,000 usable rewards: {', '.join(left_out)}")
    typer.echo(f"name it in signals.yaml: calibrations: {{{model_of(spread)[0]}: calibration/{path.name}}}")


def _path(policies: Path, name: str, *, replace: bool) -> Path:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"`{name}` is not a file name: use letters, digits, `.`, `_` and `-`")
    path = policies / "calibration" / f"{name.removesuffix('.json')}.json"
    if path.exists() and not replace:
        raise ConfigurationError(
            f"`{path}` exists already, and rules may depend on it: choose another name, or give `--replace`"
        )
    return path


def _gather(events: str, bootstrap_servers: str | None, derived: "tuple[Signal, ...]") -> "Spread":
    from moderator.backtest.processes import count_all
    from moderator.calibration.calibrate import RewardCollector
    from moderator.supervisor.workers import core_count

    with (
        open_events(events, bootstrap_servers) as recorded,
        progress("calibrate", recorded.total, recorded.unit) as advance,
    ):
        return count_all(partial(RewardCollector, derived), recorded.batches, processes=core_count(), advance=advance)


def _measure_noise(path: str, spread: "Spread") -> "Noise":
    """Load the model that scored, and measure; refuse any other."""
    from moderator.calibration.calibrate import model_of
    from moderator.observability.logging import configure_logging
    from moderator.scoring.engine import load_scorer
    from moderator.settings import load_settings

    configure_logging("warning")
    _, fingerprint, dtype, _ = model_of(spread)
    settings = load_settings({"model.path": path})
    scorer = load_scorer(settings.model, settings.reading)
    running = scorer.identity
    if (running.fingerprint, running.dtype) != (fingerprint, dtype):
        raise ConfigurationError(
            f"`{path}` is not the model that scored: it is {running.fingerprint} in {running.dtype}, "
            f"the events are by {fingerprint} in {dtype}"
        )
    scorer.warm_up()
    return dict(zip(running.objectives, scorer.measure_noise(), strict=True))


def _write(path: Path, text: str) -> None:
    """Write the file in one step: a running replica may be watching the folder."""
    try:
        path.parent.mkdir(exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".unfinished")
        unfinished = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            unfinished.chmod(0o644)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot write `{path}`: {reason_of(error)}") from error
