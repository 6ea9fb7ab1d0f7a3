"""The folder of a probe: may it be written, and what is written into it."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from moderator.backtest.report.markdown import markdown_of
from moderator.errors import ConfigurationError, reason_of
from moderator.objectives import BUILTIN
from moderator.probes import BASE, ProbeConfig, is_probe
from moderator.probing.document import document_of
from moderator.probing.fitting import Fitted
from moderator.probing.report import ProbeReport
from moderator.scoring.checkpoint.files import CONFIG, INDEX, read_json
from moderator.scoring.checkpoint.fingerprint import files_of_scores
from moderator.scoring.checkpoint.probe_files import write_probe
from moderator.scoring.opening import open_model
from moderator.settings import ModelSettings

_REPORT: Final = "report.json"
_CARD: Final = "REPORT.md"


def require_folder(folder: Path, backbone: str, *, copies: bool) -> None:
    """Make the folder, unless something else is in it.

    Args:
        folder: of the probe; one that holds a probe may be written again.
        backbone: as it was named.
        copies: the backbone will be copied into it.

    Raises:
        ConfigurationError: it holds something else, or cannot be made; or the practice model would be copied.
    """
    if copies and backbone == BUILTIN:
        raise ConfigurationError("`--copy`: the practice model is in every installation; leave it out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_other = any(folder.iterdir()) and not ((folder / CONFIG).is_file() and is_probe(read_json(folder / CONFIG)))
    except OSError as error:
        raise ConfigurationError(f"cannot write to `{folder}`: {reason_of(error)}") from error
    if is_other:
        raise ConfigurationError(f"`{folder}` holds something that is no probe: name another folder")


def write_folder(
    folder: Path, settings: ModelSettings, fitted: Mapping[str, Fitted], report: ProbeReport, *, copies: bool
) -> None:
    """Write the probe, its report, and with `copies` the backbone.

    Raises:
        ConfigurationError: a file cannot be written.
    """
    backbone = str(settings.path)
    try:
        if copies:
            _copy(backbone, folder / BASE, settings)
        config = ProbeConfig(
            BASE if copies else _as_seen_from(folder, backbone), report.backbone.fingerprint, tuple(fitted)
        )
        weights, biases = [each.weight for each in fitted.values()], [each.bias for each in fitted.values()]
        write_probe(folder, config, np.stack(weights), np.array(biases))
        (folder / _REPORT).write_text(json.dumps(report.to_fields(), indent=2) + "\n", "utf-8")
        (folder / _CARD).write_text(markdown_of(document_of(report)), "utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write to `{folder}`: {reason_of(error)}") from error


def _as_seen_from(folder: Path, backbone: str) -> str:
    """Name the backbone in a way that stays right when both move together; a hub id and `builtin` as they are."""
    path = Path(backbone)
    is_folder = backbone != BUILTIN and path.is_dir()
    return os.path.relpath(path.resolve(), folder.resolve()) if is_folder else backbone


def _copy(backbone: str, to: Path, settings: ModelSettings) -> None:
    """Copy the files of a checkpoint, and no others."""
    opened = open_model(backbone, settings)
    source = opened.location.folder
    index = [source / INDEX] if (source / INDEX).is_file() else []
    shutil.rmtree(to, ignore_errors=True)
    for file in [*files_of_scores(source, opened.check_weights().files), *index]:
        target = to / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
