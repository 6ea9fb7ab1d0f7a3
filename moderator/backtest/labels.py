"""Labels that people gave events: JSON lines `{"id": "evt-1", "label": "flag"}`.

A `tenant` is added where each tenant has its own ids. Other keys belong to the tools that wrote them. The id is
the event's, which outlives policies and models.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import orjson

from moderator.backtest.decision import BOM
from moderator.errors import ConfigurationError, reason_of
from moderator.events import EventSummary, Verdict

_LABELS: tuple[Verdict, ...] = get_args(Verdict)
_SHOWN_PROBLEMS = 10
_FORM = '`{"id": "evt-1", "label": "flag"}`, label flag or allow, a tenant where ids are a tenant\'s own'

Key = tuple[str | None, str]
"""Tenant, or None for any, and event id."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The verdict that people gave, by event; `lines` has the line of each one."""

    verdicts: Mapping[Key, Verdict]
    lines: Mapping[Key, int]

    def key_of(self, event: EventSummary) -> Key | None:
        """Give the label's key for an event; one that names the tenant wins."""
        for key in ((event["tenant"], event["id"]), (None, event["id"])):
            if key in self.verdicts:
                return key
        return None


NO_LABELS = Labels({}, {})


def read_labels(path: Path) -> Labels:
    """Read a file of labels; blank lines are skipped.

    Raises:
        ConfigurationError: the file cannot be read, has no label, or has lines that are not labels; each is named.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read `{path}`: {reason_of(error)}") from error
    verdicts: dict[Key, Verdict] = {}
    lines: dict[Key, int] = {}
    problems = list(_read_into(verdicts, lines, content.removeprefix(BOM).split(b"\n")))
    if problems:
        shown = [f"`{path}` {problem}" for problem in problems[:_SHOWN_PROBLEMS]]
        more = [f"and {len(problems) - _SHOWN_PROBLEMS} more"] if len(problems) > _SHOWN_PROBLEMS else []
        raise ConfigurationError("\n".join([*shown, *more]))
    if not verdicts:
        raise ConfigurationError(f"`{path}` holds no label: write one a line, {_FORM}")
    return Labels(verdicts, lines)


def _read_into(verdicts: dict[Key, Verdict], lines: dict[Key, int], content: Iterable[bytes]) -> Iterator[str]:
    """Read every label; yield what is wrong, line by line."""
    for number, line in enumerate(content, start=1):
        if not line.strip():
            continue
        label = _read_label(line)
        if isinstance(label, str):
            yield f"line {number}: {label}"
            continue
        key, verdict = label
        if verdicts.setdefault(key, verdict) != verdict:
            said = verdicts[key]
            yield f"line {number}: says {verdict} of `{key[1]}`, of which line {lines[key]} says {said}: keep one"
        lines.setdefault(key, number)


def _read_label(line: bytes) -> tuple[Key, Verdict] | str:
    try:
        label = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON ({error.msg} at character {error.pos + 1}): write {_FORM}"
    if not isinstance(label, dict):
        return f"no label: write {_FORM}"
    identity, tenant, verdict = label.get("id"), label.get("tenant"), label.get("label")
    if not isinstance(identity, str) or not identity:
        return "the label has no `id`, the event's, as text"
    if tenant is not None and not isinstance(tenant, str):
        return "`tenant` should be text"
    if verdict not in _LABELS:
        return "`label` should be flag or allow"
    return (tenant, identity), cast("Verdict", verdict)
