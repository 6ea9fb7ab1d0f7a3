"""Proofs that one rule flags at least what another does, whatever the event, its scores and its time.

Sound, not complete: True is proven, False only means that no proof was found. Expressions are compared by asking the
judge itself about every combination of score ranges between the limits of both rules; all else by inclusion.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from moderator.events import ChatEvent, Turn
from moderator.policy.inclusion import scope_within, share_within, time_within
from moderator.policy.judge import Judge
from moderator.policy.model import Rule, Scope
from moderator.policy.percent import bounds_beside
from moderator.policy.policy_set import PolicySet
from moderator.policy.scale import MAX_MICRO, MILLION

MAX_COMBINATIONS = 20_000
"""Rules with more combinations of score ranges are not compared; at 20 µs each this takes half a second."""

_ANY_EVENT = ChatEvent(id="", conversation=(Turn("assistant", ""),))
# An objective that no rule reads: with it an event is never unscored, so rules are always evaluated.
_UNREAD = ""


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
    edges = _edges(model, (wider, narrower))
    if prod(len(values) + 1 for values in edges.values()) > MAX_COMBINATIONS:
        return False
    objectives = [*edges, _UNREAD]
    first, second = (_bare_judge(placed, objectives, model) for placed in (narrower, wider))
    for combination in product(*([*values, None] for values in edges.values())):
        rewards = [*(None if micro is None else micro / MILLION for micro in combination), 0.0]
        if _acts(first, rewards) and not _acts(second, rewards):
            return False
    return True


def _edges(model: str, placed: Iterable[Placed]) -> dict[str, list[int]]:
    """Give, by objective, the least reward of each range within which no comparison of any rule changes."""
    edges: dict[str, set[int]] = {}
    for one in placed:
        calibration = one.policies.calibration_of(model)
        for condition in one.rule.conditions:
            bounds = bounds_beside(condition, calibration)
            turns = () if bounds is None else (bounds[0], bounds[1] + 1)
            for signal in condition.signal.members or (condition.signal,):
                least, greatest = signal.plausible
                found = edges.setdefault(signal.objective, {-MAX_MICRO})
                found.update(edge for edge in (*turns, least, greatest + 1) if -MAX_MICRO <= edge <= MAX_MICRO)
    return {objective: sorted(found) for objective, found in sorted(edges.items())}


def _bare_judge(placed: Placed, objectives: Sequence[str], model: str) -> Judge:
    """Compile the rule's comparisons alone: always in force, for every event, sparing nobody."""
    rule = replace(placed.rule, mode="live", scope=(), spares=(), starts_ms=None, until_ms=None, rollout=None)
    policy = replace(placed.policies.policies[0], rules=(rule,))
    return replace(placed.policies, policies=(policy,), exemptions=()).bind(objectives, model)


def _acts(judge: Judge, rewards: Sequence[float | None]) -> bool:
    (result,) = judge.decide(_ANY_EVENT, rewards, 0).rules
    return result["counted"]
