"""What the YAML parser rejects, in plain words, at the place to fix."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.tokens import (
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    Token,
)

from moderator.policy.syntax.diagnostics import SourceFile, Span, quote

_OPENING: Final = (FlowMappingStartToken, FlowSequenceStartToken)
_CLOSING: Final = (FlowMappingEndToken, FlowSequenceEndToken)
_COLON: Final = re.compile(r":(\s|$)")
_GLUED: Final = re.compile(r"(?P<name>[A-Za-z0-9_-]+)[:\uff1a] *(?P<value>\S.*)?")
_NAME_AND_BRACKET: Final = re.compile(r"[ -]*(?P<name>[A-Za-z0-9_-]+) +[{\[]")
_LONG_DASHES: Final = ("\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212")
_NO_VALUE: Final = re.compile(r"expected the node content, but found '(?P<sign>.)'")
_QUOTE_IT: Final = "put the whole value in quotes"
_LOOK_BEFORE: Final = "look for a missing quote, colon or space just before"
_ESCAPE_BEYOND: Final = re.compile(r"\\U(?!000|0010)[0-9A-Fa-f]{8}")


class Explained(NamedTuple):
    """A place, or a whole file by its name; what is wrong there, and the fix."""

    at: Span | str
    message: str
    hint: str


def explain_syntax_error(file: SourceFile, error: MarkedYAMLError) -> Explained:
    """Say what the parser met, and where it went wrong, which may be a line earlier."""
    mark, context = error.problem_mark, error.context_mark
    if mark is None:
        return Explained(file.name, f"not valid YAML: {error.problem or error.context}", "")
    problem, while_doing = " ".join(str(error.problem).split()), str(error.context)
    line, column = mark.line, mark.column
    if "\\t" in problem:
        return _at(file, line, column, "a tab is used where only spaces are allowed", "indent with spaces")
    if special := _special_start(file, line, column, problem, while_doing):
        return special
    if mark.index >= len(file.text.rstrip()) and "simple key" not in while_doing:
        return _endless(file, context.line if context else line, context.column if context else column)
    if "could not find expected ':'" in problem and context is not None:
        return _no_colon(file, context.line)
    if "mapping values are not allowed" in problem:
        return _unexpected_colon(file, line, column)
    if "expected <block end>" in problem:
        return _unexpected_block(file, line, column, problem)
    if "expected ',' or" in problem and context is not None:
        opened = f"its bracket opens on line {context.line + 1}"
        return _at(file, line, column, "a comma or a closing bracket is missing before this", opened)
    if "sequence entries are not allowed" in problem:
        return _unexpected_item(file, line, column)
    if "expected '<document start>'" in problem:
        return _unexpected_rest(file, line, column)
    if found := _NO_VALUE.search(problem):
        message = f"a value is expected here, and none begins with {found['sign']}"
        return _at(file, line, column, message, f"remove it, or {_QUOTE_IT}")
    return _at(file, line, column, problem, _LOOK_BEFORE)


def explain_escape(file: SourceFile) -> Explained:
    """Say where an escape is that is no character, which the parser does not report."""
    places = ((number, _ESCAPE_BEYOND.search(line)) for number, line in enumerate(file.lines))
    line, column, width = next(((n, found.start(), len(found[0])) for n, found in places if found), (0, 0, 1))
    return _at(file, line, column, "this is no character", r"the last is \U0010FFFF", width=width)


def _at(file: SourceFile, line: int, column: int, message: str, hint: str, *, width: int = 1) -> Explained:
    return Explained(Span(file, line + 1, column + 1, width), f"not valid YAML: {message}", hint)


def _endless(file: SourceFile, line: int, column: int) -> Explained:
    """Place what the file ends in: at the bracket still open, else where the parser says that it starts."""
    place = (line, column)
    try:
        opened: list[tuple[int, int]] = []
        for token in _tokens(file):
            if isinstance(token, _OPENING):
                opened.append((token.start_mark.line, token.start_mark.column))
            elif isinstance(token, _CLOSING) and opened:
                opened.pop()
        place = opened[-1] if opened else place
    except MarkedYAMLError:  # a quote that is still open hides where brackets end
        pass
    return _at(file, *place, "what starts here has no end", "look for a missing quote or bracket")


def _tokens(file: SourceFile) -> Iterator[Token]:
    tokens: Iterator[Token] = YAML(typ="safe", pure=True).scan(file.text)
    return tokens


def _no_colon(file: SourceFile, line: int) -> Explained:
    """Explain a line that is no `name: value`."""
    text = file.lines[line]
    start = len(text) - len(text.lstrip(" -"))
    width = max(1, len(text.rstrip()) - start)
    if long_dash := _long_dash(file, line):
        return long_dash
    glued = _GLUED.match(text, start)
    if glued and glued["value"]:
        fix = f"write {quote(glued['name'] + ': ' + glued['value'].strip())}, with a plain colon and a space"
        return _at(file, line, start, "a space is missing after the colon", fix, width=width)
    if _COLON.search(text) and text[start] in "[{\"'":
        fix = "remove it, or write a name and a colon before it"
        return _at(file, line, start, f"no name begins with {text[start]}", fix)
    return _at(file, line, start, "this line has no name and colon", 'write it as "name: value"', width=width)


def _unexpected_colon(file: SourceFile, line: int, column: int) -> Explained:
    before = _COLON.search(file.lines[line][:column])
    if before is not None:
        if bare := _NAME_AND_BRACKET.match(file.lines[line], 0, before.start()):
            start, width = bare.start("name"), len(bare["name"])
            fix = f"write {quote(bare['name'] + ':')} before the bracket"
            return _at(file, line, start, "this name has no colon", fix, width=width)
        fix = "put what follows the first in quotes, or on a line of its own"
        return _at(file, line, column, "a second colon in one line", fix)
    above = _says_something(file, range(line - 1, -1, -1))
    if above is not None:
        if long_dash := _long_dash(file, above):
            return long_dash
        if not _COLON.search(file.lines[above]):
            return _no_colon(file, above)
    return _wrong_indent(file, line)


def _unexpected_block(file: SourceFile, line: int, column: int, problem: str) -> Explained:
    text = file.lines[line]
    if problem.endswith(("']'", "'}'")):
        return _at(file, line, column, "nothing opens the bracket that ends here", "remove it")
    if problem.endswith("'<scalar>'"):
        return _at(file, line, column, "the value has ended before this", _QUOTE_IT)
    if long_dash := _long_dash(file, line):
        return long_dash
    if re.match(r" *-[^- ]", text):
        start = text.index("-")
        return _at(file, line, start, "a space is missing after the dash", f"write {quote('- ' + text[start + 1 :])}")
    return _wrong_indent(file, line)


def _unexpected_item(file: SourceFile, line: int, column: int) -> Explained:
    if file.lines[line][:column].rstrip(" ").endswith(":"):
        return _at(file, line, column, "a list cannot begin on the line of its name", "begin the list on its own line")
    return _at(file, line, column, "the value has ended before this", _QUOTE_IT)


def _unexpected_rest(file: SourceFile, line: int, column: int) -> Explained:
    """Explain what does not belong to the file's one mapping, most often because the first line is indented."""
    first = _says_something(file, range(line))
    if first is not None and file.lines[first].startswith(" "):
        hint = "begin it exactly above the beginning of the lines that it belongs with"
        return _wrong_indent(file, first)._replace(hint=hint)
    return _at(file, line, column, "the value has ended before this", _LOOK_BEFORE)


