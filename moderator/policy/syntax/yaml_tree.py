"""YAML text -> a tree of nodes that know their place.

Reads the parser's events, not its objects: aliases are never followed and tags never resolved, so nothing is
executed and nothing multiplies.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from moderator.policy.syntax.diagnostics import Diagnostic, Diagnostics, SourceFile, Span, quote
from moderator.policy.syntax.directives import without_directives
from moderator.policy.syntax.invisible_characters import find_unseen
from moderator.policy.syntax.syntax_errors import explain_escape, explain_syntax_error

MAX_DEPTH = 20
MAX_NODES = 10_000
MAX_CHARACTERS = 200_000
"""Without comments. Parsing takes about 50 µs a node and up to 2 µs a character: both limits bound the time."""

GLUED = re.compile(r"([A-Za-z0-9_-]+):(\S.*)")
"""A name and a value without a space between them."""
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
_NUMBER = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_COMMA_IN_NUMBER = re.compile("[0-9],[0-9]")
_THOUSANDS = re.compile(r"(?:.*[^0-9])?[1-9][0-9]{0,2},[0-9]{3}(?:[^0-9].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; `kind` is what YAML 1.2 makes of it, so a plain `no` is text."""

    text: str
    kind: Literal["text", "number", "boolean", "nothing"]
    span: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple["Node", ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order written; no key twice."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Broken:
    """Already reported; readers skip it without another error."""

    span: Span


Node = Scalar | Sequence | Mapping | Broken
_Pair = tuple[Node, Node]

_NodeEvent = AliasEvent | ScalarEvent | SequenceStartEvent | MappingStartEvent
_ContentEvent = ScalarEvent | SequenceStartEvent | MappingStartEvent


def read_tree(file: SourceFile, diagnostics: Diagnostics) -> Node | None:
    """Read the file's one document; None when it is not YAML, which is then reported."""
    tree, found = _read(file)
    diagnostics.extend(found)
    return tree


@lru_cache(maxsize=64)  # of a folder with one file edited, and of an edited copy, most has been parsed before
def _read(file: SourceFile) -> tuple[Node | None, list[Diagnostic]]:
    diagnostics = Diagnostics()
    return _parse(file, diagnostics), diagnostics.all


def _parse(file: SourceFile, diagnostics: Diagnostics) -> Node | None:
    try:
        _check_length(file)
        return _Composer(file, diagnostics).compose()
    except _TooMuchError as error:
        diagnostics.error("P007", error.span, error.message, error.hint)
    except MarkedYAMLError as error:
        diagnostics.error("P004", *explain_syntax_error(file, error))
    except (ValueError, OverflowError):  # of `chr`, the one thing that the parser leaves to Python
        diagnostics.error("P004", *explain_escape(file))
    return None


class _TooMuchError(Exception):
    def __init__(self, span: Span, message: str, hint: str) -> None:
        super().__init__(message)
        self.span = span
        self.message = message
        self.hint = hint


def _check_length(file: SourceFile) -> None:
    characters = 0
    for number, line in enumerate(file.lines, start=1):
        characters += 0 if line.lstrip().startswith("#") else len(line) + 1
        if characters > MAX_CHARACTERS:
            message = f"more than {MAX_CHARACTERS:,} characters in one file, comments aside"
            raise _TooMuchError(Span(file, number, 1, 1), message, "split the file")


class _Composer:
    def __init__(self, file: SourceFile, diagnostics: Diagnostics) -> None:
        self._file = file
        self._diagnostics = diagnostics
        self._nodes = 0
        self._events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(without_directives(file, diagnostics)))

    def compose(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    self._refuse_document(self._span(event))
            elif isinstance(event, _NodeEvent):
                node = self._node(event, depth=1)
                root = node if root is None else root
        return root or Scalar("", "nothing", Span(self._file, 1, 1, 1))

    def _refuse_document(self, span: Span) -> None:
        self._check_size(span, depth=1)
        self._diagnostics.error("P005", span, "a second document starts here", "put it into its own file")

    def _node(self, event: _NodeEvent, depth: int) -> Node:
        span = self._span(event)
        self._check_size(span, depth)
        if isinstance(event, AliasEvent):
            return self._refuse(span, "aliases are not used here", "write the value out")
        is_sound = self._check_properties(event, span)
        node = self._content(event, span, depth)
        return node if is_sound else Broken(span)

    def _check_size(self, span: Span, depth: int) -> None:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise _TooMuchError(span, f"more than {MAX_DEPTH} levels inside one another", "write it flatter")
        if self._nodes > MAX_NODES:
            raise _TooMuchError(span, f"more than {MAX_NODES:,} values in one file", "split the file")

    def _content(self, event: _ContentEvent, span: Span, depth: int) -> Node:
        if isinstance(event, SequenceStartEvent):
            return Sequence(tuple(self._children(SequenceEndEvent, depth)), span)
        if isinstance(event, MappingStartEvent):
            return self._mapping(list(self._children(MappingEndEvent, depth)), span, is_flow=bool(event.flow_style))
        return self._scalar(event, span)

    def _mapping(self, children: list[Node], span: Span, *, is_flow: bool) -> Node:
        pairs = list(zip(children[::2], children[1::2], strict=True))
        entries = tuple(self._entries(self._without_decimal_commas(pairs) if is_flow else pairs))
        if children and not entries:
            return Broken(span)
        # A block has no mark of its own, so it is shown by its first name.
        return Mapping(entries, span if is_flow or not entries else entries[0][0].span)

    def _check_properties(self, event: _ContentEvent, span: Span) -> bool:
        if event.anchor is not None:
            self._refuse(span, "anchors are not used here", "write the value out where it is needed")
        if event.tag is not None:
            self._refuse(span, f"the tag {quote(str(event.tag))} is not used here", "remove it")
        return event.anchor is None and event.tag is None

    def _refuse(self, span: Span, message: str, hint: str) -> Broken:
        self._diagnostics.error("P005", span, message, hint)
        return Broken(span)

    def _children(self, end: type[Event], depth: int) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, end):
                return
            assert isinstance(event, _NodeEvent)
            yield self._node(event, depth + 1)

    def _without_decimal_commas(self, pairs: list[_Pair]) -> list[_Pair]:
        """Report `{safety: below 0,3}`, whose comma ends the value, and leave out what the comma cut off."""
        kept: list[_Pair] = []
        end: Span | None = None
        for key, value in pairs:
            has_value = not isinstance(value, Scalar) or bool(value.text)
            if end is not None and isinstance(key, Scalar) and not has_value and _continues(key.span, end):
                kept[-1] = (kept[-1][0], self._refuse_comma(kept[-1][1], key))
                end = key.span
            else:
                kept.append((key, value))
                end = value.span if isinstance(value, Scalar) and has_value else None
        return kept

    def _refuse_comma(self, value: Node, cut_off: Scalar) -> Broken:
        if isinstance(value, Scalar):
            whole, number = quote(f"{value.text}.{cut_off.text}"), quote(f"{value.text}{cut_off.text}")
            is_thousands = _THOUSANDS.fullmatch(f"{value.text},{cut_off.text}")
            message = f"a comma ends the value: this reads {quote(value.text)} and {quote(cut_off.text)}"
            hint = f"did you mean {number}?" if is_thousands else f"did you mean {whole}?"
            self._diagnostics.error("P004", value.span, message, hint)
        return Broken(value.span)

    def _entries(self, pairs: list[_Pair]) -> Iterator[tuple[Scalar, Node]]:
        seen: dict[str, Span] = {}
        for key, value in pairs:
            if self._lacks_dash(key, seen):
                return  # what follows belongs to the item that this key begins
            if isinstance(key, Scalar) and self._lacks_space(key, value):
                continue
            if self._is_sound_key(key, seen):
                assert isinstance(key, Scalar)
                seen[key.text] = key.span
                yield key, _shown_by(key, value)

    def _lacks_dash(self, key: Node, seen: dict[str, Span]) -> bool:
        """Report the name that begins an item of a list, written again in the same item."""
        first = next(iter(seen), None)
        if not isinstance(key, Scalar) or key.text != first or key.span.line == seen[first].line:
            return False
        line = seen[first].line
        if not self._file.lines[line - 1].lstrip().startswith("- "):
            return False
        message = f"{quote(key.text)} is written twice in one item (the other is on line {line})"
        self._diagnostics.error("P006", key.span, message, f"put a dash before it, as on line {line}")
        return True

    def _lacks_space(self, key: Scalar, value: Node) -> bool:
        """Report `{safety:below 0.30}`, which is a name without a value."""
        found = GLUED.fullmatch(key.text)
        is_empty = isinstance(value, Scalar) and value.kind == "nothing" and not value.text
        if found is None or key.kind != "text" or not is_empty:
            return False
        self._diagnostics.error("P004", key.span, *lacking_space(found))
        return True

    def _is_sound_key(self, key: Node, seen: dict[str, Span]) -> bool:
        if isinstance(key, Broken):
            return False
        if not isinstance(key, Scalar):
            self._diagnostics.error("P022", key.span, "a name must be text", "write one word before the colon")
        elif key.text == "<<":
            self._refuse(key.span, "merge keys are not used here", "write the values out")
        elif not key.text:
            self._diagnostics.error("P020", key.span, "the name is empty", "write one word before the colon")
        elif key.kind != "text":
            self._diagnostics.error("P023", key.span, f"the name {key.text} is not text", "put it in quotes")
        elif key.text in seen:
            message = f"{quote(key.text)} is written twice (the other is on line {seen[key.text].line})"
            self._diagnostics.error("P006", key.span, message, "keep one of the two")
        else:
            return True
        return False

    def _scalar(self, event: ScalarEvent, span: Span) -> Node:
        text = str(event.value)
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._diagnostics.error("P003", span, "half a character", "write the whole character")
            return Broken(span)
        unseen = find_unseen(text)  # escapes put in what the file itself may not hold
        if unseen is not None:
            self._diagnostics.error("P003", span, unseen.message, unseen.hint)
            return Broken(span)
        kind = _kind_of(text) if event.style is None else "text"
        return Scalar(text, kind, span)

    def _span(self, event: Event) -> Span:
        start, end = event.start_mark, event.end_mark
        line = self._file.lines[start.line] if start.line < len(self._file.lines) else ""
        stop = end.column if end.line == start.line else len(line)
        return Span(self._file, start.line + 1, start.column + 1, max(1, stop - start.column))


def lacking_space(found: re.Match[str]) -> tuple[str, str]:
    """Give message and hint for text that `GLUED` matches."""
    fix = f"write {quote(f'{found[1]}: {found[2]}')}, with a plain colon and a space"
    return "not valid YAML: a space is missing after the colon", fix


def _continues(after: Span, before: Span) -> bool:
    """Whether a comma between two digits, without a space, is all that stands between two places."""
    if after.line != before.line or after.column != before.column + before.width + 1:
        return False
    between = after.file.lines[after.line - 1][after.column - 3 : after.column]
    return _COMMA_IN_NUMBER.fullmatch(between) is not None


def _shown_by(key: Scalar, value: Node) -> Node:
    """Give a missing value the place of its name."""
    is_absent = isinstance(value, Scalar) and value.kind == "nothing" and not value.text
    return Scalar("", "nothing", key.span) if is_absent else value


def _kind_of(plain: str) -> Literal["text", "number", "boolean", "nothing"]:
    if plain in _NOTHING:
        return "nothing"
    if plain in _BOOLEANS:
        return "boolean"
    return "number" if _NUMBER.fullmatch(plain) else "text"
