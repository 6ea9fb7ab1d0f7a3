"""Lists of text signals, in `lists/NAME.txt` or in signals.yaml itself -> entries that can be used, at their lines."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import Final, Literal, NamedTuple

from moderator.counted import counted
from moderator.policy.files.folder import LISTS, Files, Unreadable
from moderator.policy.files.node_readers import choices, read_text
from moderator.policy.language.text_source import IN_PLACE, EntryList, TextComparison, TextKind
from moderator.policy.syntax.diagnostics import Diagnostics, SourceFile, Span, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Node, Scalar
from moderator.policy.syntax.yaml_tree import Sequence as ListNode
from moderator.policy.text.entries import digest_of, entry_error, entry_meant, entry_warnings, normal_form
from moderator.policy.text.pattern_cost import MOST_STEPS, steps_of

MOST_ENTRIES: Final = 100_000
MOST_PATTERNS: Final = 1_000
MOST_IN_PLACE: Final = 50

_NAME: Final = re.compile(rf"{LISTS}[^/.][^/]*\.txt")
_REPORTED_AT_ONCE: Final = 20
_BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")

Level = Literal["error", "warning"]


class ListReader:
    """Reads the lists of one folder; a list that several signals name is read and reported once.

    Attributes:
        used: the names of the lists that signals name.
    """

    def __init__(self, files: Files, diagnostics: Diagnostics) -> None:
        self.used: set[str] = set()
        self._files = files
        self._diagnostics = diagnostics
        self._read: dict[tuple[str, TextKind, TextComparison], EntryList | None] = {}
        self._patterns: list[tuple[Node, EntryList]] = []

    def read(self, node: Node, kind: TextKind, compare: TextComparison) -> EntryList | None:
        """Read the list that a node names or holds; None when it cannot be used, which is then reported."""
        entries = self._read_any(node, kind, compare)
        if entries is not None and kind == "patterns":
            self._patterns.append((node, entries))
        return entries

    def report_cost(self) -> None:
        """Report at the pattern that costs most when all that were read may cost too much together."""
        costs = [
            (steps_of(entry), node, listed.name, line)
            for node, listed in self._patterns
            for entry, line in zip(listed.entries, listed.lines, strict=True)
        ]
        total = sum(steps for steps, *_ in costs)
        if total <= MOST_STEPS:
            return
        steps, node, name, line = max(costs, key=itemgetter(0))
        message = (
            f"the patterns of this folder may cost {total:,} steps a character, and {MOST_STEPS:,} are allowed: "
            f"this one costs {steps:,}"
        )
        hint = "repeat less, such as {1,20} for {1,300}; begin patterns with letters; or remove some"
        self._diagnostics.error("P029", self._span_of(node, name, line), message, hint)

    def _span_of(self, node: Node, name: str, line: int) -> Span:
        """Give where an entry stands."""
        if isinstance(node, ListNode):
            return node.items[line - 1].span
        content = self._files[name]
        assert isinstance(content, bytes)
        lines = _lines(content)
        return _span(SourceFile(name, "\n".join(lines), tuple(lines)), line)

    def _read_any(self, node: Node, kind: TextKind, compare: TextComparison) -> EntryList | None:
        if isinstance(node, ListNode):
            return self._read_in_place(node, kind, compare)
        name = read_text(node, kind, self._diagnostics, "write lists/NAME.txt, or [one, another]")
        if name is None or not isinstance(node, Scalar) or not self._is_there(node, name):
            return None
        self.used.add(name)
        key = (name, kind, compare)
        if key not in self._read:
            self._read[key] = self._read_file(node, name, kind, compare)
        return self._read[key]

    def _is_there(self, node: Scalar, name: str) -> bool:
        if not _NAME.fullmatch(name):
            hint = f"write {LISTS}NAME.txt, or the entries in place: [one, another]"
            self._diagnostics.error("P026", node.span, f"{quote(name)} is not the name of a list", hint)
            return False
        if name not in self._files:
            there = [each for each in self._files if each.startswith(LISTS)]
            near = did_you_mean(name, there)
            hint = f"{near} {choices('the folder', there)}".strip() if there else "add the file, with one entry a line"
            self._diagnostics.error("P026", node.span, f"there is no list {quote(name)}", hint)
        return name in self._files

    def _read_file(self, node: Scalar, name: str, kind: TextKind, compare: TextComparison) -> EntryList | None:
        content = self._files[name]
        if isinstance(content, Unreadable):
            self._diagnostics.error("P026", node.span, f"{quote(name)}: {content.message}", content.hint)
            return None
        if problem := _not_text(content):
            self._diagnostics.error("P026", name, problem, "save the file as UTF-8")
            return None
        read = _read_content(content, kind, compare)
        if isinstance(read, _Unusable):
            self._diagnostics.error("P026", name, *read)
            return None
        lines = _lines(content) if read.problems else ()
        file = SourceFile(name, "\n".join(lines), tuple(lines))
        self._report(read.problems, {problem.line: _span(file, problem.line) for problem in read.problems}, name)
        return None if any(problem.level == "error" for problem in read.problems) else read.listed(name)

    def _read_in_place(self, node: ListNode, kind: TextKind, compare: TextComparison) -> EntryList | None:
        if not node.items:
            self._diagnostics.error("P026", node.span, "the list is empty", "give at least one entry")
            return None
        if len(node.items) > MOST_IN_PLACE:
            message = f"the list has {len(node.items)} entries, and {MOST_IN_PLACE} are allowed in place"
            self._diagnostics.error("P026", node.span, message, f"move them to a file {LISTS}NAME.txt")
            return None
        texts = [read_text(item, "an entry", self._diagnostics) for item in node.items]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts):
            return None
        entries = [(place, text.strip()) for place, text in enumerate(known, start=1)]
        read = _read_entries(entries, kind, compare, is_in_place=True)
        self._report(read.problems, {place: item.span for place, item in enumerate(node.items, start=1)}, IN_PLACE)
        return None if any(problem.level == "error" for problem in read.problems) else read.listed(IN_PLACE)

    def _report(self, problems: Sequence["_Problem"], spans: Mapping[int, Span], name: str) -> None:
        """Report the first problems of a list: a list may have a hundred thousand."""
        for problem in problems[:_REPORTED_AT_ONCE]:
            report = self._diagnostics.error if problem.level == "error" else self._diagnostics.warning
            report(problem.code, spans[problem.line], problem.message, problem.hint)
        left = problems[_REPORTED_AT_ONCE:]
        if left:
            has_error = any(problem.level == "error" for problem in left)
            report = self._diagnostics.error if has_error else self._diagnostics.warning
            more = counted(len(left), "more entry has", "more entries have")
            report("P026", name, f"{more} something like this", "fix those above first")


class _Problem(NamedTuple):
    line: int
    level: Level
    code: str
    message: str
    hint: str


class _Unusable(NamedTuple):
    """Why a whole list cannot be used, and what to do."""

    message: str
    hint: str


class _ReadEntries(NamedTuple):
    """The entries of one list that can be used, and what is wrong with the others."""

    entries: tuple[str, ...]
    lines: tuple[int, ...]
    digest: str
    problems: tuple[_Problem, ...]

    def listed(self, name: str) -> EntryList:
        return EntryList(name, self.entries, self.lines, self.digest)


@lru_cache(maxsize=16)  # a list stays as it is through many edits of rules, and may have a hundred thousand entries
def _read_content(content: bytes, kind: TextKind, compare: TextComparison) -> "_ReadEntries | _Unusable":
    """Read a list's file."""
    most = MOST_PATTERNS if kind == "patterns" else MOST_ENTRIES
    numbered = ((number, line.strip()) for number, line in enumerate(_lines(content), start=1))
    entries = [(number, line[line.startswith("\\#") :]) for number, line in numbered if line and line[0] != "#"]
    if not entries:
        return _Unusable("the list is empty", "add an entry; a line that starts with # is a comment")
    if len(entries) > most:
        return _Unusable(f"the list has {len(entries):,} entries, and {most:,} are allowed", "split it into two lists")
    return _read_entries(entries, kind, compare)


