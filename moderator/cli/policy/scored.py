"""Chat events scored and decided on the spot, for `policy explain --event`: the pipeline of `moderator score`."""

import json
import tempfile
from io import BytesIO, FileIO
from os import dup
from pathlib import Path
from typing import TYPE_CHECKING

from moderator.cli.streams import STDIN
from moderator.errors import ConfigurationError
from moderator.objectives import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderator.events import Decision


def score_events(file: str, model: str | None, folder: Path) -> "Iterator[Decision]":
    """Score and decide each event of a file by the policies of a folder.

    Raises:
        ConfigurationError: the file, an event, the model or the policies are wrong.
    """
    from moderator.backtest.decision import read_decision
    from moderator.cli.policy.explain import read_objects
    from moderator.observability.logging import configure_logging
    from moderator.settings import load_settings
    from moderator.wiring import load_judges, score_lines

    lines = [b" ".join(value.splitlines()) for _, value in read_objects(file)]
    configure_logging("warning")
    settings = load_settings({"model.path": model, "policies.path": folder})
    if settings.model.path is None:
        settings = load_settings({"model.path": BUILTIN, "policies.path": folder})
    decisions, dead_letters = BytesIO(), BytesIO()
    judges = load_judges(settings)
    with tempfile.TemporaryFile() as events:
        events.write(b"\n".join(lines) + b"\n")
        events.seek(0)
        name = STDIN if file == STDIN else Path(file).name
        with FileIO(dup(events.fileno())) as raw:
            score_lines(settings, judges, raw, name=name, decisions=decisions, dead_letters=dead_letters)
    for letter in map(json.loads, dead_letters.getvalue().splitlines()):
        raise ConfigurationError(f"cannot judge `{file}`, event {letter['line']}: {letter['error']}")
    return map(read_decision, decisions.getvalue().splitlines())
