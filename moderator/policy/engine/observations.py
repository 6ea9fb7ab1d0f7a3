"""Signals that no model gives, compiled into what reads them from an event: they are known whatever a model does.

A fact follows from the event's metadata alone, so that a recorded event has it too.
"""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from moderator.events import Cause, ChatEvent, MetadataValue
from moderator.policy.engine.readings import Reading
from moderator.policy.language.ast import Signal
from moderator.policy.language.scale import MAX_FACT, MILLION

Observer = Callable[[ChatEvent], Reading]
"""Reads one signal from an event."""

_ZERO: Final[Reading] = (0, 0, 0.0, None)
"""What most texts have of most signals."""
_DECIMAL: Final = re.compile(r"(?P<sign>-?)0*(?P<whole>[0-9]+)(?:\.(?P<decimals>[0-9]+))?")
_WHOLE_DIGITS: Final = 10
_KEPT_DECIMALS: Final = 20


def compile_observer(signal: Signal) -> Observer:
    """Compile how a signal without members that no model gives is read from an event."""
    if signal.text is not None:
        return _measured(signal.name)
    assert signal.fact is not None
    key = signal.fact.key

    def observe(event: ChatEvent) -> Reading:
        return reading_of(signal, _number(event.metadata.get(key) if event.metadata else None))

    return observe


def _measured(name: str) -> Observer:
    """Compile how a measure of the text is read, which is a number on its scale or is missing with its text."""

    def observe(event: ChatEvent) -> Reading:
        score = event.text_scores.get(name) if event.text_scores else None
        if score is None:
            return None, 0, None, "absent"
        if not score:
            return _ZERO
        micro = round(score * MILLION)
        return micro, micro, micro / MILLION, None

    return observe


def reading_of(signal: Signal, number: Fraction | Cause) -> Reading:
    """Give what a signal reads from a number, or from the lack of one: rounded once, and missing if implausible."""
    if not isinstance(number, Fraction):
        return None, 0, None, number
    micro = round(number * MILLION)
    least, greatest = signal.plausible
    if not least <= micro <= greatest:
        return None, 0, None, "implausible"
    return micro, micro, micro / MILLION, None


def _number(value: MetadataValue | None) -> Fraction | Cause:
    """Read a number, or text that is one in plain decimal."""
    if isinstance(value, str):
        return _decimal(value.strip())
    if value is None or isinstance(value, bool):
        return "absent" if value is None else "not_a_number"
    if isinstance(value, float) and not math.isfinite(value):
        return "not_finite"
    return Fraction(value)


def _decimal(text: str) -> Fraction | Cause:
    found = _DECIMAL.fullmatch(text)
    if found is None:
        return "not_a_number" if text else "absent"
    whole, decimals = found["whole"], found["decimals"] or "0"
    # Python refuses to read thousands of digits, and nobody sends them seriously.
    if len(whole) > _WHOLE_DIGITS:
        return Fraction(MAX_FACT + 1)
    rest = "1" if decimals[_KEPT_DECIMALS:].strip("0") else ""  # only whether there is more decides a tie
    return Fraction(f"{found['sign']}{whole}.{decimals[:_KEPT_DECIMALS]}{rest}")
