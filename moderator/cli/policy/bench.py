"""`moderator policy bench`: what a policy folder costs per event, without a model."""

import sys
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moderator.cli.files.standard_streams import open_input
from moderator.cli.policy.output import DEFAULT_FOLDER, Folder, write_json
from moderator.counted import counted
from moderator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderator.events import ChatEvent
    from moderator.policy.authoring.bench import Cost


def bench(
    folder: Folder = DEFAULT_FOLDER,
    *,
    events: Annotated[str, typer.Option(metavar="FILE|-", help="Chat events, one a line, as they are sent.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Measure microseconds per event for reading text signals and for judging; no model is needed."""
    from moderator.policy import load_policies
    from moderator.policy.authoring.bench import measure

    policies = load_policies(folder)
    with open_input(events) as lines:
        read, unreadable = _read(lines, Path(events).name)
    if not read:
        raise ConfigurationError(f"`{events}` holds no event that can be read: write one JSON object a line")
    cost = measure(policies, read)
    if as_json:
        write_json(_record(cost))
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(cost, unreadable))


def _read(lines: FileIO, name: str) -> "tuple[list[ChatEvent], int]":
    """Give the events, and how many lines are none."""
    from moderator.events import ChatEvent, Record
    from moderator.settings import load_settings
    from moderator.stream.codec import decode

    settings = load_settings()
    records = (Record(name, 0, number, None, None, line) for number, line in enumerate(lines) if line.strip())
    read = [decode(record, settings.max_event_bytes, settings.reading) for record in records]
    events = [event for event in read if isinstance(event, ChatEvent)]
    return events, len(read) - len(events)


def _record(cost: "Cost") -> dict[str, object]:
    return {
        "events": cost.events,
        "us_per_event": {
            "text": round(cost.text_us, 2),
            "judge": round(cost.judge_us, 2),
            "total": round(cost.total_us, 2),
        },
        "dearest": [{"signal": name, "us": round(us, 2)} for name, us in cost.dearest],
    }


def _lines(cost: "Cost", unreadable: int) -> "Iterator[str]":
    more = f"; {counted(unreadable, 'line')} that cannot be read" if unreadable else ""
    yield f"{counted(cost.events, 'event')}, medians in microseconds per event{more}"
    for name, us in (("text", cost.text_us), ("judge", cost.judge_us), ("total", cost.total_us)):
        yield f"  {name:<6}{us:>8.1f}"
    if cost.dearest:
        yield "text signals that cost most, each read alone"
        width = max(len(name) for name, _ in cost.dearest)
        yield from (f"  {name:<{width}}{us:>8.1f}" for name, us in cost.dearest)
