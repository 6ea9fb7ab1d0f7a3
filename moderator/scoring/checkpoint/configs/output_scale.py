"""What the outputs of a classifier's head mean: rewards or probabilities, and how rewards are normalised."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moderator.errors import ConfigurationError
from moderator.events import OutputScale
from moderator.objectives import declared_scale
from moderator.observability.logging import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Rewards are (output - mean) / std."""

    mean: float = 0.0
    std: float = 1.0


def read_scale(fields: Mapping[str, Any], labels: int, wanted: OutputScale | None, where: str) -> OutputScale:
    """Find what the outputs mean: as `wanted`, or as the file says; a log line says where two labels leave it open.

    Raises:
        ConfigurationError: the file does not say it, or says what cannot be.
    """
    try:
        scale = wanted or declared_scale(fields, labels)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    is_said = wanted is not None or fields.get("problem_type") is not None
    if scale == "softmax" and not is_said:
        log.warning(
            "scale_assumed", file=where, scale=scale, hint="no `problem_type`: the two labels exclude one another"
        )
    if scale == "softmax" and labels == 1:
        said = "`problem_type` is `single_label_classification`" if wanted is None else "`MODERATOR_MODEL__SCALE`"
        raise ConfigurationError(
            f"{where}: {said}, but there is one label, whose probability would always be 1; say `regression` for a "
            "reward, `multi_label_classification` for a probability, or set `MODERATOR_MODEL__SCALE` to `raw` or "
            "`sigmoid`"
        )
    return scale


def read_normalisation(fields: Mapping[str, Any], where: str) -> Normalisation:
    """Read the `mean` and `std` that OpenRLHF's reward models are normalised by, if `normalize_reward` says so.

    Raises:
        ConfigurationError: one of them is not a number, or `std` is not above 0.
    """
    if fields.get("normalize_reward") is not True:
        if "mean" in fields and "std" in fields:
            log.warning("rewards_not_normalised", file=where, hint="it has `mean` and `std`, but no `normalize_reward`")
        return Normalisation()
    mean, std = _number(fields, "mean", 0.0, where), _number(fields, "std", 1.0, where)
    if std <= 0:
        raise ConfigurationError(f"{where}: `std` is {std}; rewards are divided by it, so it must be above 0")
    return Normalisation(mean, std)


def _number(fields: Mapping[str, Any], name: str, default: float, where: str) -> float:
    value = fields.get(name, default)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ConfigurationError(f"{where}: `{name}` must be a number")
    return float(value)
