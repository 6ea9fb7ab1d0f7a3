"""Nodes -> texts, names, numbers, lists and keyed blocks; everything unexpected is reported at its place."""

import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeVar

from moderator.policy.language.scale import parse_decimal
from moderator.policy.syntax.diagnostics import Diagnostics, Span, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import GLUED, Broken, Mapping, Node, Scalar, lacking_space
from moderator.policy.syntax.yaml_tree import Sequence as ListNode

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_LISTED_CHOICES = 25
_KIND_NAMES = {"number": "a number", "boolean": "a truth value"}

Option = TypeVar("Option", bound=str)


class Advice(NamedTuple):
    """What to say of a key that people write and the language does not have."""

    code: str
    message: str
    hint: str


class Block:
    """One mapping with known keys; unknown ones are reported when it is made."""

    def __init__(
        self,
        node: Mapping,
        what: str,
        known: Sequence[str],
        diagnostics: Diagnostics,
        advise: "Advise | None" = None,
    ) -> None:
        self.span = node.span
        self._what = what
        self._diagnostics = diagnostics
        self._values: dict[str, Node] = {}
        self._spans = {key.text: key.span for key, _ in node.entries}
        for key, value in node.entries:
            if key.text in known:
                self._values[key.text] = value
            elif advise is not None and (advice := advise(key, value)) is not None:
                diagnostics.error(advice.code, key.span, advice.message, advice.hint)
            else:
                hint = did_you_mean(key.text, known) or f"{what} may have: {', '.join(known)}"
                diagnostics.error("P011", key.span, f"{what} has no key {quote(key.text)}", hint)

    def __contains__(self, key: str) -> bool:
        """Whether the key is written, known or not."""
        return key in self._spans

    def get(self, key: str) -> Node | None:
        """Give the key's value, None when it is not there."""
        return self._values.get(key)

    def span_of(self, key: str) -> Span:
        """Give the place of a key that is there."""
        return self._spans[key]

    def need(self, key: str, hint: str) -> Node | None:
        """Give the key's value; its absence is an error."""
        if key not in self._values:
            self._diagnostics.error("P020", self.span, f'{self._what} needs "{key}"', hint)
        return self._values.get(key)


Advise = Callable[[Scalar, Node], Advice | None]
"""Gives what to say of a key that is not known, and its value; None for nothing special."""


def read_block(
    node: Node | None,
    what: str,
    known: Sequence[str],
    diagnostics: Diagnostics,
    form: str = "",
    *,
    advise: Advise | None = None,
) -> Block | None:
    """Read a mapping with known keys; `form` is the fix for anything else."""
    entries = read_entries(node, what, diagnostics, form or f"{what} may have: {', '.join(known)}")
    return None if entries is None else Block(entries, what, known, diagnostics, advise)


def read_entries(node: Node | None, what: str, diagnostics: Diagnostics, form: str) -> Mapping | None:
    """Read a mapping whose keys are free, at least one; `form` is the fix for anything else."""
    if isinstance(node, Mapping) and node.entries:
        return node
    if isinstance(node, Scalar) and (found := GLUED.fullmatch(node.text)):
        diagnostics.error("P004", node.span, *lacking_space(found))
        return None
    _report_other(node, f"{what} must be a mapping of names and values", form, diagnostics)
    return None


def read_items(
    node: Node | None, what: str, diagnostics: Diagnostics, if_empty: str = "give at least one"
) -> tuple[Node, ...]:
    """Read a list with at least one item; `if_empty` is the fix for one without."""
    if isinstance(node, ListNode):
        if not node.items:
            diagnostics.error("P020", node.span, f"{what} is empty", if_empty)
        return node.items
    _report_other(node, f"{what} must be a list", "begin each item with -, or write [one, another]", diagnostics)
    return ()


