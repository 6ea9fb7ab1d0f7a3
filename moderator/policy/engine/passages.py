"""What signals read from several passages of one message: of each the worst, and which passage that is in."""

from collections.abc import Sequence

from moderator.policy.engine.readings import Reading
from moderator.policy.language.ast import Signal


def worst_readings(passages: Sequence[Sequence[Reading]], least: Sequence[bool]) -> tuple[list[Reading], list[int]]:
    """Give each signal's worst reading, and the passage that it is from; one that is missing anywhere is missing.

    Args:
        passages: of each passage, what every signal reads.
        least: of each signal, whether its least reward is the worst.
    """
    origins = [
        _worst(column, is_least=is_least) for column, is_least in zip(zip(*passages, strict=True), least, strict=True)
    ]
    return [passages[origin][signal] for signal, origin in enumerate(origins)], origins


def worst_rewards(
    passages: Sequence[Sequence[float]], objectives: Sequence[str], signals: Sequence[Signal]
) -> list[float]:
    """Give the reward of each objective that its signals take: the least, unless all of them take the greatest.

    Args:
        passages: of each passage, k rewards.
        objectives: k names in the order of the rewards.
        signals: of the policies, those that are read from an objective.
    """
    greatest = {signal.objective for signal in signals if not signal.takes_least}
    greatest -= {signal.objective for signal in signals if signal.takes_least}
    columns = zip(objectives, zip(*passages, strict=True), strict=True)
    return [max(rewards) if objective in greatest else min(rewards) for objective, rewards in columns]


def _worst(readings: Sequence[Reading], *, is_least: bool) -> int:
    """Give the place of the first that is missing, else of the first with the worst reward."""
    rewards = [reading[0] for reading in readings]
    if None in rewards:
        return rewards.index(None)
    known = [reward for reward in rewards if reward is not None]
    return known.index(min(known) if is_least else max(known))
