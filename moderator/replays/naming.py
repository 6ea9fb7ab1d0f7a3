"""What a run is called, and what must not change while it is continued."""

import hashlib
import json
import re
import secrets
from typing import Final

from moderator.errors import ConfigurationError

_ID: Final = re.compile(r"[A-Za-z0-9-]{1,40}")
_HASH_DIGITS: Final = 16


def run_id_of(given: str | None) -> str:
    """Give the name of a run; without one, 8 random hex digits.

    Raises:
        ConfigurationError: the name has other characters, or too many.
    """
    if given is None:
        return secrets.token_hex(4)
    if not _ID.fullmatch(given):
        raise ConfigurationError("`--id`: letters, digits and `-`, 40 at most")
    return given


def options_hash(**options: object) -> str:
    """Give 16 hex digits over what selects, judges and writes: a run is continued with the same options only."""
    text = json.dumps(options, sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:_HASH_DIGITS]
