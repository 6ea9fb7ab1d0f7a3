"""Signals as OpenAI's categories: which of them flag, and each score as a share of how bad it may be."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from moderator.events import Decision, ModelIdentity
from moderator.policy import PolicySet
from moderator.policy.language.ast import Calibration, Signal
from moderator.policy.language.bounds import quantiles_of
from moderator.policy.language.scale import MILLION, micro_from

_STEPS: Final = 1_000
Share = Callable[[Decision], float | None]


class Categories:
    """The signals that a model gives under some policies and that can be mapped.

    Attributes:
        names: in the order in which they are declared.
    """

    def __init__(self, policies: PolicySet, model: ModelIdentity) -> None:
        calibration = policies.calibration_of(model.name)
        given = [signal for signal in policies.signals if _is_given(signal, model)]
        shares = {signal.name: _share_of(signal, calibration) for signal in given}
        self._shares: Mapping[str, Share] = {name: share for name, share in shares.items() if share is not None}
        self.names = tuple(self._shares)

    def scores(self, decision: Decision) -> dict[str, float | None]:
        """Give 0 to 1 for each, higher is worse, 6 decimals; None where there is no usable score."""
        return {name: share(decision) for name, share in self._shares.items()}

    def hits(self, decision: Decision) -> dict[str, bool]:
        """Check for each whether a rule that counts has a condition on it that holds."""
        held = {
            condition["signal"]
            for rule in decision["rules"]
            if rule["counted"]
            for condition in rule["conditions"]
            if condition["part"] == "when" and condition["holds"]
        }
        return {name: name in held for name in self.names}


def _is_given(signal: Signal, model: ModelIdentity) -> bool:
    return signal.kind == "score" and all(objective in model.objectives for objective in signal.objectives)


def _share_of(signal: Signal, calibration: Calibration | None) -> Share | None:
    low, high = signal.scale.low, signal.scale.high
    if low is not None and high is not None:
        return lambda decision: _share_of_scale(decision["scores"]["signals"].get(signal.name), signal, low, high)
    quantiles = None if calibration is None else quantiles_of(signal, calibration)
    return (
        None if quantiles is None else lambda decision: _share_of_events(_reward(decision, signal), signal, quantiles)
    )


def _share_of_scale(score: float | None, signal: Signal, low: Fraction, high: Fraction) -> float | None:
    if score is None:
        return None
    exact = Fraction(Decimal(repr(score)))
    share = (high - exact if signal.good == "high" else exact - low) / (high - low)
    return round(min(Fraction(1), max(Fraction(0), share)) * MILLION) / MILLION


def _share_of_events(reward: float | None, signal: Signal, quantiles: tuple[int, ...]) -> float | None:
    """Give how many calibrated events had a better reward."""
    if reward is None:
        return None
    below = max(0, bisect_right(quantiles, micro_from(reward)) - 1)
    return (_STEPS - below if signal.good == "high" else below) / _STEPS


def _reward(decision: Decision, signal: Signal) -> float | None:
    """Give the reward that a signal without a scale is: its objective's, or the one of its members' that it picks."""
    rewards = decision["scores"]["objectives"]
    given = [reward for objective in signal.objectives if (reward := rewards.get(objective)) is not None]
    if decision["scores"]["signals"].get(signal.name) is None or not given:
        return None
    return min(given) if signal.reward_pick == "least" else max(given)
