"""Whether one rule says nothing that another does not say already."""

from collections.abc import Iterable, Sequence

from moderator.events import SEVERITIES
from moderator.policy.inclusion import scope_within, share_within, time_within
from moderator.policy.logic import Held, compile_rule
from moderator.policy.model import Calibration, Exemption, Rule
from moderator.policy.problems import Report
from moderator.policy.reach import all_verdicts

_MAX_COMBINATIONS = 1_000
"""Two rules with more score ranges than this together are not compared."""


def check_covering(
    rules: Sequence[Rule], exemptions: Sequence[Exemption], calibration: Calibration | None, report: Report
) -> None:
    """Warn of each live or shadow rule that a live one covers wholly; of two that say the same, of the later."""
    live = [rule for rule in rules if rule.mode == "live" and not _may_spare(rule, exemptions)]
    covered: set[str] = set()
    for rule in reversed(rules):
        wider = (each for each in live if each.id != rule.id and each.id not in covered)
        other = next((each for each in wider if rule.mode != "off" and _covers(each, rule, calibration)), None)
        if other is not None:
            covered.add(rule.id)
            message = f"{other.id} already flags whatever this rule flags, at least as severely"
            report.warning("P054", rule.span, message, "remove one of the two, or let this one say more")


def _may_spare(rule: Rule, exemptions: Iterable[Exemption]) -> bool:
    return bool(rule.spares) or any(rule.id in exemption.covers for exemption in exemptions)


def _covers(wider: Rule, rule: Rule, calibration: Calibration | None) -> bool:
    return (
        _says_as_much(wider, rule)
        and scope_within(rule.scope, wider.scope)
        and time_within(rule, wider)
        and share_within(rule.rollout, wider.rollout)
        and _acts_whenever(wider, rule, calibration)
    )


def _says_as_much(wider: Rule, rule: Rule) -> bool:
    flag, other = rule.flag, wider.flag
    is_as_severe = SEVERITIES.index(other.severity) >= SEVERITIES.index(flag.severity)
    return is_as_severe and other.reason == flag.reason and set(flag.labels) <= set(other.labels)


def _acts_whenever(wider: Rule, rule: Rule, calibration: Calibration | None) -> bool:
    signals = {condition.signal.name for condition in rule.conditions}
    if any(condition.signal.name not in signals for condition in wider.conditions):
        return False
    count = len(rule.conditions)
    verdicts = all_verdicts((*rule.conditions, *wider.conditions), calibration, _MAX_COMBINATIONS)
    holds, wider_holds = compile_rule(rule), compile_rule(wider)
    return verdicts is not None and all(
        _acts(wider, wider_holds(held[count:])) or not _acts(rule, holds(held[:count])) for held in verdicts
    )


def _acts(rule: Rule, held: Held) -> bool:
    return rule.flags_when_missing if held is None else held
