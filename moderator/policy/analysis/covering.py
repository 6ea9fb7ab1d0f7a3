"""Proofs that one rule counts whenever another does, whatever the event, its scores and its time.

Sound, not complete: True is proven, False only means that no proof was found. Scores are compared in each region
between the limits of both rules; scopes, times, shares and exemptions by inclusion.
"""

from collections.abc import Callable
from dataclasses import dataclass

from moderator.events import SEVERITIES
from moderator.policy.analysis.inclusion import scope_within, share_within, time_within
from moderator.policy.analysis.score_regions import BoundedRule, Regions, ScoreRegions, score_regions, with_bounds
from moderator.policy.language.ast import Rule, Scope
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import Diagnostics


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule in its folder."""

    policies: PolicySet
    rule: Rule


def covers(wider: Placed, narrower: Placed) -> bool:
    """Whether `wider` is proven to count for every event that `narrower` counts for."""
    return narrower.rule.mode != "live" or (wider.rule.mode == "live" and _fires_whenever(wider, narrower))


def check_covering(policies: PolicySet, diagnostics: Diagnostics) -> None:
    """Warn of each live or shadow rule that a live one makes redundant; of two that say the same, of the later."""
    redundant: set[str] = set()
    for rule in reversed(policies.active_rules):
        others = (other for other in policies.active_rules if other is not rule and other.id not in redundant)
        narrower = Placed(policies, rule)
        wider = next((other for other in others if _makes_redundant(Placed(policies, other), narrower)), None)
        if wider is not None:
            redundant.add(rule.id)
            message = f"{wider.id} already flags whatever this rule flags, at least as severely"
            diagnostics.warning("P054", rule.span, message, "remove one of the two, or let this one say more")


def _makes_redundant(wider: Placed, narrower: Placed) -> bool:
    return (
        wider.rule.mode == "live"
        and _says_as_much(wider.rule, narrower.rule)
        # A rule on more signals is very rarely wider, and trying it would be slow in large folders.
        and _signals(wider.rule) <= _signals(narrower.rule)
        and _fires_whenever(wider, narrower)
        # Where the narrower one matches, the wider one must too: for a missing score it would give another reason.
        and _within(narrower, wider, ScoreRegions.matches)
    )


def _signals(rule: Rule) -> set[str]:
    return {condition.signal.name for condition in rule.conditions}


def _says_as_much(wider: Rule, narrower: Rule) -> bool:
    flag, other = narrower.flag, wider.flag
    is_as_severe = SEVERITIES.index(other.severity) >= SEVERITIES.index(flag.severity)
    return is_as_severe and other.reason == flag.reason and set(flag.labels) <= set(other.labels)


def _fires_whenever(wider: Placed, narrower: Placed) -> bool:
    """Whether `wider` is proven to fire, and to be in force, for every event for which `narrower` does and is."""
    return (
        scope_within(narrower.rule.scope, wider.rule.scope)
        and time_within(narrower.rule, wider.rule)
        and share_within(narrower.rule.rollout, wider.rule.rollout)
        and _exempts_no_more(wider, narrower)
        and _within(narrower, wider, ScoreRegions.fires)
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


def _within(narrower: Placed, wider: Placed, measure: Callable[[ScoreRegions, BoundedRule], Regions]) -> bool:
    """Whether what is measured of `narrower` is within the same of `wider`, for each model that both can judge for.

    A folder with a percent phrase is refused for a model without a calibration; other phrases mean the same for all.
    """
    calibrated = [set(one.policies.calibrations) for one in (wider, narrower) if _has_percent(one.rule)]
    models = set.intersection(*calibrated) if calibrated else {""}
    return bool(models) and all(_within_for(model, narrower, wider, measure) for model in models)


def _has_percent(rule: Rule) -> bool:
    return any(condition.percent is not None for condition in rule.conditions)


def _within_for(
    model: str, narrower: Placed, wider: Placed, measure: Callable[[ScoreRegions, BoundedRule], Regions]
) -> bool:
    one, other = (with_bounds(each.rule, each.policies.calibration_of(model)) for each in (narrower, wider))
    if one is None or other is None:
        return False
    regions = score_regions(one, other)
    return regions is not None and not measure(regions, one) & ~measure(regions, other)
