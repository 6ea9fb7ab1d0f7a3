"""What is wrong in a policy folder, and where: file, line, column, the text of the line, a caret and one fix.

Knows nothing of policies; every other file of this package reports through `Diagnostics`.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from heapq import nlargest
from itertools import pairwise
from typing import Literal

from moderator.counted import counted
from moderator.policy.syntax.codes import CODES

_EXCERPT_CHARACTERS = 160
_QUOTE_CHARACTERS = 60
_COMPARED_CLOSELY = 40
_SHOWN_AT_ONCE = 100
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_WORDS_WITH_A_MEANING = frozenset({"true", "false", "null"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the folder as text; line ends are already plain."""

    name: str
    text: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a file; line and column count from 1, in characters."""

    file: SourceFile
    line: int
    column: int
    width: int

    def __str__(self) -> str:
        return f"{printable(self.file.name)}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error or warning; its text is a block of one to three lines."""

    level: Literal["error", "warning"]
    code: str
    message: str
    hint: str
    file: str
    span: Span | None

    def __str__(self) -> str:
        place = str(self.span) if self.span else printable(self.file)
        # Names in both are as written, and a line end in one would look like the next diagnostic.
        head, hint = f"{self.level} {self.code} {place} {printable(self.message)}", printable(self.hint)
        if self.span is None:
            return f"{head}\n     | {hint}" if hint else head
        return f"{head}\n{_excerpt(self.span, hint)}"


class Diagnostics:
    """Collects diagnostics while a folder is read, so that one run shows them all.

    Attributes:
        error_count: how many errors there are so far.
    """

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self.error_count = 0

    @property
    def all(self) -> list[Diagnostic]:
        """Every diagnostic, by file, line and column."""
        return sorted(self._found, key=_place)

    @property
    def errors(self) -> list[Diagnostic]:
        """The errors alone, in the same order."""
        return [diagnostic for diagnostic in self.all if diagnostic.level == "error"]

    @property
    def warnings(self) -> list[Diagnostic]:
        """The warnings alone, in the same order."""
        return [diagnostic for diagnostic in self.all if diagnostic.level == "warning"]

    def error(self, code: str, at: Span | str, message: str, hint: str = "") -> None:
        """Note an error at a place in a file, or (`at` a name) for a whole file."""
        self._add("error", code, at, message, hint)

    def warning(self, code: str, at: Span | str, message: str, hint: str = "") -> None:
        """Note a warning."""
        self._add("warning", code, at, message, hint)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Note what was found before."""
        for diagnostic in diagnostics:
            self._note(diagnostic)

    def _add(self, level: Literal["error", "warning"], code: str, at: Span | str, message: str, hint: str) -> None:
        assert code in CODES, code
        file, span = (at, None) if isinstance(at, str) else (at.file.name, at)
        self._note(Diagnostic(level, code, message, hint, file, span))

    def _note(self, diagnostic: Diagnostic) -> None:
        self._found.append(diagnostic)
        self.error_count += diagnostic.level == "error"


def quote(text: str) -> str:
    """Show a name or value in quotes: cut when long, invisible characters made visible."""
    shown = text if len(text) <= _QUOTE_CHARACTERS else text[: _QUOTE_CHARACTERS - 3] + "..."
    return f'"{printable(shown)}"'


def in_quotes(text: str) -> str:
    """Write text so that YAML reads it as that text: in quotes where it would be something else without."""
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_WITH_A_MEANING
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def printable(text: str) -> str:
    """Escape what would not show on a terminal, or would steer it."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Suggest the option nearest to `name`; empty when none is near."""
    name = name[:_QUOTE_CHARACTERS]
    spelt = {option.lower(): option for option in options}
    known = list(spelt)
    if len(known) > _COMPARED_CLOSELY:
        pairs = _letter_pairs(name.lower())
        known = nlargest(_COMPARED_CLOSELY, known, key=lambda option: len(pairs & _letter_pairs(option)))
    near = [spelt[option] for option in get_close_matches(name.lower(), known, n=1, cutoff=0.6)]
    if not near:
        return ""
    # Letters of other alphabets may look the same: without their names, "did you mean" would repeat what is written.
    foreign = next((unicodedata.name(letter, "") for letter in name if not letter.isascii()), "")
    note = f" yours has {foreign}" if foreign and near[0].isascii() else ""
    return f'did you mean "{near[0]}"?{note}'


@lru_cache(maxsize=4_096)
def _letter_pairs(text: str) -> frozenset[str]:
    return frozenset(map("".join, pairwise(text)))


def error_text(summary: str, errors: Sequence[Diagnostic]) -> str:
    """Write a summary line and then the errors, each a block: the first 100 of them, for it may become one log line."""
    more = len(errors) - _SHOWN_AT_ONCE
    rest = [f"and {more} more; `moderator policy check` shows all of them"] if more > 0 else []
    return "\n".join([f"{summary}: {counted(len(errors), 'error')}", *map(str, errors[:_SHOWN_AT_ONCE]), *rest])


def _place(diagnostic: Diagnostic) -> tuple[str, int, int]:
    span = diagnostic.span
    return (diagnostic.file, span.line, span.column) if span else (diagnostic.file, 0, 0)


def _excerpt(span: Span, hint: str) -> str:
    line = span.file.lines[span.line - 1] if span.line <= len(span.file.lines) else ""
    start = max(0, span.column - 1 - _EXCERPT_CHARACTERS // 2) if len(line) > _EXCERPT_CHARACTERS else 0
    shown = line[start : start + _EXCERPT_CHARACTERS]
    before = span.column - 1 - start
    marked = shown[before : before + span.width] or " "
    caret = " " * _cells(shown[:before]) + "^" * max(1, _cells(marked))
    number = f"{span.line:>4}"
    return f"{number} | {_one_cell_each(shown)}".rstrip() + f"\n{' ' * len(number)} | {caret} {hint}".rstrip()


def _one_cell_each(text: str) -> str:
    return "".join(" " if c == "\t" else c if c.isprintable() or unicodedata.combining(c) else "?" for c in text)


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
