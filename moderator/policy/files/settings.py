"""settings.yaml -> `FolderSettings`."""

import re
from collections.abc import Sequence
from fractions import Fraction

from moderator.events import Verdict
from moderator.policy.files.node_readers import (
    Block,
    read_block,
    read_choice,
    read_entries,
    read_items,
    read_name,
    read_number,
    read_once,
    read_text,
)
from moderator.policy.language.ast import FolderSettings, Presence
from moderator.policy.language.fields import EVENT_FIELDS, FORMAT, METADATA, READING_FIELDS, VERDICTS
from moderator.policy.language.scale import show
from moderator.policy.syntax.diagnostics import Diagnostics, Span, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Node

RESERVED_REASONS = ("score_missing", "fact_missing", "unscored", "truncated")
NO_ACTION = "none"
"""What people write where there is no action, and tests for it; so no action is called so."""

_KEYS = (
    *("format", "if_score_missing", "if_fact_missing", "if_unscored", "if_truncated"),
    *("fields", "reasons", "actions", "queues", "exemption_limit"),
)
_DAYS = re.compile(r"([1-9][0-9]{0,3}) days?")
_MOST_DAYS = 9_999
_PRESENCES: tuple[Presence, ...] = ("always", "sometimes")


def read_settings(tree: Node, diagnostics: Diagnostics) -> FolderSettings | None:
    """Read the tree of settings.yaml; None when something needed to read rules is missing."""
    block = read_block(tree, "settings.yaml", _KEYS, diagnostics)
    if block is None:
        return None
    _check_format(block, diagnostics)
    if_missing = read_choice(
        block.need("if_score_missing", "flag: fail closed; allow: fail open"), "if_score_missing", VERDICTS, diagnostics
    )
    if_unscored = read_choice(
        block.need("if_unscored", "the verdict when the model gave no score: flag or allow"),
        "if_unscored",
        VERDICTS,
        diagnostics,
    )
    return FolderSettings(
        flags_when_missing=if_missing != "allow",
        unscored_verdict=if_unscored or "flag",
        flags_when_fact_missing=_flags(_read_verdict(block, "if_fact_missing", diagnostics)),
        truncated_verdict=_read_verdict(block, "if_truncated", diagnostics),
        fields=_read_fields(block, diagnostics),
        reasons=_read_reasons(block, diagnostics),
        actions=_read_names(block.get("actions"), "actions", "action", diagnostics, (NO_ACTION,)),
        queues=_read_names(block.get("queues"), "queues", "queue", diagnostics),
        lines={key: block.span_of(key).line for key in _KEYS if block.get(key) is not None},
        exemption_limit_days=_read_days(block.get("exemption_limit"), diagnostics),
    )


def _read_verdict(block: Block, key: str, diagnostics: Diagnostics) -> Verdict | None:
    node = block.get(key)
    return None if node is None else read_choice(node, key, VERDICTS, diagnostics)


def _flags(verdict: Verdict | None) -> bool | None:
    return None if verdict is None else verdict == "flag"


def _check_format(block: Block, diagnostics: Diagnostics) -> None:
    node = block.need("format", f"format: {FORMAT}")
    form = f"this version knows format {FORMAT}"
    number = read_number(node, "format", diagnostics, form)
    if node is not None and number is not None and number != Fraction(FORMAT):
        diagnostics.error("P009", node.span, f"format {show(number)} is not known to this version", form)


def _read_days(node: Node | None, diagnostics: Diagnostics) -> int | None:
    form = "write such as 90 days"
    if node is None:
        return None
    text = read_text(node, "exemption_limit", diagnostics, form)
    if text is None:
        return _MOST_DAYS  # the error is reported; no exemption need be reported as too long as well
    match = _DAYS.fullmatch(text)
    if match is None:
        diagnostics.error("P014", node.span, f"exemption_limit cannot be {quote(text)}", form)
        return _MOST_DAYS
    return int(match[1])


def _read_fields(block: Block, diagnostics: Diagnostics) -> dict[str, Presence]:
    node = block.need("fields", "what rules may match on, such as {speaker: always, tenant: always}")
    entries = read_entries(node, "fields", diagnostics, "write such as {speaker: always, tenant: always}")
    fields: dict[str, Presence] = {}
    for key, value in entries.entries if entries else ():
        presence = read_choice(value, f"the field {key.text}", _PRESENCES, diagnostics)
        if key.text in EVENT_FIELDS or (key.text.startswith(METADATA) and _is_metadata_key(key.text)):
            fields[key.text] = presence or "sometimes"
        elif key.text in READING_FIELDS:
            message = f"every event has {key.text}, so rules may match on it without a line here"
            diagnostics.error("P012", key.span, message, "remove the line")
        else:
            hint = did_you_mean(key.text, EVENT_FIELDS) or f"events have: {', '.join(EVENT_FIELDS)}, metadata.<key>"
            diagnostics.error("P012", key.span, f"events have no field {quote(key.text)}", hint)
    return fields


def _is_metadata_key(field: str) -> bool:
    return field.removeprefix(METADATA) not in ("", "*")


def _read_reasons(block: Block, diagnostics: Diagnostics) -> tuple[str, ...]:
    node = block.need("reasons", "stable codes, such as [unsafe_content]")
    return _read_names(node, "reasons", "reason", diagnostics, RESERVED_REASONS)


def _read_names(
    node: Node | None, what: str, one: str, diagnostics: Diagnostics, reserved: Sequence[str] = ()
) -> tuple[str, ...]:
    """Read a list of names, none of them twice."""
    seen: dict[str, Span] = {}
    for item in () if node is None else read_items(node, what, diagnostics):
        name = read_name(item, f"{'an' if one[0] == 'a' else 'a'} {one}", diagnostics)
        if name is not None and name in reserved:
            diagnostics.error("P017", item.span, *_reserved(one, name))
        read_once(name, item.span, f"the {one}", seen, diagnostics)
    return tuple(seen)


def _reserved(one: str, name: str) -> tuple[str, str]:
    if one == "action":
        return f"{quote(name)} says that there is no action", "remove it: a flag without the key action has none"
    return f"the {one} {quote(name)} is given by the engine", "remove it, or choose another name"
