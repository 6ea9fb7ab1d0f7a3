"""Single fields of a `config.json`, checked as they are read."""

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from moderator.errors import ConfigurationError

SIZES: Final = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
)
"""Whole numbers that every checkpoint must give: a default of transformers would be a guess."""
_CLASS: Final = re.compile(r"^\w+(Error|Exception): ")
_MOST: Final = 2**31 - 1


def whole(fields: Mapping[str, Any], name: str, where: str, *, least: int, default: int | None = None) -> int:
    """Read a whole number.

    Raises:
        ConfigurationError: it is missing and has no default, or is not a whole number of at least `least`.
    """
    value = fields.get(name, default)
    if value is None:
        raise ConfigurationError(f"{where}: `{name}` is missing")
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
        raise ConfigurationError(f"{where}: `{name}` must be a whole number from {least} to {_MOST}")
    return value


def positive(fields: Mapping[str, Any], name: str, where: str, *, default: float | None = None) -> float:
    """Read a number above 0.

    Raises:
        ConfigurationError: it is missing and has no default, or is not a finite number above 0.
    """
    value = fields.get(name, default)
    if not is_positive(value):
        raise ConfigurationError(f"{where}: `{name}` must be a number above 0")
    return float(value)


def is_positive(value: object) -> TypeGuard[float]:
    """Check for a finite number above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max


def refuse_two_ways(fields: Mapping[str, Any], where: str) -> None:
    """Refuse a decoder whose tokens also attend to later ones.

    Raises:
        ConfigurationError: the config says so.
    """
    for name, is_usual in (("is_causal", True), ("use_bidirectional_attention", False)):
        if bool(fields.get(name, is_usual)) != is_usual:
            said = json.dumps(fields[name])
            raise ConfigurationError(
                f"{where}: `{name}` is {said}: this decoder sees both ways, which is not supported"
            )


def reason_of(error: Exception) -> str:
    """Return the line in which transformers says what is wrong, without the error's class."""
    lines = str(error).strip().splitlines()
    return _CLASS.sub("", lines[-1].strip()) if lines else type(error).__name__
