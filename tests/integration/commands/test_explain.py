"""`moderator policy explain` on what the real built-in model scores, as a user calls it."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from moderator.cli.app import main

POLICIES = Path(__file__).parents[3] / "policies"
INSULT = {"id": "evt-7", "text": "You are a useless idiot, shut up.", "time": "2026-10-05T12:00:00Z"}


@dataclass(frozen=True)
class Called:
    code: int
    out: str
    err: str


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Called]:
    """Run the command line in this process, in a folder that holds the example policies."""

    def run(*arguments: str) -> Called:
        monkeypatch.setattr(sys, "argv", ["moderator", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Called(int(ended.value.code or 0), *capfd.readouterr())

    monkeypatch.chdir(tmp_path)
    shutil.copytree(POLICIES, tmp_path / "policies")
    for name in list(os.environ):
        if name.startswith("MODERATOR_"):
            monkeypatch.delenv(name)
    return run


def test_an_event_is_scored_and_then_explained(call: Callable[..., Called]) -> None:
    Path("event.json").write_text(json.dumps(INSULT, indent=2))

    ran = call("policy", "explain", "--event", "event.json")

    assert ran.code == 0
    assert ran.out.startswith("FLAG high   snapshot ")
    assert "event evt-7   2026-10-05T12:00:00Z\n flag    message-safety/unsafe-message" in ran.out
    assert "idiot" not in ran.out
    assert ran.err == "scored by the practice model `builtin`\n"


def test_an_event_is_explained_by_a_draft_whose_tests_fail(call: Callable[..., Called]) -> None:
    Path("event.json").write_text(json.dumps(INSULT))
    tests = Path("policies/message-safety.test.yaml")
    tests.write_text(tests.read_text().replace("verdict: flag", "verdict: allow"))

    refused = call("policy", "explain", "--event", "event.json")
    drafted = call("policy", "explain", "--event", "event.json", "--draft")

    assert (refused.code, refused.out) == (2, "")
    assert (drafted.code, drafted.out.startswith("FLAG high   snapshot ")) == (0, True)
    assert drafted.err.startswith("draft: ")


def test_a_draft_explains_no_recorded_decision(call: Callable[..., Called]) -> None:
    called = call("policy", "explain", "--decision", "decision.json", "--draft")

    assert (called.code, called.err) == (2, "error: `--draft` goes with `--event FILE` alone\n")


def test_what_score_decided_is_explained_later(call: Callable[..., Called]) -> None:
    Path("chat.jsonl").write_text(f"{json.dumps(INSULT)}\n{json.dumps(INSULT | {'id': 'evt-8'})}\n")
    call("score", "chat.jsonl", "--output", "decisions.jsonl")

    ran = call("policy", "explain", "--decision", "decisions.jsonl")

    assert ran.code == 0
    assert re.findall(r"event (evt-\S+)", ran.out) == ["evt-7", "evt-8"]
    assert "differs" not in ran.out
    assert ran.err == "scored by the practice model `builtin`\n"


def test_an_event_that_cannot_be_read_is_told_without_its_text(call: Callable[..., Called]) -> None:
    Path("events.jsonl").write_text(f'{json.dumps(INSULT)}\n{{"words": "secret"}}\n')

    ran = call("policy", "explain", "--event", "events.jsonl")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        "error: cannot judge `events.jsonl`, event 2: exactly one of `messages`, `prompt`, `text`"
    )
    assert "secret" not in ran.err
