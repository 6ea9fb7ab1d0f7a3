"""exemptions.yaml -> the exemptions: events that are exempt from named rules, always with an end date."""

from moderator.counted import counted
from moderator.policy.files.context import Context
from moderator.policy.files.node_readers import Block, read_block, read_items, read_name, read_once, read_text
from moderator.policy.files.rules.scopes import read_scope
from moderator.policy.files.rules.times_and_shares import read_time
from moderator.policy.language.ast import Exemption
from moderator.policy.language.event_time import MS_PER_DAY, iso_utc
from moderator.policy.syntax.diagnostics import Span, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Node, Scalar, Sequence

_KEYS = ("exemption", "about", "owner", "covers", "applies_to", "added", "until")


def read_exemptions(tree: Node, context: Context) -> list[Exemption]:
    """Read the tree of exemptions.yaml once all policies are read; one with an error is reported and left out."""
    diagnostics = context.diagnostics
    block = read_block(tree, "exemptions.yaml", ("exemptions",), diagnostics)
    node = block.need("exemptions", "exemptions: and a list of them") if block else None
    seen: dict[str, Span] = {}
    # All of them may have ended, so the list may be empty.
    items = () if isinstance(node, Sequence) and not node.items else read_items(node, "exemptions", diagnostics)
    exemptions = [_read_exemption(item, seen, context) for item in items]
    settings = context.settings
    if exemptions and settings is not None and settings.exemption_limit_days is None:
        hint = "add exemption_limit: 90 days"
        diagnostics.error("P020", "settings.yaml", 'there are exemptions and no "exemption_limit"', hint)
    return [exemption for exemption in exemptions if exemption is not None]


def _read_exemption(node: Node, seen: dict[str, Span], context: Context) -> Exemption | None:
    diagnostics = context.diagnostics
    block = read_block(node, "an exemption", _KEYS, diagnostics)
    if block is None:
        return None
    name_node = block.need("exemption", "exemption: a-short-name")
    name = read_name(name_node, "the exemption's name", diagnostics)
    span = name_node.span if name_node else block.span
    read_once(name, span, "the exemption", seen, diagnostics)
    about = read_text(block.need("about", "one line on why it is there"), "about", diagnostics)
    owner = read_text(block.need("owner", "who answers for it, such as team@example.com"), "owner", diagnostics)
    covers = _read_covers(block.need("covers", "full ids of rules, such as [chat-safety/unsafe-reply]"), context)
    scope = read_scope(
        block.need("applies_to", "which events it exempts, such as {tenant: acme}"),
        "the exemption's applies_to",
        context,
    )
    added_ms = read_time(block.need("added", "the day it was added, such as 2026-09-20"), "added", diagnostics)
    until_ms = read_time(block.need("until", "the day it ends; exemptions must expire"), "until", diagnostics)
    if added_ms is not None and until_ms is not None:
        _check_length(block, added_ms, until_ms, context)
    if None in (name, about, owner, added_ms, until_ms) or not covers:
        return None
    assert name is not None
    assert added_ms is not None
    assert until_ms is not None
    return Exemption(name, about or "", owner or "", covers, scope, added_ms, until_ms, span)


def _read_covers(node: Node | None, context: Context) -> tuple[str, ...]:
    ids = [
        rule
        for item in read_items(node, "covers", context.diagnostics)
        if (rule := read_text(item, "a rule of covers", context.diagnostics)) is not None
        and _is_rule(item, rule, context)
    ]
    return tuple(dict.fromkeys(ids))


def _is_rule(node: Node, rule: str, context: Context) -> bool:
    policy, _, name = rule.partition("/")
    if context.may_be_rule(policy, name):
        return True
    known = [f"{policy}/{name}" for policy, names in context.rules.items() for name in names]
    hint = did_you_mean(rule, known) or "write full ids, such as chat-safety/unsafe-reply; there is no word for all"
    context.diagnostics.error("P047", node.span, f"there is no rule called {quote(rule)}", hint)
    return False


def _check_length(block: Block, added_ms: int, until_ms: int, context: Context) -> None:
    until = block.need("until", "")
    assert isinstance(until, Scalar)
    limit_days = context.settings.exemption_limit_days if context.settings else None
    if until_ms <= added_ms:
        message = f"it ends on {iso_utc(until_ms)}, not after {iso_utc(added_ms)}, when it was added"
        context.diagnostics.error("P042", until.span, message, "swap the two, or fix one")
    elif limit_days is not None and until_ms - added_ms > limit_days * MS_PER_DAY:
        days = counted(limit_days, "day")
        message = f"this is more than {days} after {iso_utc(added_ms)}, when it was added"
        latest = iso_utc(added_ms + limit_days * MS_PER_DAY)
        context.diagnostics.error("P046", until.span, message, f"write {latest} or earlier, and renew it when it ends")
