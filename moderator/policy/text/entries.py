"""Entries of lists: what is wrong with one, what it is after normalising, and one hash over all of them."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from moderator.policy.language.text_source import TextComparison, TextKind, TextSource
from moderator.policy.text.links import host_in_entry, host_of_entry
from moderator.policy.text.notations import Objection, meant, warnings_of_pattern, warnings_of_word
from moderator.policy.text.pattern_errors import pattern_error, pattern_warnings
from moderator.policy.text.readings import plain_form

MOST_CHARACTERS: Final = 200
MOST_PATTERN_CHARACTERS: Final = 500
_HAS_PARTS: Final = re.compile(r"[.:]")


def entry_error(entry: str, kind: TextKind, compare: TextComparison) -> Objection | None:
    """Say why an entry cannot be used; None where it can. Blanks at its ends are removed already."""
    most = MOST_PATTERN_CHARACTERS if kind == "patterns" else MOST_CHARACTERS
    if len(entry) > most:
        return f"the entry has {len(entry):,} characters, and {most} are allowed", "shorten it, or write two"
    if kind == "patterns":
        return pattern_error(entry, compare)
    if kind == "links" and host_of_entry(entry) is None:
        host = host_in_entry(entry)
        return "the entry is no host", f"write {host}" if host else "write such as evil.com"
    if "\0" in entry:
        # it marks the edges of words where these are searched
        return "the entry has a character NUL, which cannot be seen", "remove it"
    if not entry.isascii() and not normal_form(entry, kind, compare):
        return "nothing of the entry can be seen", "remove the line"
    return None


def entry_warnings(entry: str, kind: TextKind, compare: TextComparison) -> Iterator[Objection]:
    """Yield what in an entry that can be used, as it is written, will hardly do what was meant."""
    if kind == "patterns":
        yield from warnings_of_pattern(entry, compare)
        yield from pattern_warnings(entry, compare)
    elif kind == "links" and (host := host_of_entry(entry)) and not _HAS_PARTS.search(host) and host != "localhost":
        yield f"every host that ends in .{host} is found", "write a whole name, such as evil.com"
    elif kind == "words":
        yield from warnings_of_word(entry)


def entry_meant(written: str, kind: TextKind) -> str:
    """Give the entry that a line stands for: in a word, a backslash before a sign says that the sign is meant."""
    return meant(written) if kind == "words" else written


def normal_form(entry: str, kind: TextKind, compare: TextComparison) -> str:
    """Give what an accepted entry is compared as; entries that are equal in it are doubles.

    The plain reading of a word stands for both, since the folded one follows from it or is found where it is found.
    """
    if kind == "links":
        return host_of_entry(entry) or ""
    if kind == "patterns" or compare == "exact":
        return entry.strip()
    return plain_form(entry)


def meanings_of(source: TextSource) -> frozenset[str]:
    """Give what a text signal's entries are compared as: entries that are only written otherwise are the same."""
    if source.entries is None:
        return frozenset()
    return frozenset(normal_form(entry, source.kind, source.compare) for entry in source.entries.entries)


def digest_of(forms: Iterable[str]) -> str:
    """Give 64 hex digits of SHA-256 over normal forms, in any order."""
    return hashlib.sha256(orjson.dumps(sorted(forms))).hexdigest()
