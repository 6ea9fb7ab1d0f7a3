"""Consoles to look at: with the example policies and what they decided, with nothing, and with everything broken."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from moderator.console.app import create_app
from moderator.console.console import Console
from moderator.console.sources.state import SourceState
from moderator.events import Turn, iso_time
from moderator.http import HttpServer
from moderator.pipeline.decision import Decider, Timestamps, encode
from moderator.policy import load_policies
from moderator.policy.test_runner import objectives_of
from moderator.settings import ConsoleSettings, PoliciesSettings, Settings
from tests.builders import a_model, a_record, a_scored_event, an_event, some_scores
from tests.unit.console.decisions import NOW_MS, LabelList, a_console

EXAMPLES = Path("policies")
POLICY = "message-safety.yaml"


def example_folder(tmp_path: Path) -> Path:
    """Copy the example policies."""
    return Path(shutil.copytree(EXAMPLES, tmp_path / "policies"))


def some_decisions(folder: Path, count: int = 240, **fields: Any) -> list[bytes]:
    """Give what the policies of a folder decide of events of which most are harmless, oldest first.

    `fields` are the same in each event.
    """
    policies, draw = load_policies(folder), random.Random(1)
    objectives = tuple(objectives_of(policies))
    decider = Decider(policies, replace(a_model(), objectives=objectives))
    decisions = []
    for number in range(count):
        at_ms = NOW_MS - (count - number) * 1_000
        usual = {
            "id": f"evt-{number}",
            "tenant": draw.choice(["acme", "globex", "initech"]),
            "channel": "general",
            "locale": "en",
            "user": f"u-{number % 17}",
            "role": "member",
        }
        event = an_event(Turn("user" if draw.random() < 0.7 else "assistant", "hello"), **(usual | fields))
        scored = a_scored_event(some_scores(*(draw.betavariate(4, 1.3) for _ in objectives)))
        at = Timestamps(0.0, 0.01, 0.02, iso_time(at_ms / 1_000))
        decisions.append(encode(decider.decide(a_record(timestamp_ms=at_ms), event, scored, 0.0, at)).value)
    return decisions


def with_data(folder: Path, sink: LabelList | None = None, **parts: Any) -> Console:
    """A console over the example policies and what they decided; the sample holds half of what is allowed."""
    settings = Settings(policies=PoliciesSettings(path=folder), console=ConsoleSettings(review_sample=0.5))
    return a_console(values=some_decisions(folder), settings=settings, sink=sink, **parts)


def empty(folder: Path) -> Console:
    """A console that reads Kafka and has read nothing yet."""
    return a_console(
        settings=Settings(policies=PoliciesSettings(path=folder)),
        sink=LabelList(),
        state=SourceState("live", NOW_MS, was_read=True),
    )


def broken(folder: Path) -> Console:
    """A console whose source and whose policy folder cannot be read any more."""
    console = with_data(folder, state=SourceState("broken", NOW_MS, "Kafka does not answer", was_read=True))
    folder.rename(folder.with_name("elsewhere"))
    console.folder.read()
    return console


@contextmanager
def served(console: Console, port: int = 0) -> Iterator[str]:
    """Serve a console on this machine, on any free port by default; give its address."""
    server = HttpServer(create_app(console), "127.0.0.1", port, variables="MODERATOR_CONSOLE__")
    port = server.start()
    try:
        yield address_at(port)
    finally:
        server.stop()


def address_at(port: int) -> str:
    return f"http://127.0.0.1:{port}"
