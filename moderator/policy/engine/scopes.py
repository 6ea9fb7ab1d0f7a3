"""Scopes compiled for the hot path: which events they fit."""

from collections.abc import Callable, Sequence
from operator import attrgetter

from moderator.events import ChatEvent, MetadataValue
from moderator.policy.language.ast import Scope
from moderator.policy.language.fields import METADATA, normal_locale

Field = Callable[[ChatEvent], str | None]
"""Reads a field from an event."""
Fields = Sequence[str | None]
"""An event's values of all fields that a folder's scopes name."""
ScopeLines = tuple[tuple[int, frozenset[str], tuple[str, ...]], ...]
"""Of each line of a scope: the position of its field in `Fields`, exact values, prefixes."""


def compile_field(field: str) -> Field:
    """Compile how a field is read from an event."""
    if field == "locale":
        return lambda event: normal_locale(event.locale) if event.locale else None
    if field.startswith(METADATA):
        key = field.removeprefix(METADATA)
        return lambda event: matched_text(event.metadata.get(key)) if event.metadata else None
    get: Field = attrgetter(field)
    return get


def matched_text(value: MetadataValue | None) -> str | None:
    """Give what a scope compares of metadata: a whole number as its digits; no text fits other numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    return str(value) if isinstance(value, int) else value


def compile_scope(scope: Scope, fields: Sequence[str]) -> ScopeLines:
    """Compile a scope; `fields` gives the order of field values."""
    return tuple((fields.index(line.field), line.exact, line.prefixes) for line in scope)


def fits(lines: ScopeLines, fields: Fields) -> bool:
    """Whether every line fits; a missing or empty field fits nothing."""
    for index, exact, prefixes in lines:
        value = fields[index]
        if not value or (value not in exact and not value.startswith(prefixes)):
            return False
    return True
