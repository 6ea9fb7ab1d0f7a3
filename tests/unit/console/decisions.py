"""Recorded decisions for the console's tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from fastapi.testclient import TestClient

from moderator.console.app import create_app
from moderator.console.console import Console
from moderator.console.policies.outputs import outputs_of
from moderator.console.policies.replicas import Replicas
from moderator.console.policies.watch import PolicyWatch
from moderator.console.recent.store import Recent
from moderator.console.review.desk import Desk
from moderator.console.sources.state import LagState, SourceState
from moderator.console.trials.text import TextScorer
from moderator.console.trials.trials import make_trials
from moderator.events import iso_time
from moderator.labels.record import Label
from moderator.labels.sink import LabelNotSavedError, LabelSink
from moderator.settings import PoliciesSettings, Settings
from tests.servers.in_process import client_of

NOW_MS = 1_796_040_000_000
"""2026-11-30T12:00:00Z"""


def a_decision(number: int = 0, *, flag: bool = False, decided_at: str | None = None, **parts: Any) -> dict[str, Any]:
    """A valid decision of one event; `event` changes single fields of the event."""
    event: dict[str, Any] = {
        "id": f"evt-{number}",
        "conversation_id": "c-1",
        "tenant": "acme",
        "channel": "general",
        "locale": "en-GB",
        "user": "u-1",
        "role": "member",
        "speaker": "user",
        "time": None,
        "content_sha256": "ab" * 32,
        "topic": "chat.events",
        "partition": 0,
        "offset": number,
        "timestamp": NOW_MS - 1_000,
        "metadata": {},
    }
    condition = {
        "part": "when",
        "signal": "safety",
        "phrase": "below 0.30",
        "score": 0.21 if flag else 0.9,
        "holds": flag,
        "margin": 0.09 if flag else -0.6,
        "borderline": False,
    }
    rule = {
        "rule": "safety/unsafe",
        "outcome": "matched" if flag else "not matched",
        "counted": flag,
        "mode": "live",
        "severity": "high",
        "conditions": [condition],
    }
    decision = {
        "schema": "moderator.decision/1",
        "decision_id": f"mod_{number:032x}",
        "decided_at": decided_at or f"2026-11-30T11:59:{number % 60:02d}.000Z",
        "event": event,
        "verdict": "flag" if flag else "allow",
        "status": "scored",
        "severity": "high" if flag else None,
        "reasons": ["unsafe_content"] if flag else [],
        "labels": [],
        "rules": [rule],
        "shadow_verdict": "flag" if flag else "allow",
        "scores": {"signals": {"safety": 0.21}, "objectives": {"beavertails-is_safe": 0.21}, "overall": 0.1},
        "explanation": [
            {"objective": "beavertails-is_safe", "reward": 0.21, "weight": 0.5, "contribution": 0.105},
            {"objective": "others", "contribution": -0.005},
        ],
        "policy": {"snapshot": "sha256:" + "4c" * 32, "format": 1, "calibration": None},
        "model": {"name": "tiny", "fingerprint": "sha256:" + "ab" * 32, "dtype": "float32"},
        "framing": "reply/2",
        "reading": {"cut": "nothing", "passages": 1, "removed": 0, "skipped": {}},
        "truncated": False,
        "skipped_parts": 0,
        "cached": False,
        "error": None,
        "timing_ms": {"queued": 1.0, "scored": 2.0, "total": 3.0},
    }
    return {**decision, **parts, "event": {**event, **parts.get("event", {})}}


def encoded(*decisions: dict[str, Any]) -> list[bytes]:
    return [orjson.dumps(each) for each in decisions]


class StillSource:
    """A source that reads nothing by itself."""

    def __init__(self, state: SourceState | None = None) -> None:
        self.name = "decisions.jsonl"
        self.lag: LagState | None = None
        self.state = state or SourceState("file", NOW_MS, was_read=True)

    def run(self) -> None:
        """Nothing is read."""

    def stop(self) -> None:
        """Nothing runs."""


NO_POLICIES = PoliciesSettings(path=Path("/nowhere"))


class LabelList:
    """Labels in memory; `error` is raised instead of taking one."""

    def __init__(self) -> None:
        self.labels: list[Label] = []
        self.error: LabelNotSavedError | None = None

    def save(self, label: Label) -> None:
        if self.error:
            raise self.error
        self.labels.append(label)


def a_console(
    *decisions: dict[str, Any],
    settings: Settings | None = None,
    state: SourceState | None = None,
    sink: LabelSink | None = None,
    scorer: TextScorer | None = None,
    values: Sequence[bytes] = (),
) -> Console:
    settings = settings or Settings(policies=NO_POLICIES)
    recent = Recent(settings.console.recent_decisions, settings.console.recent_bytes)
    recent.add_decisions([*encoded(*decisions), *values])
    desk = Desk(recent, sink, settings.console.review_sample, lambda: iso_time(NOW_MS / 1_000))
    trials = make_trials(settings, recent, [], lambda: NOW_MS)
    if scorer is not None:
        trials = trials._replace(scorer=scorer)
    folder = PolicyWatch(settings.policies.path, None, lambda: outputs_of(recent), lambda: NOW_MS)
    folder.read()
    return Console(
        settings=settings,
        recent=recent,
        source=StillSource(state),
        desk=desk,
        folder=folder,
        replicas=Replicas([], None, lambda: NOW_MS),
        trials=trials,
        verdicts=None,
        now_ms=lambda: NOW_MS,
    )


def a_browser(console: Console, **options: Any) -> TestClient:
    """A client on this machine."""
    given: dict[str, Any] = {"base_url": "http://127.0.0.1:8090", "client": ("127.0.0.1", 50_000)}
    return client_of(create_app(console), **(given | options))
