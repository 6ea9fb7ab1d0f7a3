"""What is well formed but cannot be intended: rules that always or never match, or flag the wrong end."""

from collections.abc import Mapping, Sequence
from itertools import combinations, product

from moderator.policy.analysis.calibration_lint import check_calibrated
from moderator.policy.analysis.inclusion import can_both_fit, scope_within
from moderator.policy.analysis.never_or_always import check_never_or_always
from moderator.policy.language.ast import (
    Calibration,
    Condition,
    Exemption,
    FieldMatch,
    FolderSettings,
    Policy,
    Rule,
    Scope,
    leaves,
)
from moderator.policy.language.event_time import iso_utc
from moderator.policy.language.fields import CLOSED_FIELDS
from moderator.policy.syntax.diagnostics import Diagnostics, quote

_BLOCKING = ("high", "critical")


def check_rules(
    policies: Sequence[Policy],
    settings: FolderSettings,
    calibrations: Mapping[str, Calibration],
    now_ms: int | None,
    diagnostics: Diagnostics,
) -> None:
    """Report rules that cannot be intended, among those without an error; `now_ms` is None where no clock may count."""
    rules = [rule for policy in policies for rule in policy.rules]
    for rule in rules:
        _check_scope(rule, diagnostics)
        check_never_or_always(rule, [*calibrations.values()] or [None], diagnostics)
        _check_direction(rule, diagnostics)
        _check_ends(rule, diagnostics)
        _check_presence(rule, settings, diagnostics)
        _check_exceptions(rule, settings, diagnostics)
        _check_rollout(rule, diagnostics)
        if now_ms is not None and rule.mode != "off" and rule.until_ms is not None and rule.until_ms <= now_ms:
            message = f"this rule ended on {iso_utc(rule.until_ms)}"
            diagnostics.warning("P044", rule.span, message, "remove it, or move its end")
    check_calibrated(rules, calibrations, diagnostics)
    # Nothing is known of a rule with an error, and it may be a live one.
    if not diagnostics.error_count and not any(rule.mode == "live" for rule in rules):
        diagnostics.warning("P053", policies[0].file, "no rule is live", "nothing is flagged for its score")


def check_exemptions(
    exemptions: Sequence[Exemption], policies: Sequence[Policy], now_ms: int | None, diagnostics: Diagnostics
) -> None:
    """Report exemptions that are over, or that exempt nothing."""
    rules = {rule.id: rule for policy in policies for rule in policy.rules}
    for exemption in exemptions:
        if now_ms is not None and exemption.until_ms <= now_ms:
            message = f"this exemption ended on {iso_utc(exemption.until_ms)} and exempts nothing any more"
            diagnostics.warning("P044", exemption.span, message, "remove it, or renew it from today")
        for rule in map(rules.__getitem__, exemption.covers):
            why = "is off" if rule.mode == "off" else _why_never_together(rule, exemption)
            if why is not None:
                message = f"this exemption exempts nothing from {rule.id}, which {why}"
                diagnostics.warning("P048", exemption.span, message, "fix it, or remove the rule from covers")


def _why_never_together(rule: Rule, exemption: Exemption) -> str | None:
    if rule.starts_ms is not None and exemption.until_ms <= rule.starts_ms:
        return f"starts only on {iso_utc(rule.starts_ms)}"
    if rule.until_ms is not None and rule.until_ms <= exemption.added_ms:
        return f"ends on {iso_utc(rule.until_ms)} already"
    return _why_apart(rule.scope, exemption.scope)


def _why_apart(scope: Scope, other: Scope) -> str | None:
    """Say why no event fits both scopes; None when one may."""
    pairs = product(scope, other)
    apart = next((a.field for a, b in pairs if a.field == b.field and not can_both_fit(a, b)), None)
    return None if apart is None else f"never applies to that {apart}"


def _check_exceptions(rule: Rule, settings: FolderSettings, diagnostics: Diagnostics) -> None:
    for number, scope in enumerate(rule.exempt_scopes, start=1):
        why = _why_apart(rule.scope, scope)
        if why is not None:
            message = f"item {number} of except exempts nothing from this rule, which {why}"
            diagnostics.warning("P048", rule.span, message, "fix or remove the item")
        elif scope_within(rule.scope, tuple(line for line in scope if not _fits_every_event(line, settings))):
            message = f"this rule can never flag: item {number} of except exempts every event that it applies to"
            diagnostics.error("P051", rule.span, message, "fix or remove the item")


def _fits_every_event(line: FieldMatch, settings: FolderSettings) -> bool:
    if line.field in CLOSED_FIELDS:
        return all(value in line.exact or value.startswith(line.prefixes) for value in CLOSED_FIELDS[line.field])
    return "" in line.prefixes and settings.fields.get(line.field) == "always"


def _check_scope(rule: Rule, diagnostics: Diagnostics) -> None:
    """Report a rule whose own `applies_to` and its policy's cannot both fit."""
    for first, second in combinations(rule.scope, 2):
        if first.field == second.field and not can_both_fit(first, second):
            message = f"this rule can never match: no {first.field} fits both its own applies_to and the policy's"
            diagnostics.error("P051", rule.span, message, "fix or remove one of the two")


def _check_direction(rule: Rule, diagnostics: Diagnostics) -> None:
    compared = [condition for condition in leaves(rule.when) if condition.comparison.has_limit]
    if not compared or not all(_flags_good_end(condition) for condition in compared):
        return
    first = compared[0]
    words = f"{first.signal.name} {first.phrase}"
    opposite, number = first.comparison.opposite, first.comparison.number_in(first.phrase)
    hint = f'did you mean "{opposite.write(number)}"?' if opposite and number else ""
    diagnostics.warning("P033", first.span, f"{quote(words)} flags what scores best", hint)


def _flags_good_end(condition: Condition) -> bool:
    good = condition.signal.good
    return good != "none" and condition.comparison.holds_below == (good == "low")


def _check_ends(rule: Rule, diagnostics: Diagnostics) -> None:
    for condition in rule.conditions:
        low, high = condition.signal.scale.low, condition.signal.scale.high
        # `at most` the highest score always holds, and `above` it never; so do `at least` the lowest, and `below` it.
        end = low if condition.comparison.holds_below != condition.comparison.holds_at else high
        if condition.limit is not None and condition.limit == end:
            words = quote(f"{condition.signal.name} {condition.phrase}")
            share = "every" if condition.comparison.holds_at else "no"
            message = f"{words} holds for {share} score on the scale"
            diagnostics.warning("P055", condition.span, message, "choose a number between its ends")


def _check_rollout(rule: Rule, diagnostics: Diagnostics) -> None:
    if rule.mode == "shadow" and rule.rollout is not None:
        message = "this rule is in shadow for everybody: a rollout says for whom a live rule counts"
        diagnostics.warning("P049", rule.span, message, "remove rollout, or write mode: live")


def _check_presence(rule: Rule, settings: FolderSettings, diagnostics: Diagnostics) -> None:
    if rule.flag is None or rule.flag.severity not in _BLOCKING:
        return
    for line in rule.scope:
        if settings.fields.get(line.field) == "sometimes":
            message = f"this {rule.flag.severity} rule never flags events without {line.field}"
            diagnostics.warning(
                "P052", rule.span, message, f"settings.yaml says that events carry {line.field} sometimes"
            )