def read_text(node: Node | None, what: str, diagnostics: Diagnostics, form: str = "") -> str | None:
    """Read text that is not blank; `form` is the fix for anything else, else numbers and true/false need quotes."""
    if not isinstance(node, Scalar):
        _report_other(node, f"{what} must be text", form or "write one word or line", diagnostics)
        return None
    if node.kind == "text" and node.text.strip():
        return node.text
    if node.kind in ("number", "boolean"):
        message = f"{what} must be text, and {printable_plain(node)} is {_KIND_NAMES[node.kind]}"
        diagnostics.error("P023", node.span, message, form or _in_quotes(node.text))
    else:
        diagnostics.error("P020", node.span, f"{what} is empty", form or "write it out")
    return None


def read_name(node: Node | None, what: str, diagnostics: Diagnostics) -> str | None:
    """Read a name: lower-case letters, digits, - and _."""
    form = _in_quotes(_as_name(node.text)) if isinstance(node, Scalar) and node.kind in _KIND_NAMES else ""
    text = read_text(node, what, diagnostics, form)
    if text is None or _NAME.fullmatch(text):
        return text
    assert node is not None
    fixed = _as_name(text)
    hint = f'did you mean "{fixed}"?' if fixed else ""
    message = f"{what} may hold only lower-case letters, digits, - and _, not {quote(text)}"
    diagnostics.error("P016", node.span, message, hint)
    return None


def read_choice(node: Node | None, what: str, options: Sequence[Option], diagnostics: Diagnostics) -> Option | None:
    """Read one of a few words."""
    form = f"write {', '.join(options[:-1])} or {options[-1]}"
    text = read_text(node, what, diagnostics, form)
    if text is None:
        return None
    for option in options:
        if option == text:
            return option
    assert node is not None
    diagnostics.error("P014", node.span, f"{what} cannot be {quote(text)}", did_you_mean(text, options) or form)
    return None


def read_number(
    node: Node | None, what: str, diagnostics: Diagnostics, form: str = "write such as 0.5"
) -> Fraction | None:
    """Read plain decimal; `form` is the fix for anything else."""
    if not isinstance(node, Scalar):
        _report_other(node, f"{what} must be a number", form, diagnostics)
        return None
    number = parse_decimal(node.text)
    if number is not None and node.kind == "text":
        diagnostics.error("P022", node.span, f"{what} must be a number, not text", f"write {node.text}, without quotes")
        return None
    if number is None:
        diagnostics.error("P022", node.span, f"{what} must be a plain number, not {quote(node.text)}", form)
    return number


def read_once(name: str | None, span: Span, what: str, seen: dict[str, Span], diagnostics: Diagnostics) -> bool:
    """Note a name in `seen`; false, and reported, when it is already there."""
    if name is None:
        return False
    if name in seen:
        first = seen[name]
        place = f"line {first.line}" if first.file is span.file else str(first)
        diagnostics.error(
            "P015", span, f"{what} {quote(name)} is there twice (the other is on {place})", "rename one of them"
        )
        return False
    seen[name] = span
    return True


def choices(what: str, names: Iterable[str]) -> str:
    """List what may be chosen from, the first of them at least, as part of a hint."""
    listed = list(names)
    more = len(listed) - _LISTED_CHOICES
    return f"({what} has: {', '.join(listed[:_LISTED_CHOICES])}{f' and {more:,} more' if more > 0 else ''})"


def printable_plain(node: Scalar) -> str:
    """Show a plain value as written, without quotes."""
    return quote(node.text)[1:-1]


def _in_quotes(text: str) -> str:
    return f'put it in quotes: "{text}"'


def _as_name(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:100]


def _report_other(node: Node | None, message: str, hint: str, diagnostics: Diagnostics) -> None:
    if node is None or isinstance(node, Broken):
        return
    is_empty = isinstance(node, Scalar) and node.kind == "nothing"
    is_empty = is_empty or (isinstance(node, Mapping) and not node.entries)
    if is_empty:
        diagnostics.error("P020", node.span, f"{message}, and this is empty", hint)
    else:
        diagnostics.error("P022", node.span, f"{message}, not {_kind_of(node)}", hint)


def _kind_of(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    return "a list" if isinstance(node, ListNode) else "one value"
