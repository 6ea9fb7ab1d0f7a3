"""One policy file -> `Policy`, with every name resolved."""

from functools import partial
from typing import get_args

from moderator.policy.files.context import Context
from moderator.policy.files.node_readers import (
    Block,
    choices,
    read_block,
    read_choice,
    read_entries,
    read_items,
    read_name,
    read_once,
    read_text,
)
from moderator.policy.files.rules.flags import ONE_OR_NO_KEY, read_effect
from moderator.policy.files.rules.mistakes import advice_on_condition, advice_on_rule_key
from moderator.policy.files.rules.phrases import FORMS, read_condition
from moderator.policy.files.rules.scopes import EXEMPT, read_scope
from moderator.policy.files.rules.times_and_shares import read_budget, read_rollout, read_time
from moderator.policy.language.ast import Condition, Expression, Group, GroupKind, Policy, Rule, RuleMode, Scope
from moderator.policy.language.event_time import iso_utc
from moderator.policy.language.fields import VERDICTS
from moderator.policy.syntax.diagnostics import Diagnostics, Span, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Broken, Mapping, Node, Scalar

MAX_LEVELS = 3

_POLICY_KEYS = ("policy", "about", "owner", "applies_to", "rules")
_RULE_KEYS = (
    *("rule", "about", "mode", "rollout", "rollout_seed", "starts", "until", "applies_to"),
    *("when", "unless", "except", "if_score_missing", "if_fact_missing", "flag", "tag", "budget"),
)
_GROUPS: tuple[GroupKind, ...] = get_args(GroupKind)
_MODES: tuple[RuleMode, ...] = get_args(RuleMode)


def read_policy(tree: Node, file: str, context: Context) -> Policy | None:
    """Read the tree of one policy file and note its names in the context; None when it cannot be used."""
    diagnostics = context.diagnostics
    block = read_block(tree, "a policy", _POLICY_KEYS, diagnostics)
    if block is None:
        context.unnamed.add(None)
        return None
    node = block.need("policy", "policy: a-short-name")
    name = read_name(node, "the policy's name", diagnostics)
    is_new = read_once(name, node.span if node else block.span, "the policy", context.policies, diagnostics)
    about = read_text(block.need("about", "one line on what it is for"), "about", diagnostics)
    owner = read_text(block.need("owner", "who answers for it, such as team@example.com"), "owner", diagnostics)
    scope = _optional_scope(block, context)
    items = read_items(block.need("rules", "rules: and a list of them"), "rules", diagnostics)
    seen: dict[str, Span] = {}
    if is_new and name is not None:
        context.rules[name] = seen
    rules = [_read_rule(item, name or "", scope, seen, context) for item in items]
    if not is_new or not items or len(seen) < len(items):
        context.unnamed.add(name)
    sound = tuple(rule for rule in rules if rule is not None)
    return Policy(name or "", file, sound, about or "", owner or "")


def _optional_scope(block: Block, context: Context) -> Scope:
    node = block.get("applies_to")
    form = "write such as {tenant: acme}, or remove the key"
    return () if node is None else read_scope(node, "applies_to", context, form)


def _read_rule(node: Node, policy: str, scope: Scope, seen: dict[str, Span], context: Context) -> Rule | None:
    diagnostics, errors_before = context.diagnostics, context.diagnostics.error_count
    advise = partial(advice_on_rule_key, settings=context.settings)
    block = read_block(node, "a rule", _RULE_KEYS, diagnostics, advise=advise)
    if block is None:
        return None
    span, name = _read_rule_name(block, seen, diagnostics)
    rule_id = f"{policy}/{name}"
    about = read_text(block.need("about", "one line on what it catches"), "about", diagnostics)
    mode = read_choice(block.need("mode", "mode: live, shadow or off"), "mode", _MODES, diagnostics)
    rollout = read_rollout(block.get("rollout"), block.get("rollout_seed"), rule_id, diagnostics)
    starts_ms, until_ms = _read_schedule(block, diagnostics)
    own_scope = _optional_scope(block, context)
    when = _read_expression(_when_node(block, diagnostics), "when", context)
    unless = _read_expression(block.get("unless"), "unless", context)
    exempt_scopes = _read_exempt_scopes(block.get("except"), context)
    settings = context.settings
    by_score = settings is None or settings.flags_when_missing
    flags_when_missing = _read_if_missing(block, "if_score_missing", default=by_score, diagnostics=diagnostics)
    by_fact = settings is not None and bool(settings.flags_when_fact_missing)
    flags_when_fact_missing = _read_if_missing(block, "if_fact_missing", default=by_fact, diagnostics=diagnostics)
    flag, tags = read_effect(block, context)
    flag_share = read_budget(block.get("budget"), diagnostics)
    is_whole = (when is not None or block.get("when") is None) and (flag is not None or tags)
    if name is None or mode is None or not is_whole or diagnostics.error_count > errors_before:
        return None
    return Rule(
        id=rule_id,
        mode=mode,
        scope=(*scope, *own_scope),
        when=when,
        unless=unless,
        exempt_scopes=exempt_scopes,
        flags_when_missing=flags_when_missing,
        flags_when_fact_missing=flags_when_fact_missing,
        flag=flag,
        tags=tags,
        span=span,
        about=about or "",
        starts_ms=starts_ms,
        until_ms=until_ms,
        rollout=rollout,
        flag_share=flag_share,
    )


