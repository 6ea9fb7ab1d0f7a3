"""What a rule says of an event: `flag: {severity, reason, …}` or `tag: [label, …]`."""

from collections.abc import Sequence
from typing import get_args

from moderator.events import SEVERITIES, Recipient
from moderator.policy.files.context import Context
from moderator.policy.files.node_readers import (
    Block,
    choices,
    read_block,
    read_choice,
    read_items,
    read_name,
    read_text,
)
from moderator.policy.files.settings import NO_ACTION
from moderator.policy.language.ast import Flag
from moderator.policy.syntax.diagnostics import Diagnostics, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Node

ONE_OR_NO_KEY = "give at least one, or remove the key"

_FLAG_KEYS = ("severity", "reason", "labels", "action", "queue", "notify")
_RECIPIENTS: tuple[Recipient, ...] = get_args(Recipient)
_SHOWN_NAMES = 25


def read_effect(block: Block, context: Context) -> tuple[Flag | None, tuple[str, ...]]:
    """Read a rule's `flag` or `tag`, of which exactly one must be there; give the flag, and the labels of a tag."""
    flag, tag = block.get("flag"), block.get("tag")
    if tag is None:
        return _read_flag(block.need("flag", "flag: {severity: high, reason: …}, or tag: [a-label]"), context), ()
    if flag is not None:
        message = "a rule flags or tags, not both"
        context.diagnostics.error("P057", block.span_of("tag"), message, "write two rules, or use labels under flag")
    if block.get("budget") is not None:
        message = "a budget is a share of flagged events, and this rule tags"
        context.diagnostics.error("P057", block.span_of("budget"), message, "remove the budget")
    return None, _read_labels(tag, "tag", context.diagnostics)


def _read_flag(node: Node | None, context: Context) -> Flag | None:
    diagnostics = context.diagnostics
    block = read_block(node, "flag", _FLAG_KEYS, diagnostics)
    if block is None:
        return None
    severity = read_choice(block.need("severity", "low, medium, high or critical"), "severity", SEVERITIES, diagnostics)
    reason = _read_reason(block.need("reason", "one of the reasons in settings.yaml"), context)
    labels = _read_labels(block.get("labels"), "labels", diagnostics)
    actions, queues = (context.settings.actions, context.settings.queues) if context.settings else (None, None)
    action = _read_declared(block.get("action"), "action", actions, context)
    queue = _read_declared(block.get("queue"), "queue", queues, context)
    notify = _read_notify(block.get("notify"), context)
    if severity is None or reason is None:
        return None
    return Flag(severity, reason, labels, action, queue, notify)


def _read_labels(node: Node | None, what: str, diagnostics: Diagnostics) -> tuple[str, ...]:
    items = () if node is None else read_items(node, what, diagnostics, ONE_OR_NO_KEY)
    names = [read_name(item, "a label", diagnostics) for item in items]
    return tuple(sorted({name for name in names if name is not None}))


def _read_reason(node: Node | None, context: Context) -> str | None:
    reason = read_text(node, "reason", context.diagnostics)
    reasons = context.settings.reasons if context.settings else None
    # Where there are none, the error is in settings.yaml and reported there.
    if node is None or reason is None or not reasons or reason in reasons:
        return reason
    hint = _declare("reasons", reason, reasons, context)
    context.diagnostics.error("P013", node.span, f"there is no reason called {quote(reason)}", hint)
    return None


def _read_declared(node: Node | None, what: str, declared: Sequence[str] | None, context: Context) -> str | None:
    """Read a name that settings.yaml must list; settings.yaml could not be read where `declared` is None."""
    name = None if node is None else read_text(node, what, context.diagnostics)
    if node is None or name is None or declared is None or name in declared:
        return name
    if not declared and context.settings and f"{what}s" in context.settings.lines:
        return name  # the list is there and names nothing: that is an error in settings.yaml, reported there
    hint = f"remove {what}: a flag without it has none"
    if name != NO_ACTION:
        hint = _declare(f"{what}s", name, declared, context)
    context.diagnostics.error("P019", node.span, f"there is no {what} called {quote(name)}", hint)
    return None


def _declare(key: str, name: str, declared: Sequence[str], context: Context) -> str:
    """Say what was meant, or how the list in settings.yaml would have the name."""
    near = did_you_mean(name, declared)
    line = context.settings.lines.get(key) if context.settings else None
    if line is None:
        return f"add a line to settings.yaml: {key}: [{name}]"
    if key == "actions":
        fix = f"add it to {key} on line {line} of settings.yaml, in its place: mildest first, now {_listed(declared)}"
    elif len(declared) > _SHOWN_NAMES:
        fix = f"add it to {key} on line {line} of settings.yaml"
    else:
        fix = f"add it to settings.yaml line {line}: {key}: [{', '.join((*declared, name))}]"
    return f"{near} or {fix}" if near else fix


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _SHOWN_NAMES else ""
    return f"{', '.join(names[:_SHOWN_NAMES])}{more}"


def _read_notify(node: Node | None, context: Context) -> tuple[tuple[Recipient, str], ...]:
    """Read whom to notify, and by which key of texts.yaml; any key goes where the product has its own texts."""
    form = "write such as {user: a-key}, or remove the key"
    block = None if node is None else read_block(node, "notify", _RECIPIENTS, context.diagnostics, form)
    found: list[tuple[Recipient, str]] = []
    for to in _RECIPIENTS if block else ():
        value = block.get(to) if block else None
        key = None if value is None else read_name(value, f"the text for {to}", context.diagnostics)
        if value is not None and key is not None:
            _check_key(value, key, context)
            found.append((to, key))
    return tuple(sorted(found))


def _check_key(node: Node, key: str, context: Context) -> None:
    if context.texts is None:
        return
    context.notified.add(key)
    if key not in context.texts:
        hint = did_you_mean(key, context.texts) or f"add it {choices('texts.yaml', context.texts)}"
        context.diagnostics.error("P058", node.span, f"there is no text called {quote(key)}", hint)
