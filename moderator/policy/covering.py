"""Whether one rule says nothing that another does not say already; sound, so what is not told may still be so."""

from collections.abc import Iterable, Sequence

from moderator.events import SEVERITIES
from moderator.policy.inclusion import scope_within, share_within, time_within
from moderator.policy.model import Calibration, Exemption, Rule
from moderator.policy.problems import Report
from moderator.policy.reach import Bounded, bound, ranges_of


def check_covering(
    rules: Iterable[Rule], exemptions: Sequence[Exemption], calibration: Calibration | None, report: Report
) -> None:
    """Warn of each live or shadow rule that a live one covers wholly; of two that say the same, of the later."""
    bounded = [one for rule in rules if rule.mode != "off" and (one := bound(rule, calibration)) is not None]
    live = [one for one in bounded if one.rule.mode == "live" and not _may_spare(one.rule, exemptions)]
    covered: set[str] = set()
    for one in reversed(bounded):
        other = _first_to_cover(one, (each for each in live if each.rule.id not in covered))
        if other is not None:
            covered.add(one.rule.id)
            message = f"{other.id} already flags whatever this rule flags, at least as severely"
            report.warning("P054", one.rule.span, message, "remove one of the two, or let this one say more")


def _may_spare(rule: Rule, exemptions: Iterable[Exemption]) -> bool:
    return bool(rule.spares) or any(rule.id in exemption.covers for exemption in exemptions)


def _first_to_cover(one: Bounded, others: Iterable[Bounded]) -> Rule | None:
    wider = [each for each in others if each is not one and _may_cover(each, one)]
    ranges = ranges_of(one) if wider else None
    if ranges is None:
        return None
    acts, holds = ranges.acts(one), ranges.said(one).holds
    return next(
        (
            each.rule
            for each in wider
            # where this rule matches, one that only lacks a score would give another reason
            if not acts & ~ranges.acts(each) and not holds & ~ranges.said(each).holds
        ),
        None,
    )


def _may_cover(wider: Bounded, one: Bounded) -> bool:
    """Whether all but the scores allow it."""
    return (
        wider.signals <= one.signals
        and _says_as_much(wider.rule, one.rule)
        and scope_within(one.rule.scope, wider.rule.scope)
        and time_within(one.rule, wider.rule)
        and share_within(one.rule.rollout, wider.rule.rollout)
    )


def _says_as_much(wider: Rule, rule: Rule) -> bool:
    flag, other = rule.flag, wider.flag
    is_as_severe = SEVERITIES.index(other.severity) >= SEVERITIES.index(flag.severity)
    return is_as_severe and other.reason == flag.reason and set(flag.labels) <= set(other.labels)