def _read_entries(
    entries: Iterable[tuple[int, str]], kind: TextKind, compare: TextComparison, *, is_in_place: bool = False
) -> _ReadEntries:
    problems: list[_Problem] = []
    first: dict[str, int] = {}
    sound: list[tuple[int, str]] = []
    code = "P029" if kind == "patterns" else "P026"
    for line, written in entries:
        entry = entry_meant(written, kind)
        if objection := entry_error(entry, kind, compare):
            problems.append(_Problem(line, "error", code, *objection))
            continue
        other = first.setdefault(normal_form(entry, kind, compare), line)
        if other != line:
            message = (
                f"entry {line} reads as entry {other} does"
                if is_in_place
                else f"line {line} reads as line {other} does"
            )
            problems.append(_Problem(line, "warning", "P026", message, "remove one of the two: they count once"))
            continue
        problems += [
            _Problem(line, "warning", code, *each) for each in islice(entry_warnings(written, kind, compare), 1)
        ]
        sound.append((line, entry))
    lines, known = tuple(line for line, _ in sound), tuple(entry for _, entry in sound)
    return _ReadEntries(known, lines, digest_of(first), tuple(problems))


def _not_text(content: bytes) -> str | None:
    if content.startswith(_UTF_16):
        return "the file is UTF-16"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"byte 0x{content[error.start]:02x} on line {line} is not UTF-8"
    return None


def _lines(content: bytes) -> list[str]:
    return content.removeprefix(_BOM).decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _span(file: SourceFile, line: int) -> Span:
    text = file.lines[line - 1]
    shown = text.strip()
    return Span(file, line, text.index(shown) + 1, len(shown))
