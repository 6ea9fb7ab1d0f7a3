"""Text signals for tests: lists of entries as signals.yaml and `lists/` would give them."""

from typing import Any

from moderator.policy.language.text_source import EntryList, TextKind, TextSource
from moderator.policy.text.entries import digest_of, normal_form
from moderator.policy.text.text_signals import TextFindings, TextSignals


def source(kind: TextKind, *entries: str, **options: Any) -> TextSource:
    """A text signal of a list `lists/some.txt`; without entries it has none."""
    compare = options.get("compare", "folded")
    digest = digest_of(normal_form(entry, kind, compare) for entry in entries)
    listed = EntryList("lists/some.txt", entries, tuple(range(1, len(entries) + 1)), digest) if entries else None
    return TextSource(kind, listed, **options)


def number(text: str, kind: TextKind, *entries: str, **options: Any) -> float | None:
    """What one text signal reads from a message."""
    return findings(text, source(kind, *entries, **options)).numbers["it"]


def findings(text: str, it: TextSource) -> TextFindings:
    return TextSignals({"it": it}).read(text, None, None)
