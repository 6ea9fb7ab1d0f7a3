"""Rules checked against calibrations: percent phrases without quantiles, shares with ties, limits finer than noise."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import ceil, floor

from moderator.policy.engine.readings import noise_of
from moderator.policy.language.ast import Calibration, Condition, Rule
from moderator.policy.language.bounds import quantiles_of, true_percent
from moderator.policy.language.scale import MILLION, Scale, show
from moderator.policy.syntax.diagnostics import Diagnostics, quote

_TIES = Fraction(1, 10)
"""Shares are known to a tenth of a percent."""
_FIRST_STEPS = (5, 2, 1)


def check_calibrated(rules: Iterable[Rule], calibrations: Mapping[str, Calibration], diagnostics: Diagnostics) -> None:
    """Report what the live and shadow rules say and the calibrations do not support."""
    for rule in rules:
        for condition in rule.conditions if rule.mode != "off" else ():
            if condition.percent is not None:
                _check_percent(condition, calibrations, diagnostics)
            elif condition.limit is not None:
                _check_fineness(condition, condition.limit, calibrations, diagnostics)


def _check_percent(condition: Condition, calibrations: Mapping[str, Calibration], diagnostics: Diagnostics) -> None:
    signal = condition.signal
    if not calibrations:
        message = f"{quote(condition.phrase)} needs a calibration, and signals.yaml names none"
        diagnostics.error("P037", condition.span, message, "write one with `moderator model calibrate`")
    for calibration in calibrations.values():
        if quantiles_of(signal, calibration) is None:
            was_otherwise = " as it is defined now" if signal.name in calibration.derived else ""
            message = f"{calibration.file} does not hold {signal.name}{was_otherwise}"
            diagnostics.error("P037", condition.span, message, "calibrate again with `moderator model calibrate`")
            return
        share = true_percent(condition, calibration)
        assert share is not None
        assert condition.percent is not None
        if share - condition.percent > _TIES:
            message = f"{quote(condition.phrase)} really catches {show(share)}% of the events in {calibration.file}"
            diagnostics.warning("P039", condition.span, message, "many scores are equal; a share cannot separate them")


def _check_fineness(
    condition: Condition, limit: Fraction, calibrations: Mapping[str, Calibration], diagnostics: Diagnostics
) -> None:
    """Warn when only scores within their own noise could distinguish the limit from a rounder one."""
    for calibration in calibrations.values():
        noise = Fraction(noise_of(condition.signal, calibration), MILLION)
        if _step_of(limit) < noise:
            message = f"scores of {condition.signal.name} may be off by {show(noise)}, so {show(limit)} is too fine"
            rounder = _rounder(limit, noise, condition.signal.scale)
            hint = (
                "no limit on its scale is coarse enough"
                if rounder is None
                else f"write {condition.comparison.write(show(rounder))}"
            )
            diagnostics.warning("P038", condition.span, message, hint)
            return


def _step_of(limit: Fraction) -> Fraction:
    """Give the greatest of 500, 200, 100, ... 0.5, 0.2, 0.1, ... of which the limit is a multiple."""
    return next(step for step in _steps() if (limit / step).denominator == 1)


def _rounder(limit: Fraction, noise: Fraction, scale: Scale) -> Fraction | None:
    """Give the nearest limit between the ends of the scale that is not finer than the noise; None without one."""
    assert scale.low is not None
    assert scale.high is not None
    step = next((step for step in reversed(_steps()) if step >= noise), None)
    if step is None:
        return None
    least, greatest = floor(scale.low / step) + 1, ceil(scale.high / step) - 1
    return min(max(round(limit / step), least), greatest) * step if least <= greatest else None


def _steps() -> list[Fraction]:
    return [first * Fraction(10) ** power for power in range(2, -7, -1) for first in _FIRST_STEPS]
