"""A probe's folder: read it, and write what was fitted; a probe's scores are `hidden @ weight.T + bias`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file
from safetensors.torch import load_file

from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.probes import WEIGHTS, ProbeConfig, probe_config
from moderator.scoring.checkpoint.files import CONFIG

_WEIGHT, _BIAS = "probe.weight", "probe.bias"


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe as it was read.

    Attributes:
        weight: (k, h) float32.
        bias: (k,) float32.
        digest: of its file, hex.
        base_scale: what the backbone's scores are; the model as a whole does not say.
    """

    folder: Path
    config: ProbeConfig
    weight: torch.Tensor
    bias: torch.Tensor
    digest: str
    base_scale: OutputScale = "raw"

    @property
    def base_path(self) -> str:
        """The backbone, as a model is named."""
        return self.config.base_path(self.folder)

    def fingerprint_over(self, base: str) -> str:
        """Give the fingerprint of backbone and probe together.

        Args:
            base: the backbone's.

        Raises:
            ConfigurationError: the probe was fitted on another backbone; the text has both fingerprints.
        """
        if base != self.config.base_fingerprint:
            raise ConfigurationError(
                f"{self.folder}: fitted on the backbone {self.config.base_fingerprint}, but `{self.config.base}` is "
                f"now {base}: fit the probe again, or bring that backbone back"
            )
        parts = [base, self.base_scale, self.digest, *self.config.objectives, ""]
        return "sha256:" + hashlib.sha256("\n".join(parts).encode()).hexdigest()


def read_probe(folder: Path, fields: Mapping[str, Any]) -> Probe:
    """Read a probe's folder, not its backbone.

    Args:
        folder: the probe's.
        fields: of its `config.json`.

    Raises:
        ConfigurationError: its config or its weights are missing, damaged or do not belong together.
    """
    config = probe_config(fields, str(folder / CONFIG))
    file = folder / WEIGHTS
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ConfigurationError(
            f"{file}: missing, truncated or not a safetensors file; fit the probe again"
        ) from error
    weight, bias = tensors.get(_WEIGHT), tensors.get(_BIAS)
    rows = len(config.objectives)
    if weight is None or bias is None or weight.shape[:1] != (rows,) or weight.ndim != 2 or bias.shape != (rows,):  # noqa: PLR2004
        raise ConfigurationError(f"{file}: must hold `{_WEIGHT}` ({rows}, h) and `{_BIAS}` ({rows},)")
    if not (weight.isfinite().all() and bias.isfinite().all()):
        raise ConfigurationError(f"{file}: holds a number that is not finite; fit the probe again")
    return Probe(folder, config, weight.float(), bias.float(), digest)


def write_probe(folder: Path, config: ProbeConfig, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    """Write the two files from which the probe is read.

    Args:
        folder: exists.
        config: of it.
        weight: (k, h).
        bias: (k,).
    """
    save_file({_WEIGHT: weight, _BIAS: bias}, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)  # safetensors lets only the owner read it
    (folder / CONFIG).write_text(json.dumps(config.to_fields(), indent=2) + "\n", encoding="utf-8")
