"""A model's objectives, read from its config alone: no torch, no weights."""

import json
from pathlib import Path

import moderator
from moderator.errors import ConfigurationError, reason_of
from moderator.objectives import BUILTIN, armorm_objectives, head_rows, is_classifier, label_names
from moderator.tensor_headers import tensor_shapes


def read_objectives(model: str) -> tuple[str, ...]:
    """Give the objectives of a model folder, or of `builtin`, in the model's order.

    Raises:
        ConfigurationError: there is no readable config.json, or it does not say which objectives there are.
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
    return _objectives(config, path)


def _folder(model: str) -> Path:
    if model == BUILTIN:
        return Path(moderator.__file__).parent / "scoring" / BUILTIN
    return Path(model)


def _objectives(config: object, path: Path) -> tuple[str, ...]:
    if not isinstance(config, dict):
        raise ConfigurationError(f"`{path}` is not a model's config")
    try:
        if is_classifier(config):
            return label_names(config, head_rows(config, tensor_shapes(path.parent)))
        return armorm_objectives(config)
    except ValueError as error:
        raise ConfigurationError(f"`{path}`: {error}") from error
