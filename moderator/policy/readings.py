"""Signals compiled into functions that read them from a model's rewards, for the hot path."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from operator import itemgetter

from moderator.events import Cause
from moderator.policy.model import Calibration, Signal
from moderator.policy.scale import MAX_REWARD, MILLION, SAFELY_OFF_A_TIE, micro_from

Reading = tuple[int | None, int, float | None, Cause | None]
"""One signal of one event: reward in whole millionths or None, score in millionths, score, and why there is none."""
Reader = Callable[[Sequence[object]], Reading]
Chooser = Callable[[Sequence[Reading]], Reading]

_UNSURE = MAX_REWARD + 1


def compile_reader(signal: Signal, objectives: Sequence[str]) -> Reader:
    """Compile how a signal is read from the rewards, which are in the order of `objectives`."""
    if signal.objective not in objectives:
        return lambda _: (None, 0, None, "absent")
    index = objectives.index(signal.objective)
    least, greatest = signal.plausible
    slope, start = signal.scale.multiply, signal.scale.add * MILLION
    divisor = math.lcm(slope.denominator, start.denominator)
    factor, offset = int(slope * divisor), int(start * divisor)

    def read(rewards: Sequence[object]) -> Reading:
        reward = rewards[index]
        if type(reward) is not float and (not isinstance(reward, (int, float)) or isinstance(reward, bool)):
            return None, 0, None, "absent" if reward is None else "not_a_number"
        # Rounding comes after this guard: an infinite product cannot be rounded.
        if not -_UNSURE < reward < _UNSURE:
            is_number = isinstance(reward, int) or math.isfinite(reward)
            return None, 0, None, "implausible" if is_number else "not_finite"
        scaled = reward * MILLION
        micro = round(scaled)
        if not -SAFELY_OFF_A_TIE < scaled - micro < SAFELY_OFF_A_TIE:
            micro = micro_from(reward)
        if not least <= micro <= greatest:
            return None, 0, None, "implausible"
        score_micro = micro * factor + offset
        if divisor != 1:
            score_micro = round(Fraction(score_micro, divisor))
        return micro, score_micro, score_micro / MILLION, None

    return read


def compile_chooser(signal: Signal, positions: Sequence[int]) -> Chooser:
    """Compile how a derived signal follows from its members, whose readings stand at `positions`; it needs all."""
    # One scale for all, so the order of rewards is that of scores, or its reverse.
    get = itemgetter(*positions)
    choose = min if (signal.pick == "lowest") == (signal.scale.multiply > 0) else max

    def read(readings: Sequence[Reading]) -> Reading:
        members: tuple[Reading, ...] = get(readings)
        for member in members:
            if member[0] is None:
                return member
        return choose(members)

    return read


def noise_of(signal: Signal, calibration: Calibration | None) -> int:
    """Give how far one text's scores may lie apart, in whole millionths of a score; 0 where it was not measured."""
    if calibration is None:
        return 0
    noises = [calibration.noise_micro.get(objective, 0) for objective in signal.objectives]
    return math.floor(max(noises) * abs(signal.scale.multiply))