def _read_schedule(block: Block, diagnostics: Diagnostics) -> tuple[int | None, int | None]:
    starts, until = block.get("starts"), block.get("until")
    starts_ms = read_time(starts, "starts", diagnostics)
    until_ms = read_time(until, "until", diagnostics)
    if starts is not None and starts_ms is not None and until_ms is not None and starts_ms >= until_ms:
        message = f"the rule starts on {iso_utc(starts_ms)}, which is not before its end on {iso_utc(until_ms)}"
        diagnostics.error("P042", starts.span, message, "swap the two, or fix one")
    return starts_ms, until_ms


def _read_rule_name(block: Block, seen: dict[str, Span], diagnostics: Diagnostics) -> tuple[Span, str | None]:
    node = block.need("rule", "rule: a-short-name")
    span = node.span if node else block.span
    name = read_name(node, "the rule's name", diagnostics)
    read_once(name, span, "the rule", seen, diagnostics)
    return span, name


def _read_exempt_scopes(node: Node | None, context: Context) -> tuple[Scope, ...]:
    items = () if node is None else read_items(node, "except", context.diagnostics, ONE_OR_NO_KEY)
    return tuple(read_scope(item, EXEMPT, context) for item in items)


def _read_if_missing(block: Block, key: str, *, default: bool, diagnostics: Diagnostics) -> bool:
    node = block.get(key)
    return default if node is None else read_choice(node, key, VERDICTS, diagnostics) != "allow"


def _when_node(block: Block, diagnostics: Diagnostics) -> Node | None:
    """Give what `when` says; only a rule that `unless` or its own applies_to limits may leave it out."""
    scope = block.get("applies_to")
    is_limited = block.get("unless") is not None or isinstance(scope, Broken)
    is_limited |= isinstance(scope, Mapping) and any(key.text != "speaker" for key, _ in scope.entries)
    if block.get("when") is None and not is_limited:
        where = block.span if scope is None else block.span_of("applies_to")
        message = "this rule would flag everything that anyone writes"
        hint = "add when: and a condition, or a field besides speaker to the rule's own applies_to"
        diagnostics.error("P056", where, message, hint)
    return block.get("when")


def _read_expression(node: Node | None, what: str, context: Context, level: int = 1) -> Expression | None:
    entries = read_entries(node, what, context.diagnostics, "write such as {safety: below 0.30}")
    if entries is None:
        return None
    (key, value), *others = entries.entries
    if others:
        _report_side_by_side(key, others[0][0], context.diagnostics)
        for name, part in entries.entries:
            _read_part(name, part, context, level)
        return None
    return _read_part(key, value, context, level)


def _report_side_by_side(first: Scalar, second: Scalar, diagnostics: Diagnostics) -> None:
    message = f"two conditions are side by side (the other is on line {first.span.line})"
    diagnostics.error("P021", second.span, message, 'put both under "all:" or "any:"')


def _read_part(key: Scalar, value: Node, context: Context, level: int) -> Expression | None:
    kind = next((group for group in _GROUPS if group == key.text), None)
    if kind is None:
        return _read_comparison(key, value, context)
    if level > MAX_LEVELS:
        message = f"conditions are nested more than {MAX_LEVELS} levels deep"
        context.diagnostics.error("P024", key.span, message, "split the rule in two")
        return None
    items = read_items(value, kind, context.diagnostics)
    parts = [_read_expression(item, "a condition", context, level + 1) for item in items]
    sound = tuple(part for part in parts if part is not None)
    return Group(kind, sound) if parts and len(sound) == len(parts) else None


def _read_comparison(key: Scalar, value: Node, context: Context) -> Condition | None:
    signals, diagnostics = context.signals, context.diagnostics
    if signals is None:
        return None
    if key.text in signals:
        signal = signals[key.text]
        return None if signal is None else read_condition(signal, value, diagnostics)
    advice = advice_on_condition(key, value)
    if advice is not None:
        diagnostics.error(advice.code, key.span, advice.message, advice.hint)
        return None
    hint = did_you_mean(key.text, (*signals, *_GROUPS)) or FORMS
    message = f"there is no signal called {quote(key.text)}"
    diagnostics.error("P010", key.span, message, f"{hint} {choices('signals.yaml', signals)}")
    return None
