"""How long a text may be."""

from typing import Final

from moderator.errors import ConfigurationError

_MAX_INPUT_TOKENS: Final = 4096
_LEAST_CONTENT_TOKENS: Final = 8


def input_tokens(wanted: int | None, positions: int) -> int:
    """Return the most tokens that a text may have; by default 4,096, or fewer if the model has fewer positions.

    Raises:
        ConfigurationError: the model has fewer positions than `wanted`.
    """
    if wanted is not None and wanted > positions:
        raise ConfigurationError(
            f"`max_input_tokens` is {wanted}, but the model has only {positions} positions; lower it"
        )
    return wanted if wanted is not None else min(_MAX_INPUT_TOKENS, positions)


def refuse_no_room(max_tokens: int, around: int) -> None:
    """Refuse a limit that leaves a message hardly any tokens.

    Args:
        max_tokens: most tokens of a text.
        around: tokens of every text that are not the message's own.

    Raises:
        ConfigurationError: there is too little room; the text names the lowest limit that is possible.
    """
    least = around + _LEAST_CONTENT_TOKENS
    if max_tokens < least:
        raise ConfigurationError(
            f"a text may have {max_tokens} tokens, too few to hold a message, which needs {least}: "
            "raise `MODERATOR_MODEL__MAX_INPUT_TOKENS` where it is set, or else name a model with more positions"
        )
