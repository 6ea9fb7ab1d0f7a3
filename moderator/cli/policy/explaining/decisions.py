"""The decisions to explain: recorded ones, or chat events scored and decided first, as by `moderator score`."""

import json
import tempfile
from io import BytesIO, FileIO
from os import dup
from pathlib import Path
from typing import TYPE_CHECKING

from moderator.cli.drafts import report_draft
from moderator.cli.files.json_objects import read_objects
from moderator.cli.files.standard_streams import STDIN
from moderator.errors import ConfigurationError
from moderator.objectives import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moderator.events import Decision


def recorded_decisions(file: str) -> "Iterator[Decision]":
    """Read recorded decisions.

    Raises:
        ConfigurationError: the file cannot be read, or holds something else; also while they are read.
    """
    from moderator.backtest.decision import InvalidDecisionError, read_decision, schema_fault

    for place, value in read_objects(file):
        try:
            decision = read_decision(value)
            fault = schema_fault(decision)
        except InvalidDecisionError as error:
            fault = error
        if fault is not None:
            raise ConfigurationError(f"cannot explain `{file}`, {place}: {fault}")
        yield decision


def score_events(file: str, model: str | None, folder: Path, *, is_draft: bool) -> "Iterator[Decision]":
    """Score and decide each event of a file by the policies of a folder.

    Raises:
        ConfigurationError: the file, an event, the model or the policies are wrong.
    """
    from moderator.backtest.decision import read_decision
    from moderator.observability.logging import configure_logging
    from moderator.settings import load_settings
    from moderator.wiring.lines import load_judges, score_lines

    lines = [b" ".join(value.splitlines()) for _, value in read_objects(file)]
    configure_logging("warning")
    settings = load_settings({"model.path": model, "policies.path": folder})
    if settings.model.path is None:
        settings = load_settings({"model.path": BUILTIN, "policies.path": folder})
    decisions, dead_letters = BytesIO(), BytesIO()
    judges = load_judges(settings, is_draft=is_draft)
    if is_draft:
        report_draft(judges.policies)
    with tempfile.TemporaryFile() as events:
        events.write(b"\n".join(lines) + b"\n")
        events.seek(0)
        name = STDIN if file == STDIN else Path(file).name
        with FileIO(dup(events.fileno())) as raw:
            score_lines(settings, judges, raw, name=name, decisions=decisions, dead_letters=dead_letters)
    for letter in map(json.loads, dead_letters.getvalue().splitlines()):
        raise ConfigurationError(f"cannot judge `{file}`, event {letter['line']}: {letter['error']}")
    return map(read_decision, decisions.getvalue().splitlines())
