"""What the outputs of a classifier's head mean: rewards or probabilities, and how rewards are normalised."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from moderator.errors import ConfigurationError
from moderator.observability.logging import get_logger

Activation = Literal["raw", "sigmoid", "softmax"]

_BY_PROBLEM: Final[Mapping[str, Activation]] = {
    "regression": "raw",
    "multi_label_classification": "sigmoid",
    "single_label_classification": "softmax",
}
_PAIR: Final = 2

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Rewards are (output - mean) / std."""

    mean: float = 0.0
    std: float = 1.0


def read_activation(fields: Mapping[str, Any], labels: int, wanted: Activation | None, where: str) -> Activation:
    """Find what the outputs mean: as `wanted`, or as the file's `problem_type` says.

    Without either, one label is a reward and two exclude one another; of more, either could be meant.

    Raises:
        ConfigurationError: the file does not say it, or says what cannot be.
    """
    if wanted is None and fields.get("problem_type") is None:
        return _assumed(labels, where)
    if wanted is None and fields["problem_type"] not in list(_BY_PROBLEM):
        raise ConfigurationError(
            f"{where}: `problem_type` is `{fields['problem_type']}`; it may be {', '.join(_BY_PROBLEM)}"
        )
    activation = wanted or _BY_PROBLEM[fields["problem_type"]]
    if activation == "softmax" and labels == 1:
        said = "`problem_type` is `single_label_classification`" if wanted is None else "`MODERATOR_MODEL__SCALE`"
        raise ConfigurationError(
            f"{where}: {said}, but there is one label, whose probability would always be 1; say `regression` for a "
            "reward, `multi_label_classification` for a probability, or set `MODERATOR_MODEL__SCALE` to `raw` or "
            "`sigmoid`"
        )
    return activation


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


def _assumed(labels: int, where: str) -> Activation:
    if labels == 1:
        return "raw"
    if labels == _PAIR:
        log.warning(
            "scale_assumed", file=where, scale="softmax", hint="no `problem_type`: the two labels exclude one another"
        )
        return "softmax"
    raise ConfigurationError(
        f"{where}: {labels} labels, but no `problem_type`: say MODERATOR_MODEL__SCALE=softmax (labels exclude one "
        "another) or sigmoid (each on its own)"
    )


def _number(fields: Mapping[str, Any], name: str, default: float, where: str) -> float:
    value = fields.get(name, default)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ConfigurationError(f"{where}: `{name}` must be a number")
    return float(value)
