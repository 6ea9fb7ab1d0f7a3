"""Tokens that open an HTTP server: one, or several separated by commas or line ends."""

import re
from typing import Final

from pydantic import SecretStr

_SEPARATORS: Final = re.compile(r"[,\r\n]+")
_TOKEN: Final = re.compile(r"[!-~]{16,512}")


def tokens_of(secret: SecretStr | None) -> tuple[str, ...]:
    """Give the tokens of a setting, without white space around them; none where it is unset."""
    parts = _SEPARATORS.split(secret.get_secret_value()) if secret else []
    return tuple(stripped for part in parts if (stripped := part.strip()))


def demand_tokens(secret: SecretStr | None) -> SecretStr | None:
    """Check a setting that holds tokens.

    Raises:
        ValueError: it holds none, or one that is no token; the text shows none of them.
    """
    if secret is None:
        return None
    tokens = tokens_of(secret)
    if not tokens or not all(_TOKEN.fullmatch(token) for token in tokens):
        raise ValueError(
            "should be one token, or several separated by commas or line ends, each of 16 to 512 visible ASCII "
            "characters"
        )
    return secret
