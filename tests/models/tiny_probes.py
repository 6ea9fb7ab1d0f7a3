"""Probes with weights of one's choice, over any backbone."""

import os
from pathlib import Path

import numpy as np

from moderator.probes import ProbeConfig
from moderator.scoring.checkpoint.probe_files import write_probe
from moderator.scoring.opening import open_model


def write(folder: Path, base: str | Path, objectives: tuple[str, ...] = ("spam", "selling")) -> Path:
    """Write a probe: even less odd numbers of the hidden state, then its first number plus a half."""
    opened = open_model(base)
    weight = np.zeros((len(objectives), opened.backbone.hidden_size), dtype=np.float32)
    weight[0, ::2], weight[0, 1::2], weight[1:, 0] = 1, -1, 1
    bias = np.array([0, *[0.5] * (len(objectives) - 1)], dtype=np.float32)
    path = os.path.relpath(base, folder) if Path(base).is_dir() else str(base)
    folder.mkdir(parents=True)
    write_probe(folder, ProbeConfig(path, opened.fingerprint(opened.check_weights()), objectives), weight, bias)
    return folder
