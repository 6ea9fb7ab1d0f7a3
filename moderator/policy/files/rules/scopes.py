"""`applies_to` and `except`: which events a rule is for."""

from typing import Final

from moderator.policy.files.context import Context
from moderator.policy.files.node_readers import choices, read_choice, read_entries, read_items, read_text
from moderator.policy.files.rules.literals import check_literal
from moderator.policy.language.ast import FieldMatch, Scope
from moderator.policy.language.fields import READING_FIELDS, SPEAKERS, normal_locale
from moderator.policy.syntax.diagnostics import did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Node, Scalar
from moderator.policy.syntax.yaml_tree import Sequence as ListNode

_PATTERNS = "patterns are for the text: declare a signal with from_text: {patterns: […]}"

EXEMPT: Final = "an item of except"
_OPPOSITES: Final = {"applies_to": "except", EXEMPT: "applies_to"}


def read_scope(node: Node | None, what: str, context: Context, form: str = "write such as {tenant: acme}") -> Scope:
    """Read a mapping of field -> text or list of texts, each exact or a prefix ending in `*`.

    A line with an error is reported and left out.
    """
    entries = read_entries(node, what, context.diagnostics, form)
    lines = (
        _read_line(key, value, context, _OPPOSITES.get(what, "")) for key, value in (entries.entries if entries else ())
    )
    return tuple(line for line in lines if line is not None)


def _read_line(key: Scalar, value: Node, context: Context, opposite: str) -> FieldMatch | None:
    field, diagnostics = key.text, context.diagnostics
    fields = context.settings.fields if context.settings else None
    # Where there are none, the error is in settings.yaml and reported there.
    if fields and field not in fields and field not in READING_FIELDS:
        hint = did_you_mean(field, (*fields, *READING_FIELDS))
        known = choices("settings.yaml", fields)
        diagnostics.error("P012", key.span, f"rules cannot match on {quote(field)}", f"{hint} {known}".strip())
        return None
    nodes = read_items(value, field, diagnostics) if isinstance(value, ListNode) else (value,)
    patterns = [pattern for node in nodes if (pattern := _read_pattern(field, node, context, opposite)) is not None]
    if not patterns or len(patterns) < len(nodes):
        return None
    exact = frozenset(pattern for pattern in patterns if not pattern.endswith("*"))
    prefixes = sorted({pattern[:-1] for pattern in patterns if pattern.endswith("*")})
    return FieldMatch(field, exact, tuple(prefixes))


def _read_pattern(field: str, node: Node, context: Context, opposite: str) -> str | None:
    diagnostics = context.diagnostics
    text = read_text(node, field, diagnostics)
    if text is None:
        return None
    if field in READING_FIELDS:
        return read_choice(node, field, READING_FIELDS[field], diagnostics)
    if "*" in text[:-1]:
        is_like_regex = ".*" in text or (text.startswith("/") and text.endswith("/"))
        hint = f"; {_PATTERNS}" if is_like_regex else ""
        diagnostics.error("P025", node.span, f"{quote(text)} can never fit", f"a * may only be at the end{hint}")
        return None
    if field == "speaker" and not any(_fits(text, speaker) for speaker in SPEAKERS):
        hint = did_you_mean(text, SPEAKERS) or f"write one of: {', '.join(SPEAKERS)}"
        diagnostics.error("P014", node.span, f"nobody speaks as {quote(text)}", hint)
        return None
    if text != text.strip():
        message = f"{quote(text)} fits only what has the same blanks at its ends"
        diagnostics.warning("P025", node.span, message, "remove them")
    if field != "speaker":
        check_literal(field, text, node, diagnostics, opposite)
        context.literals.setdefault(field, []).append((text, node.span))
    return normal_locale(text) if field == "locale" else text


def _fits(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
