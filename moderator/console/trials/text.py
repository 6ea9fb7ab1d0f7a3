"""Typed text, scored by a replica: sent there, never kept and never logged."""

from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any, Protocol, cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import orjson
from pydantic import SecretStr

from moderator.backtest.decision import InvalidDecisionError, read_decision, schema_fault
from moderator.errors import ModeratorError, TransientError
from moderator.events import Decision
from moderator.settings.tokens import tokens_of

_TIMEOUT_S = 15.0
_LONGEST_BYTES = 16 * 2**20
_REFUSED = range(400, 429)
"""The replica answers, and will answer the same again."""


class NotScoredError(ModeratorError):
    """The replica refuses the text.

    Attributes:
        status, code: the replica's own.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ScorerAwayError(TransientError):
    """No scorer answers."""


class TextScorer(Protocol):
    """What scores typed text."""

    def score(self, event: Mapping[str, Any]) -> Decision:
        """Score a chat event with its messages; give the decision on it.

        Raises:
            NotScoredError: it cannot be judged.
            ScorerAwayError: nobody answers.
        """
        ...


class ReplicaScorer:
    """`TextScorer` that asks replicas in turn: the first that answers scores.

    Args:
        urls: such as `http://moderator:8080`, at least one.
        token: what opens them; None: they need none.
    """

    def __init__(self, urls: Sequence[str], token: SecretStr | None) -> None:
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._headers = {"Content-Type": "application/json"}
        if tokens := tokens_of(token):  # any of them opens
            self._headers["Authorization"] = f"Bearer {tokens[0]}"

    def score(self, event: Mapping[str, Any]) -> Decision:
        """Score a chat event; see `TextScorer`."""
        body = orjson.dumps(event)
        failures = []
        for url in self._urls:
            try:
                return self._ask(url, body)
            except (OSError, HTTPException, InvalidDecisionError) as error:
                failures.append(f"`{url}`: {_why(error)}")
        raise ScorerAwayError(f"no scorer answers: {'; '.join(failures)}")

    def _ask(self, url: str, body: bytes) -> Decision:
        request = Request(f"{url}/v1/decisions", body, self._headers)  # noqa: S310 - settings allow http and https alone
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - likewise
                decision = read_decision(answer.read(_LONGEST_BYTES))
        except HTTPError as error:
            with error:  # it keeps its connection
                if error.code in _REFUSED:
                    raise _refusal(error) from error
                raise
        if fault := schema_fault(decision):
            raise fault
        return decision


def _refusal(error: HTTPError) -> NotScoredError:
    try:
        said = cast("dict[str, Any]", orjson.loads(error.read(_LONGEST_BYTES)))["error"]
        return NotScoredError(error.code, str(said["code"]), f"the scorer refuses: {said['message']}")
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return NotScoredError(error.code, "refused", f"the scorer refuses with status {error.code}")


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"it answers with status {error.code}"
    if isinstance(error, InvalidDecisionError):
        return "what it answers is no decision"
    reason = getattr(error, "reason", error)
    return (reason.strerror if isinstance(reason, OSError) else None) or "it does not answer"
