"""Signals compiled into what reads them from a model's rewards, for the hot path."""

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from operator import itemgetter

from moderator.events import Cause
from moderator.policy.language.ast import Calibration, Signal
from moderator.policy.language.scale import MAX_REWARD, MILLION, SAFELY_OFF_A_TIE, micro_from

Reading = tuple[int | None, int, float | None, Cause | None]
"""One signal of one event: reward in whole millionths or None, score in millionths, score, and why there is none."""
Chooser = Callable[[Sequence[Reading]], Reading]

# Floats, since arithmetic on a float and an int is slow; the millions are exact all the same.
_FLOAT_MILLION = float(MILLION)
_TOO_SMALL, _TOO_GREAT = -(MAX_REWARD + 1.0), MAX_REWARD + 1.0


CompiledSignal = tuple[int | None, int, int, int, int, int]
"""How a signal is read. A plain tuple: unpacking a named one takes several times as long.

- the position of its objective among the rewards; None where the model lacks it;
- the least and the greatest plausible reward, in whole millionths;
- factor, offset and divisor: millionths of a score = (millionths of the reward x factor + offset) / divisor.
"""


def compile_signal(signal: Signal, objectives: Sequence[str]) -> CompiledSignal:
    """Compile how a signal is read from the rewards, which are in the order of `objectives`."""
    place = objectives.index(signal.objective) if signal.objective in objectives else None
    slope, start = signal.scale.multiply, signal.scale.add * MILLION
    divisor = math.lcm(slope.denominator, start.denominator)
    least, greatest = signal.plausible
    return place, least, greatest, int(slope * divisor), int(start * divisor), divisor


def readings_of(signals: Iterable[CompiledSignal], rewards: Sequence[object]) -> list[Reading]:
    """Give what every signal reads, in the order given."""
    readings: list[Reading] = []
    for place, least, greatest, factor, offset, divisor in signals:
        reward = None if place is None else rewards[place]
        if type(reward) is not float and (not isinstance(reward, (int, float)) or isinstance(reward, bool)):
            readings.append((None, 0, None, "absent" if reward is None else "not_a_number"))
            continue
        # Rounding comes after this guard: an infinite product cannot be rounded.
        if not _TOO_SMALL < reward < _TOO_GREAT:
            is_number = isinstance(reward, int) or math.isfinite(reward)
            readings.append((None, 0, None, "implausible" if is_number else "not_finite"))
            continue
        scaled = reward * _FLOAT_MILLION
        micro = round(scaled)
        if not -SAFELY_OFF_A_TIE < scaled - micro < SAFELY_OFF_A_TIE:
            micro = micro_from(reward)
        if not least <= micro <= greatest:
            readings.append((None, 0, None, "implausible"))
            continue
        score_micro = micro * factor + offset
        if divisor != 1:
            score_micro = round(Fraction(score_micro, divisor))
        readings.append((micro, score_micro, score_micro / MILLION, None))
    return readings


def compile_chooser(signal: Signal, positions: Sequence[int]) -> Chooser:
    """Compile how a derived signal follows from its members, whose readings are at `positions`; it needs all."""
    get = itemgetter(*positions)
    choose = min if signal.reward_pick == "least" else max

    def read(readings: Sequence[Reading]) -> Reading:
        members: tuple[Reading, ...] = get(readings)
        for member in members:
            if member[0] is None:
                return member
        return choose(members)

    return read


def noise_of(signal: Signal, calibration: Calibration | None) -> int:
    """Give how far apart one text's scores may be, in whole millionths of a score; 0 where it was not measured.

    Facts and measures of the text have no noise.
    """
    if calibration is None or signal.kind != "score":
        return 0
    noises = [calibration.noise_micro.get(objective, 0) for objective in signal.objectives]
    return math.floor(max(noises) * abs(signal.scale.multiply))
