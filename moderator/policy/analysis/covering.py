"""Whether one rule says nothing that another does not say already; sound, so what is not told may still be so."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from moderator.events import SEVERITIES
from moderator.policy.analysis.inclusion import scope_within, share_within, time_within
from moderator.policy.analysis.score_regions import Bounded, Combinations, Ranges, bound, ranges_of
from moderator.policy.language.ast import Calibration, Exemption, Rule
from moderator.policy.syntax.diagnostics import Diagnostics

Found = TypeVar("Found")


def check_covering(
    rules: Iterable[Rule],
    exemptions: Sequence[Exemption],
    calibrations: Iterable[Calibration],
    diagnostics: Diagnostics,
) -> None:
    """Warn of each live or shadow rule that a live one covers wholly; of two that say the same, of the later.

    Of percent phrases that holds beside each of the calibrations.
    """
    beside: list[Calibration | None] = [*calibrations] or [None]
    active = [rule for rule in rules if rule.mode != "off"]
    bounded = {rule.id: found for rule in active if (found := _bound_beside_each(rule, beside))}
    live = [rule for rule in active if rule.id in bounded and rule.mode == "live" and not _may_spare(rule, exemptions)]
    covered: set[str] = set()
    for rule in reversed(active):
        others = [(other, bounded[other.id]) for other in live if other is not rule and other.id not in covered]
        other = _first_to_cover(rule, bounded[rule.id], others) if rule.id in bounded else None
        if other is not None:
            covered.add(rule.id)
            message = f"{other.id} already flags whatever this rule flags, at least as severely"
            diagnostics.warning("P054", rule.span, message, "remove one of the two, or let this one say more")


def _bound_beside_each(rule: Rule, calibrations: Iterable[Calibration | None]) -> list[Bounded]:
    """Bound the rule beside each calibration; nothing where one of them lacks what it needs."""
    return _all_or_none(bound(rule, calibration) for calibration in calibrations)


def _may_spare(rule: Rule, exemptions: Iterable[Exemption]) -> bool:
    return bool(rule.spares) or any(rule.id in exemption.covers for exemption in exemptions)


def _first_to_cover(
    rule: Rule, bounded: Sequence[Bounded], others: Iterable[tuple[Rule, Sequence[Bounded]]]
) -> Rule | None:
    wider = [
        (other, found) for other, found in others if found[0].signals <= bounded[0].signals and _may_cover(other, rule)
    ]
    reaches = _all_or_none(map(_reach_of, bounded)) if wider else []
    if not reaches:
        return None
    return next((other for other, found in wider if all(map(_is_covered, reaches, found))), None)


def _all_or_none(found: Iterable[Found | None]) -> list[Found]:
    each = list(found)
    return [] if None in each else [one for one in each if one is not None]


class _Reach(NamedTuple):
    ranges: Ranges
    acts: Combinations
    holds: Combinations


def _reach_of(one: Bounded) -> _Reach | None:
    ranges = ranges_of(one)
    return None if ranges is None else _Reach(ranges, ranges.acts(one), ranges.said(one).holds)


def _is_covered(reach: _Reach, wider: Bounded) -> bool:
    # where a rule matches, one that only lacks a score would give another reason
    return not reach.acts & ~reach.ranges.acts(wider) and not reach.holds & ~reach.ranges.said(wider).holds


def _may_cover(wider: Rule, rule: Rule) -> bool:
    """Whether all but the scores allow it."""
    return (
        _says_as_much(wider, rule)
        and scope_within(rule.scope, wider.scope)
        and time_within(rule, wider)
        and share_within(rule.rollout, wider.rollout)
    )


def _says_as_much(wider: Rule, rule: Rule) -> bool:
    flag, other = rule.flag, wider.flag
    is_as_severe = SEVERITIES.index(other.severity) >= SEVERITIES.index(flag.severity)
    return is_as_severe and other.reason == flag.reason and set(flag.labels) <= set(other.labels)
