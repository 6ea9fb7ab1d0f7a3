"""The code of an error that Redis answered and its client has read: the client keeps the text and drops the code."""

from typing import Final

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
)

from moderator.cache.protocol import Refusal

_OF_TYPES: Final[dict[type[Exception], str]] = {
    BusyLoadingError: "LOADING",
    ClusterDownError: "CLUSTERDOWN",
    MasterDownError: "MASTERDOWN",
    NoPermissionError: "NOPERM",
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
}


def code_of(error: Exception) -> str:
    """Give the code, such as `READONLY`; never the text, which may quote what Redis was sent."""
    if isinstance(error, AuthenticationError):
        return "NOAUTH" if str(error).startswith("Authentication required") else "WRONGPASS"
    return _OF_TYPES.get(type(error)) or Refusal(str(error)).code
