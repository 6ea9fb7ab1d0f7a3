"""Proofs that one rule flags at least what another does, whatever the event, its scores and its time.

Sound, not complete: True is proven, False only means that no proof was found. Expressions are compared at every
combination of score ranges between the limits of both rules; all else by inclusion.
"""

from dataclasses import dataclass

from moderator.policy.analysis.inclusion import scope_within, share_within, time_within
from moderator.policy.analysis.score_regions import bound, ranges_of
from moderator.policy.language.ast import Rule, Scope
from moderator.policy.policy_set import PolicySet


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule in its folder."""

    policies: PolicySet
    rule: Rule


def covers(wider: Placed, narrower: Placed) -> bool:
    """Whether `wider` is proven to count for every event that `narrower` counts for."""
    if narrower.rule.mode != "live":
        return True
    return (
        wider.rule.mode == "live"
        and scope_within(narrower.rule.scope, wider.rule.scope)
        and time_within(narrower.rule, wider.rule)
        and share_within(narrower.rule.rollout, wider.rule.rollout)
        and _spares_no_more(wider, narrower)
        and _acts_whenever(wider, narrower)
    )


@dataclass(frozen=True, slots=True)
class _Spared:
    """Whom a rule spares, and when: whole milliseconds, the first included, the last not; None has no end."""

    scope: Scope
    from_ms: int | None = None
    until_ms: int | None = None

    def is_spared_by(self, other: "_Spared", domain: Scope) -> bool:
        """Whether `other` spares whatever this does among the events of `domain`."""
        begins = other.from_ms is None or (self.from_ms is not None and other.from_ms <= self.from_ms)
        ends = other.until_ms is None or (self.until_ms is not None and other.until_ms >= self.until_ms)
        return begins and ends and scope_within((*domain, *self.scope), other.scope)


def _spares_no_more(wider: Placed, narrower: Placed) -> bool:
    spared = _spared_by(narrower)
    domain = narrower.rule.scope
    return all(any(one.is_spared_by(other, domain) for other in spared) for one in _spared_by(wider))


def _spared_by(placed: Placed) -> list[_Spared]:
    exemptions = (one for one in placed.policies.exemptions if placed.rule.id in one.covers)
    return [
        *(_Spared(scope) for scope in placed.rule.spares),
        *(_Spared(one.scope, one.added_ms, one.until_ms) for one in exemptions),
    ]


def _acts_whenever(wider: Placed, narrower: Placed) -> bool:
    """Whether `wider` is proven to match, or to act for want of a score, whenever `narrower` does.

    Held for each model that both can be judged for: without a calibration of it, a folder with a percent phrase is
    refused, and other phrases mean the same for any model.
    """
    calibrated = [set(one.policies.calibrations) for one in (wider, narrower) if _has_percent(one.rule)]
    models = set.intersection(*calibrated) if calibrated else {""}
    return bool(models) and all(_acts_whenever_for(model, wider, narrower) for model in models)


def _has_percent(rule: Rule) -> bool:
    return any(condition.percent is not None for condition in rule.conditions)


def _acts_whenever_for(model: str, wider: Placed, narrower: Placed) -> bool:
    one, other = (bound(each.rule, each.policies.calibration_of(model)) for each in (narrower, wider))
    if one is None or other is None:
        return False
    ranges = ranges_of(one, other)
    return ranges is not None and not ranges.acts(one) & ~ranges.acts(other)
