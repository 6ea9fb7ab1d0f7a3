"""How long a text may be."""

from typing import Final

from moderator.errors import ConfigurationError

_MAX_INPUT_TOKENS: Final = 4096


def input_tokens(wanted: int | None, positions: int) -> int:
    """Give the most tokens that a text may have; by default the lesser of 4,096 and the model's positions.

    Raises:
        ConfigurationError: the model has fewer positions than `wanted`.
    """
    if wanted is not None and wanted > positions:
        raise ConfigurationError(
            f"`max_input_tokens` is {wanted}, but the model has only {positions} positions; lower it"
        )
    return wanted if wanted is not None else min(_MAX_INPUT_TOKENS, positions)