def _long_dash(file: SourceFile, line: int) -> Explained | None:
    text = file.lines[line]
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] not in _LONG_DASHES:
        return None
    return _at(file, line, start, "this is not the plain dash that begins an item", 'write "-" and a space')


def _wrong_indent(file: SourceFile, line: int) -> Explained:
    text = file.lines[line]
    start = len(text) - len(text.lstrip(" "))
    hint = "begin it exactly below the beginning of the line that it belongs with"
    width = max(1, len(text.rstrip()) - start)
    return _at(file, line, start, "this line is indented unlike the lines around it", hint, width=width)


def _says_something(file: SourceFile, lines: Iterable[int]) -> int | None:
    """Find the first of these lines that is more than blanks and a comment."""
    return next((number for number in lines if file.lines[number].strip(" ")[:1] not in ("", "#")), None)


def _special_start(file: SourceFile, line: int, column: int, problem: str, while_doing: str) -> Explained | None:
    """Explain a character that means something to YAML at the start of a value."""
    starts = {"scanning an alias": "*", "scanning an anchor": "&", "tag": "!", "scanning a block scalar": "| or >"}
    for doing, signs in starts.items():
        if doing in while_doing or f"undefined {doing}" in problem:
            start = max(file.lines[line].rfind(sign, 0, column + 1) for sign in signs.split(" or "))
            message = f"{signs} at the start of a value means something to YAML"
            return _at(file, line, max(0, start), message, _QUOTE_IT)
    if "cannot start any token" in problem:
        return _at(file, line, column, f"no value can start with {file.lines[line][column]}", _QUOTE_IT)
    if "escape character" in problem:
        fix = r"write \\ for a backslash, or put the value in single quotes"
        return _at(file, line, column, "a backslash in double quotes means something to YAML", fix)
    return None
