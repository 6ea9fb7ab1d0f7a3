"""Which verdicts a rule's comparisons can give at all: every combination of score ranges between their limits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod

from moderator.policy.logic import Held
from moderator.policy.model import Calibration, Condition, Signal
from moderator.policy.percent import bounds_beside
from moderator.policy.scale import MAX_MICRO

Bounds = tuple[int, int]
Rewards = Mapping[str, int | None]
"""Objective -> whole millionths of a reward; None for one that is absent."""


def all_verdicts(
    conditions: Sequence[Condition], calibration: Calibration | None, most: int
) -> Iterator[list[Held]] | None:
    """Give what the conditions say together, once for each combination of score ranges; None when there are too many.

    Also None when a percent phrase has no calibration beside it.
    """
    bounds = [bounds_beside(condition, calibration) for condition in conditions]
    known = [each for each in bounds if each is not None]
    if len(known) < len(bounds):
        return None
    ranges = _ranges(conditions, known)
    if prod(map(len, ranges.values())) > most:
        return None
    return _verdicts(conditions, known, ranges)


def _verdicts(
    conditions: Sequence[Condition], bounds: Sequence[Bounds], ranges: Mapping[str, Sequence[int | None]]
) -> Iterator[list[Held]]:
    for combination in product(*ranges.values()):
        rewards = dict(zip(ranges, combination, strict=True))
        yield [_holds(condition, each, rewards) for condition, each in zip(conditions, bounds, strict=True)]


def _ranges(conditions: Iterable[Condition], bounds: Iterable[Bounds]) -> dict[str, list[int | None]]:
    """Give, by objective, the least reward of each range within which no comparison changes, and None for absence."""
    edges: dict[str, set[int]] = {}
    for condition, (low, high) in zip(conditions, bounds, strict=True):
        for signal in condition.signal.members or (condition.signal,):
            least, greatest = signal.plausible
            found = edges.setdefault(signal.objective, {-MAX_MICRO})
            found.update(edge for edge in (low, high + 1, least, greatest + 1) if -MAX_MICRO <= edge <= MAX_MICRO)
    return {objective: [*sorted(found), None] for objective, found in edges.items()}


def _holds(condition: Condition, bounds: Bounds, rewards: Rewards) -> Held:
    micro = _reward(condition.signal, rewards)
    if condition.comparison == "missing":
        return micro is None
    return None if micro is None else bounds[0] <= micro <= bounds[1]


def _reward(signal: Signal, rewards: Rewards) -> int | None:
    if not signal.members:
        micro = rewards[signal.objective]
        return micro if micro is not None and signal.plausible[0] <= micro <= signal.plausible[1] else None
    members = [_reward(member, rewards) for member in signal.members]
    usable = [micro for micro in members if micro is not None]
    if len(usable) < len(members):
        return None
    return min(usable) if (signal.pick == "lowest") == (signal.scale.multiply > 0) else max(usable)
