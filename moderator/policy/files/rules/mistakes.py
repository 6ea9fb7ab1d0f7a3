"""Keys that people know from other rule languages, and how this one says the same."""

import re
from collections.abc import Sequence as Names
from typing import Final

from moderator.policy.files.as_written import on_one_line
from moderator.policy.files.node_readers import Advice
from moderator.policy.files.settings import NO_ACTION
from moderator.policy.language.ast import FolderSettings
from moderator.policy.syntax.diagnostics import in_quotes, quote
from moderator.policy.syntax.yaml_tree import Mapping, Node, Scalar, Sequence

_GROUPS: Final = {"or": "any", "and": "all"}
_UNDER_FLAG: Final = ("severity", "reason", "labels", "action", "queue", "notify")
_TEXT_FIELD: Final = re.compile(
    r"~?(?P<fields>(?:body|title|message|content|text|domain|url|link|regex|pattern|keywords?|words?)"
    r"(?:\+(?:body|title|domain|url))*)(?: *\((?P<how>[a-z, _-]+)\))?"
)
_FIELDS: Final = ("tenant", "channel", "locale")
_EXEMPTING: Final = re.compile(r"(?:exempt|except|ignore|skip|allow)\w*|\w+_(?:exempt|ignored?)")
_WHO: Final = re.compile(r"(?:exempt|except|ignore|skip|allow)_?|_?(?:exempt|ignored?)|_?(?:roles?|users?)")


def advice_on_rule_key(key: Scalar, value: Node, settings: FolderSettings | None) -> Advice | None:
    """Give what to say of a key that a rule does not have."""
    name = key.text.lower()
    if (negated_or_joined := _joining(key, value)) is not None:
        return negated_or_joined
    if name in ("all", "any"):
        hint = f"write when: {{{name}: {on_one_line(value)}}}"
        return Advice("P011", f"a rule has no key {quote(key.text)}", hint)
    if name in _UNDER_FLAG:
        return Advice("P011", f"a rule has no key {quote(key.text)}", _under_flag(name, value, settings))
    if _EXEMPTING.fullmatch(name):
        return Advice("P011", f"a rule has no key {quote(key.text)}", f"write except: {_exempt(name, value)}")
    return _text_advice("a rule has no key", key, value)


def advice_on_condition(key: Scalar, value: Node) -> Advice | None:
    """Give what to say of a word that is neither a signal nor joins conditions."""
    return _joining(key, value) or _text_advice("there is no signal called", key, value)


def _joining(key: Scalar, value: Node) -> Advice | None:
    name = key.text.lower()
    if name in _GROUPS:
        group = _GROUPS[name]
        return Advice(
            "P021",
            f'conditions are joined by "all:" and "any:", not by {quote(key.text)}',
            f"write {group}: and keep the list"
            if isinstance(value, Sequence)
            else f"write {group}: {_as_items(value)}",
        )
    if name == "not":
        message = 'the one negation is "unless:", beside "when:"'
        return Advice("P021", message, f"write beside when: unless: {_as_condition(value)}")
    return None


def _as_items(value: Node) -> str:
    """Write conditions that stand side by side as a list."""
    if isinstance(value, Mapping):
        return f"[{', '.join(f'{{{in_quotes(key.text)}: {on_one_line(each)}}}' for key, each in value.entries)}]"
    return f"[{on_one_line(value)}]"


def _as_condition(value: Node) -> str:
    """Write a list of conditions as one condition."""
    if isinstance(value, Sequence):
        return on_one_line(value.items[0]) if len(value.items) == 1 else f"{{any: {on_one_line(value)}}}"
    return on_one_line(value)


def _under_flag(name: str, value: Node, settings: FolderSettings | None) -> str:
    if name in ("action", "queue") and isinstance(value, Scalar) and value.text == NO_ACTION:
        return f"remove it: a flag without {name} has none"
    parts = [] if name in ("severity", "reason") else ["severity: …", "reason: …"]
    hint = f"write flag: {{{', '.join([*parts, f'{name}: {on_one_line(value)}'])}}}"
    lists = {"action": settings and settings.actions, "queue": settings and settings.queues}
    if name in lists and not lists[name]:
        hint += f", and in settings.yaml {name}s: [{on_one_line(value)}]"
    return hint


def _exempt(name: str, value: Node) -> str:
    """Write what is exempt as `except` has it: items that name their fields, or values of the field that is meant."""
    if isinstance(value, Mapping):
        return f"[{on_one_line(value)}]"
    if isinstance(value, Sequence) and any(isinstance(item, Mapping) for item in value.items):
        return on_one_line(value)
    field = next((each for each in _FIELDS if each in name), "role")
    if isinstance(value, Sequence) and value.items:
        return f"[{{{field}: {on_one_line(value)}}}]"
    if isinstance(value, Scalar) and value.kind == "text":
        return f"[{{{field}: [{in_quotes(value.text)}]}}]"
    role = _WHO.sub("", name).strip("_").removesuffix("s")
    return f"[{{role: [{in_quotes(role or 'moderator')}]}}]"


def _text_advice(lacking: str, key: Scalar, value: Node) -> Advice | None:
    """Show the two pieces that match words of the text: a signal, and a comparison with it."""
    found = _TEXT_FIELD.fullmatch(key.text.lower())
    if found is None or isinstance(value, Mapping):
        return None
    fields = found["fields"].split("+")
    kind = _kind_of(fields, found["how"] or "")
    name = {"links": "bad-links", "patterns": "found-patterns"}.get(kind, "found-words")
    listed = on_one_line(value) if isinstance(value, Sequence) else f"[{on_one_line(value)}]"
    of = ", of: metadata.title" if fields == ["title"] else ""
    signal = f"{name}: {{about: …, from_text: {{{kind}: {listed}{of}}}}}"
    hint = f"declare in signals.yaml {signal}, and write when: {{{name}: at least 1}}"
    if "title" in fields and not of:
        hint += "; for the title one more, with of: metadata.title"
    return Advice("P011", f"{lacking} {quote(key.text)}", hint)


def _kind_of(fields: Names[str], how: str) -> str:
    if "regex" in how or any(field in ("regex", "pattern") for field in fields):
        return "patterns"
    return "links" if any(field in ("domain", "url", "link") for field in fields) else "words"
