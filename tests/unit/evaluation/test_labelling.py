import json
from pathlib import Path
from typing import Any

from moderator.backtest.labels import Labels
from moderator.evaluation.labelled import read_labelled
from moderator.evaluation.labelling import labelled_lines
from moderator.events import Record
from moderator.settings import Settings

EVENTS: list[dict[str, Any]] = [
    {
        "id": "evt-1",
        "tenant": "acme",
        "conversation_id": "c-1",
        "messages": [{"role": "assistant", "content": "hello"}, {"role": "user", "content": "buy now"}],
        "metadata": {"age_days": 2},
    },
    {"id": "evt-1", "tenant": "other", "text": "good morning"},
    {"id": "evt-2", "tenant": "acme", "text": "not labelled"},
    {"id": "evt-3", "prompt": "what?", "response": "that", "locale": "en"},
]
LABELS = Labels({("acme", "evt-1"): "flag", (None, "evt-3"): "allow", (None, "evt-9"): "flag"})


def records(*events: dict[str, Any]) -> list[Record]:
    return [Record("events", 0, at, None, None, json.dumps(event).encode()) for at, event in enumerate(events)]


def test_labels_of_verdicts_become_labelled_events_that_are_read_as_they_were_sent(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"

    file.write_bytes(b"".join(labelled_lines(records(*EVENTS), LABELS, "spam", Settings())))

    first, second = read_labelled(file, Settings())
    assert (first.labels, second.labels) == ({"spam": 1.0}, {"spam": 0.0})
    assert [(turn.role, turn.content) for turn in first.event.conversation] == [
        ("assistant", "hello"),
        ("user", "buy now"),
    ]
    assert (first.event.tenant, first.event.conversation_id, first.event.metadata) == ("acme", "c-1", {"age_days": 2})
    assert (second.event.id, second.event.locale, second.event.conversation[-1].role) == ("evt-3", "en", "assistant")


def test_an_event_that_is_there_twice_is_labelled_once_and_what_is_no_event_passed_over() -> None:
    broken = Record("events", 0, 9, None, None, b"{")

    lines = list(labelled_lines([*records(EVENTS[3], EVENTS[3]), broken], LABELS, "spam", Settings()))

    assert len(lines) == 1
