"""Decisions as they were recorded."""

from typing import Any

import orjson

from moderator.events import Record
from tests.builders import a_record


def a_decision(offset: int, *, at_ms: int = 1, **fields: Any) -> Record:
    decision = {
        "schema": "moderator.decision/1",
        "event": {"topic": "chat.events", "partition": 0, "offset": offset},
        "verdict": "allow",
        "rules": [{"rule": "safety/unsafe", "counted": False, "outcome": "not matched"}],
        "scores": {"signals": {"safety": 0.5}},
        "policy": {"snapshot": "sha256:4c91"},
        "model": {"fingerprint": "sha256:fea9"},
    }
    return a_record(orjson.dumps(decision | fields), timestamp_ms=at_ms)
