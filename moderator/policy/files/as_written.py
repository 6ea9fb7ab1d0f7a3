"""Nodes as YAML on one line, to show in a hint how something is written."""

from collections.abc import Iterable
from typing import Final

from moderator.policy.syntax.diagnostics import in_quotes
from moderator.policy.syntax.yaml_tree import Mapping, Node, Scalar, Sequence

_FEW: Final = 4
_SHORT: Final = 40


def on_one_line(node: Node) -> str:
    """Write a node on one line; the rest of a long list, or of a long text, is left out."""
    if isinstance(node, Scalar):
        return _text(node)
    if isinstance(node, Sequence):
        return f"[{_some(on_one_line(item) for item in node.items)}]"
    if isinstance(node, Mapping):
        return f"{{{_some(f'{key.text}: {on_one_line(value)}' for key, value in node.entries)}}}"
    return "…"


def _some(parts: Iterable[str]) -> str:
    every = list(parts)
    return ", ".join([*every[:_FEW], *(["…"] if len(every) > _FEW else [])])


def _text(node: Scalar) -> str:
    text = node.text if len(node.text) <= _SHORT else f"{node.text[:_SHORT]}…"
    is_phrase = node.kind == "text" and all(character.isalnum() or character in " .%-_" for character in text)
    return text if is_phrase or node.kind != "text" else in_quotes(text)
