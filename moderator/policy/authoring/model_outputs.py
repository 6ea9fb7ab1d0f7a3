"""What a model gives, read from its config and the headers of its weights: no torch."""

import json
from pathlib import Path

import moderator
from moderator.errors import ConfigurationError, reason_of
from moderator.events import OutputScale
from moderator.guards.recognition import is_generator, template_beside, verdicts_of
from moderator.objectives import (
    BUILTIN,
    ModelOutputs,
    armorm_objectives,
    declared_scale,
    head_rows,
    is_classifier,
    is_weighted_classifier,
    label_names,
    model_name,
    urm_objectives,
)
from moderator.probes import added_to, is_probe, probe_config
from moderator.tensor_headers import tensor_shapes


def read_outputs(model: str, scale: OutputScale | None = None, verdicts: Path | None = None) -> ModelOutputs:
    """Give the outputs of a model folder, or of `builtin`.

    Args:
        model: a folder, or `builtin`; of a probe, also its backbone is read.
        scale: what a classifier's scores are; None: what its config says.
        verdicts: file of what a guard answers; None: known by its chat template.

    Raises:
        ConfigurationError: there is no readable config.json, or it does not say which objectives there are, or what
            their scores are.
    """
    path = _folder(model) / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"cannot read `{path}`: {reason_of(error)}; name a model folder, or `{BUILTIN}`"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"`{path}` is not JSON; name a model folder that is not damaged") from error
    return _outputs(config, path, scale, verdicts)


def _folder(model: str) -> Path:
    if model == BUILTIN:
        return Path(moderator.__file__).parent / "scoring" / BUILTIN
    return Path(model)


def _outputs(config: object, path: Path, scale: OutputScale | None, verdicts: Path | None) -> ModelOutputs:
    if not isinstance(config, dict):
        raise ConfigurationError(f"`{path}` is not a model's config")
    if is_probe(config):
        probe = probe_config(config, f"`{path}`")
        base = read_outputs(probe.base_path(path.parent), scale, verdicts)
        return ModelOutputs(model_name(path.parent), added_to(base.objectives, probe.objectives, f"`{path}`"), "raw")
    try:
        if is_generator(config):
            answers = verdicts_of(template_beside(path), verdicts, str(path))
            return ModelOutputs(model_name(path.parent), answers.objectives, answers.scale)
        if is_weighted_classifier(config):
            objectives = urm_objectives(config, head_rows(config, tensor_shapes(path.parent)))
            return ModelOutputs(model_name(path.parent), objectives, "raw")
        if not is_classifier(config):
            return ModelOutputs(model_name(path.parent), armorm_objectives(config), "raw")
        labels = label_names(config, head_rows(config, tensor_shapes(path.parent)))
        return ModelOutputs(model_name(path.parent), labels, scale or declared_scale(config, len(labels)))
    except ValueError as error:
        raise ConfigurationError(f"`{path}`: {error}") from error
