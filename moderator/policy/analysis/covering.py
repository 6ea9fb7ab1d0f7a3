"""Proofs that one rule counts whenever another does, whatever the event, its scores and its time.

Sound, not complete: True is proven, False only means that no proof was found. Scores are compared in regions between
the rules' limits; scopes, times, shares and exemptions by inclusion.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from moderator.events import SEVERITIES
from moderator.policy.analysis.inclusion import scope_within, share_within, time_within
from moderator.policy.analysis.text_changes import gains, relation
from moderator.policy.language.ast import Calibration, Rule, Scope
from moderator.policy.language.score_regions import BoundedRule, Regions, ScoreRegions, score_regions, with_bounds
from moderator.policy.language.text_source import TextSource
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import Diagnostics


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule in its folder."""

    policies: PolicySet
    rule: Rule


def covers(wider: Placed, narrower: Placed) -> bool:
    """Whether `wider` is proven to flag every event that `narrower` flags; a rule that tags flags none."""
    if narrower.rule.mode != "live" or narrower.rule.flag is None:
        return True
    return (
        wider.rule.mode == "live"
        and wider.rule.flag is not None
        and _is_in_force_whenever(wider, narrower)
        and _reads_no_less(wider.rule, narrower.rule)
        and _fires_whenever(wider, narrower)
    )


def check_covering(policies: PolicySet, diagnostics: Diagnostics) -> None:
    """Warn of each live or shadow rule that a live one makes redundant; of two that say the same, of the later."""
    bounded = _bounded(policies)
    redundant: set[str] = set()
    for rule in reversed(policies.active_rules):
        others = [other for other in policies.active_rules if other is not rule and other.id not in redundant]
        wider = _first_wider(Placed(policies, rule), others, bounded) if rule.id in bounded else None
        if wider is not None:
            redundant.add(rule.id)
            message = f"{wider.id} already tags whatever this rule tags"
            if rule.flag is not None:
                message = f"{wider.id} already flags whatever this rule flags, at least as severely"
            diagnostics.warning("P054", rule.span, message, "remove one of the two, or let this one say more")


_Bounded = Mapping[str, Sequence[BoundedRule]]
"""Rule id -> the rule with its bounds for each model that is calibrated, or once where none is."""


def _bounded(policies: PolicySet) -> _Bounded:
    calibrations: list[Calibration | None] = [*policies.calibrations.values()] or [None]
    found = {rule.id: [with_bounds(rule, each) for each in calibrations] for rule in policies.active_rules}
    return {rule: [one for one in each if one is not None] for rule, each in found.items() if None not in each}


def _first_wider(narrower: Placed, others: Iterable[Rule], bounded: _Bounded) -> Rule | None:
    """Find a rule that makes this one redundant; searches between this one's limits alone, so that it is fast."""
    wider = [other for other in others if other.id in bounded and _may_be_wider(other, narrower)]
    needs = [_need_of(each) for each in bounded[narrower.rule.id]] if wider else []
    known = [need for need in needs if need is not None]
    if len(known) < len(needs):
        return None
    return next((other for other in wider if all(map(_Need.is_met_by, known, bounded[other.id]))), None)


def _may_be_wider(other: Rule, narrower: Placed) -> bool:
    """Whether all but the scores allow it; the regions that these are compared in know the narrower one's signals."""
    return (
        other.mode == "live"
        and _says_as_much(other, narrower)
        and _signals(other) <= _signals(narrower.rule)
        and _is_in_force_whenever(Placed(narrower.policies, other), narrower)
    )


def _signals(rule: Rule) -> set[str]:
    return {condition.signal.name for condition in rule.conditions}


def _says_as_much(wider: Rule, narrower: Placed) -> bool:
    flag, other = narrower.rule.flag, wider.flag
    if flag is None or other is None:
        return flag is other and set(narrower.rule.tags) <= set(wider.tags)
    is_as_severe = SEVERITIES.index(other.severity) >= SEVERITIES.index(flag.severity)
    actions = narrower.policies.settings.actions
    return (
        is_as_severe
        and strength_of(other.action, actions) >= strength_of(flag.action, actions)
        and (other.reason, other.queue, other.notify) == (flag.reason, flag.queue, flag.notify)
        and set(flag.labels) <= set(other.labels)
    )


def strength_of(action: str | None, actions: Sequence[str]) -> int:
    """Rank an action by settings.yaml's order; no action is the mildest."""
    return -1 if action is None else actions.index(action)


