"""Whether scopes, times and shares are within one another; sound, so False only means that it is not certain."""

from moderator.policy.language.ast import FieldMatch, Rollout, Rule, Scope
from moderator.policy.language.fields import CLOSED_FIELDS


def scope_within(inner: Scope, outer: Scope) -> bool:
    """Whether every event that fits `inner` is sure to fit `outer`."""
    return all(any(_line_within(line, wider) for line in inner) for wider in outer)


def time_within(inner: Rule, outer: Rule) -> bool:
    """Whether `outer` is in force whenever `inner` is."""
    starts = outer.starts_ms is None or (inner.starts_ms is not None and outer.starts_ms <= inner.starts_ms)
    ends = outer.until_ms is None or (inner.until_ms is not None and outer.until_ms >= inner.until_ms)
    return starts and ends


def share_within(inner: Rollout | None, outer: Rollout | None) -> bool:
    """Whether every unit inside `inner` is inside `outer`."""
    if inner is None or outer is None:
        return outer is None
    return (inner.unit, inner.seed) == (outer.unit, outer.seed) and inner.percent <= outer.percent


def can_both_fit(first: FieldMatch, second: FieldMatch) -> bool:
    """Whether one value fits both lines, which are of one field."""
    if any(_fits(second, value) for value in first.exact) or any(_fits(first, value) for value in second.exact):
        return True
    return any(a.startswith(b) or b.startswith(a) for a in first.prefixes for b in second.prefixes)


def _line_within(inner: FieldMatch, outer: FieldMatch) -> bool:
    if inner.field != outer.field:
        return False
    if inner.field in CLOSED_FIELDS:
        return all(_fits(outer, value) for value in CLOSED_FIELDS[inner.field] if _fits(inner, value))
    is_exact_within = all(_fits(outer, value) for value in inner.exact)
    return is_exact_within and all(prefix.startswith(outer.prefixes) for prefix in inner.prefixes)


def _fits(line: FieldMatch, value: str) -> bool:
    return value in line.exact or value.startswith(line.prefixes)
