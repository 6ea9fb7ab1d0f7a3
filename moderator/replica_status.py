"""What a replica says of its policies: `GET /v1/status`, read with the standard library alone."""

import json
from http.client import HTTPException
from typing import Any, NotRequired, TypedDict, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from pydantic import SecretStr

from moderator.errors import ConfigurationError, ReplicaUnreachableError
from moderator.settings.tokens import tokens_of

_TIMEOUT_S = 5.0
_REFUSED_ACCESS = (401, 403)
_LONGEST_BYTES = 16 * 2**20


class PolicyProblem(TypedDict):
    """One reason why a folder may not decide, as `/v1/status` says it."""

    code: str | None
    severity: str
    file: str | None
    line: int | None
    column: int | None
    message: str
    hint: str
    owner: NotRequired[str | None]


class ReplicaPolicies(TypedDict):
    """The `policies` of a replica's status."""

    snapshot: str | None
    since: str | None
    folder: str
    ignored: list[str]
    problems: list[PolicyProblem]


def read_replica(url: str, token: SecretStr | None, setting: str) -> ReplicaPolicies:
    """Ask a replica at `http://HOST:PORT` for the status of its policies.

    Args:
        url: where it listens.
        token: one, or several of which any opens.
        setting: the variable that sets the token, for errors.

    Raises:
        ConfigurationError: the address is no HTTP address, what answers there is no replica, or it refuses the token.
        ReplicaUnreachableError: nobody answers within 5 s, or what answers is not ready to.
    """
    if not is_http(url):
        raise ConfigurationError(f"`{url}` is no address of a replica: write `http://HOST:PORT`")
    status = _get(f"{url.rstrip('/')}/v1/status", url, token, setting)
    policies = status.get("policies") if isinstance(status, dict) else None
    if not isinstance(policies, dict) or not isinstance(policies.get("folder"), str):
        raise ConfigurationError(f"what answers at `{url}` is no moderator that reports its policies")
    known: dict[str, Any] = {"snapshot": None, "since": None, "ignored": [], "problems": []}
    return cast("ReplicaPolicies", known | {key: value for key, value in policies.items() if value is not None})


def is_http(url: str) -> bool:
    """Check whether this is an address that can be asked."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _get(address: str, url: str, token: SecretStr | None, setting: str) -> object:
    headers = {"Accept": "application/json"}
    if tokens := tokens_of(token):  # any of them opens
        headers["Authorization"] = f"Bearer {tokens[0]}"
    try:
        with urlopen(Request(address, headers=headers), timeout=_TIMEOUT_S) as answer:  # noqa: S310 - checked before
            return json.loads(answer.read(_LONGEST_BYTES))
    except HTTPError as error:
        with error:  # it keeps its connection
            raise _refused(error.code, url, setting) from error
    except URLError as error:
        why = error.reason.strerror if isinstance(error.reason, OSError) else None
        raise _unreachable(url, why) from error
    except OSError as error:  # such as a reset while it answers
        raise _unreachable(url, error.strerror) from error
    except (HTTPException, ValueError) as error:
        raise ConfigurationError(f"what answers at `{url}` does not speak HTTP and JSON as a replica does") from error


def _refused(code: int, url: str, setting: str) -> Exception:
    if code in _REFUSED_ACCESS:
        return ConfigurationError(f"`{url}` answers {code}: set `{setting}` to one of the tokens of that replica")
    if code in {502, 503, 504}:
        return _unreachable(url, f"it answers {code}")
    return ConfigurationError(f"`{url}` answers {code} to `GET /v1/status`: it is no moderator of this version")


def _unreachable(url: str, why: str | None) -> ReplicaUnreachableError:
    reason = (why or "no answer in time").lower()
    return ReplicaUnreachableError(
        f"no replica answers at `{url}`: {reason}; is it running, and is this its HTTP port?"
    )