class _Need(NamedTuple):
    """Where a rule fires and matches, in the regions between its own limits."""

    regions: ScoreRegions
    fires: Regions
    matches: Regions
    fires_unscored: Regions

    def is_met_by(self, wider: BoundedRule) -> bool:
        """Whether another rule, which needs no more signals, fires and matches there too."""
        # Matching counts by itself: a rule that fires because a score is missing gives another reason.
        return (
            not self.fires & ~self.regions.fires(wider)
            and not self.matches & ~self.regions.matches(wider)
            and not self.fires_unscored & ~self.regions.fires_unscored(wider)
        )


def _need_of(rule: BoundedRule) -> _Need | None:
    regions = score_regions(rule)
    if regions is None:
        return None
    return _Need(regions, regions.fires(rule), regions.matches(rule), regions.fires_unscored(rule))


def _is_in_force_whenever(wider: Placed, narrower: Placed) -> bool:
    """Whether `wider` is proven to apply, to be in force and not to exempt, wherever that is true of `narrower`."""
    return (
        scope_within(narrower.rule.scope, wider.rule.scope)
        and time_within(narrower.rule, wider.rule)
        and share_within(narrower.rule.rollout, wider.rule.rollout)
        and _exempts_no_more(wider, narrower)
    )


@dataclass(frozen=True, slots=True)
class _Exempt:
    """Which events are exempt, and when: milliseconds, the first included, the last not; None: no such end."""

    scope: Scope
    from_ms: int | None = None
    until_ms: int | None = None

    def is_within(self, other: "_Exempt", domain: Scope) -> bool:
        """Whether `other` exempts whatever this does among the events of `domain`."""
        begins = other.from_ms is None or (self.from_ms is not None and other.from_ms <= self.from_ms)
        ends = other.until_ms is None or (self.until_ms is not None and other.until_ms >= self.until_ms)
        return begins and ends and scope_within((*domain, *self.scope), other.scope)


def _exempts_no_more(wider: Placed, narrower: Placed) -> bool:
    exempt, domain = _exempt(narrower), narrower.rule.scope
    return all(any(one.is_within(other, domain) for other in exempt) for one in _exempt(wider))


def _exempt(placed: Placed) -> list[_Exempt]:
    exemptions = (one for one in placed.policies.exemptions if placed.rule.id in one.covers)
    return [
        *(_Exempt(scope) for scope in placed.rule.exempt_scopes),
        *(_Exempt(one.scope, one.added_ms, one.until_ms) for one in exemptions),
    ]


def _fires_whenever(wider: Placed, narrower: Placed) -> bool:
    """Whether `wider` is proven to fire whenever `narrower` does, for each model that both can judge for.

    A folder with a percent phrase is refused for a model without a calibration; other phrases mean the same for all.
    """
    calibrated = [set(one.policies.calibrations) for one in (wider, narrower) if _has_percent(one.rule)]
    models = set.intersection(*calibrated) if calibrated else {""}
    return bool(models) and all(_fires_whenever_for(model, wider, narrower) for model in models)


def _fires_whenever_for(model: str, wider: Placed, narrower: Placed) -> bool:
    one, other = (with_bounds(each.rule, each.policies.calibration_of(model)) for each in (narrower, wider))
    if one is None or other is None:
        return False
    regions = score_regions(one, other)
    if regions is None or regions.fires(one) & ~regions.fires(other):
        return False
    return not regions.fires_unscored(one) & ~regions.fires_unscored(other)


def _reads_no_less(wider: Rule, narrower: Rule) -> bool:
    """Whether texts that the two rules' folders read otherwise can only make them fire where `wider` fires too.

    All else is proven for equal numbers. One that is never lower does no harm if either rule only gains by its rise.
    """
    was, now = _text_sources(narrower), _text_sources(wider)
    for name in was.keys() & now.keys():
        moves = relation(was[name], now[name])
        if moves == "any":
            return False
        is_falling = moves == "lower"
        if moves != "same" and not any(gains(rule, name, falling=is_falling) for rule in (wider, narrower)):
            return False
    return True


def _text_sources(rule: Rule) -> dict[str, TextSource]:
    signals = (signal for condition in rule.conditions for signal in condition.signal.members or (condition.signal,))
    return {signal.name: signal.text for signal in signals if signal.text is not None}


def _has_percent(rule: Rule) -> bool:
    return any(condition.percent is not None for condition in rule.conditions)
