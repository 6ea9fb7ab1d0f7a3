"""A recorded decision as the console holds it: its bytes, and the few values that pages filter and count by."""

from sys import getsizeof, intern
from typing import Literal, NamedTuple, cast

import orjson

from moderator.backtest.decision import BOM, InvalidDecisionError, read_decision, schema_fault
from moderator.events import Decision, RuleResult, Severity, Status, Verdict
from moderator.labels.queues import Margins, margins_of
from moderator.policy.language.event_time import parse_time_ms

_INDEX_BYTES = 800
"""About what the values beside the record take."""


Hit = Literal["live", "shadow", "tag"]
"""What a rule did: flag, or it would have as a live rule, or it only tagged."""


class RecentDecision(NamedTuple):
    """One decision; parsed again when a page shows it, for parsed it would take six times the memory.

    Attributes:
        decided_ms, number: when it was made, and the place in the order of reading; together they are unique.
        timestamp_ms: the broker's time of the event; None in a file.
        rules: each rule that matched or counted, and as what.
        is_borderline, margins: how near live rules were to another outcome, see `labels.queues`.
    """

    decided_ms: int
    number: int
    value: bytes
    decision_id: str
    event_id: str
    tenant: str | None
    channel: str | None
    user: str | None
    verdict: Verdict
    shadow_verdict: Verdict
    status: Status
    severity: Severity | None
    reasons: tuple[str, ...]
    rules: tuple[tuple[str, Hit], ...]
    action: str | None
    queues: tuple[str, ...]
    snapshot: str
    timestamp_ms: int | None
    is_borderline: bool
    margins: Margins

    @property
    def size_bytes(self) -> int:
        """How much memory it takes, about."""
        return getsizeof(self.value) + _INDEX_BYTES

    @property
    def record(self) -> Decision:
        """The whole decision."""
        return cast("Decision", orjson.loads(self.value))


def recent_decision(value: bytes | None, number: int) -> RecentDecision:
    """Read one value.

    Raises:
        InvalidDecisionError: it is no decision, or one with a wrong part.
    """
    decision = read_decision(value)
    if fault := schema_fault(decision):
        raise fault
    decided_ms = parse_time_ms(decision["decided_at"])
    if value is None or decided_ms is None:
        raise InvalidDecisionError("it has no time")
    event = decision["event"]
    is_borderline, margins = margins_of(decision)
    return RecentDecision(
        decided_ms,
        number,
        value.removeprefix(BOM),
        decision["decision_id"],
        event["id"],
        _shared(event["tenant"]),
        _shared(event["channel"]),
        event["user"],
        decision["verdict"],
        decision["shadow_verdict"],
        decision["status"],
        decision["severity"],
        tuple(map(intern, decision["reasons"])),
        tuple((intern(rule["rule"]), hit) for rule in decision["rules"] if (hit := _hit(rule))),
        _shared(decision.get("action")),
        tuple(map(intern, decision.get("queues", []))),
        intern(decision["policy"]["snapshot"]),
        event["timestamp"],
        is_borderline,
        tuple((intern(signal), margin) for signal, margin in margins),
    )


def _shared(text: str | None) -> str | None:
    """Keep one copy of a text that many decisions carry."""
    return None if text is None else intern(text)


def _hit(rule: RuleResult) -> Hit | None:
    if rule["counted"]:
        return "live" if rule["severity"] is not None else "tag"
    return "shadow" if rule["outcome"] == "matched" else None
