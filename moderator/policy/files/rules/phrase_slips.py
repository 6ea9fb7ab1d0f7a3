"""What people write for a comparison, and the phrase that they mean."""

import re
from fractions import Fraction
from typing import Final

from moderator.policy.language.ast import Signal
from moderator.policy.language.comparisons import COMPARISONS
from moderator.policy.language.scale import parse_decimal, show
from moderator.policy.syntax.diagnostics import in_quotes
from moderator.policy.syntax.yaml_tree import Scalar

_WORDS: Final = {
    "below": "less than|lower than|fewer than|smaller than|younger than|under",
    "above": "more than|greater than|higher than|larger than|bigger than|older than|over|exceeds",
    "at most": "no more than|not more than|up to|max|maximum",
    "at least": "no less than|not less than|no fewer than|min|minimum",
}
_SAID: Final = tuple((re.compile(f"(?:is )?(?:{other}) "), f"{words} ") for words, other in _WORDS.items())
_NUMBER: Final = r"(-?[0-9]+(?:\.[0-9]+)?)"
_BETWEEN: Final = re.compile(rf"(?:between {_NUMBER} and {_NUMBER}|(?:from )?{_NUMBER} ?(?:-|\u2013|to) ?{_NUMBER})")
_PERCENT: Final = re.compile(rf"(below|at most|above|at least) {_NUMBER} ?(?:%|percent)")
_COUNTED: Final = re.compile(rf"(.+) {_NUMBER} ([a-z]+)")
_UNIT_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_SHORT_UNITS: Final = {"s": "second", "sec": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day"}
_HUNDRED: Final = 100


def hint_for(node: Scalar, signal: Signal, forms: str) -> str:
    """Say what was meant; where that is not known, the phrases that there are, `forms`."""
    text = _tidied(node.text)
    if signal.kind != "score" and (node.kind == "boolean" or text in ("yes", "true", "found")):
        return "write at least 1"
    if signal.kind != "score" and parse_decimal(text) is not None:
        return f"write at least {text}"
    return (
        _between(text, signal) or _percent(text, signal, forms) or _in_unit(text, signal) or _plain(text, signal, forms)
    )


def _tidied(text: str) -> str:
    """Correct capitals, spaces, a decimal comma, a bare point, and other words for a comparison."""
    better = " ".join(text.lower().replace(",", ".").split()).replace(" %", "%")
    better = re.sub(r"(?<![0-9])\.(?=[0-9])", "0.", better)
    for other, words in _SAID:
        better = other.sub(words, better, count=1) if other.match(better) else better
    return better


def _between(text: str, signal: Signal) -> str:
    found = _BETWEEN.fullmatch(text)
    if found is None or signal.is_percent_only:
        return ""
    low, high = (number for number in found.groups() if number is not None)
    name = in_quotes(signal.name)
    return f"write all: [{{{name}: at least {low}}}, {{{name}: at most {high}}}]"


def _percent(text: str, signal: Signal, forms: str) -> str:
    """Explain a percentage where a score is compared: on a scale from 0 to 1 it is a score, else a share of events."""
    found = _PERCENT.fullmatch(text)
    if found is None:
        return ""
    words, number = found[1], Fraction(found[2])
    if signal.scale.low == 0 and signal.scale.high == 1:
        return f"did you mean {words} {float(number / _HUNDRED):.2f}? {forms}"
    if signal.kind != "score":
        return f"{signal.name} takes a number: write such as {words} {show(number)}"
    end = "lowest" if words in ("below", "at most") else "highest"
    return f"a share of events is `in the {end} {show(number)}%`"


def _in_unit(text: str, signal: Signal) -> str:
    """Convert a time that is given in another unit than the signal's."""
    found, unit = _COUNTED.fullmatch(text), _seconds(signal.scale.unit or "")
    given = _seconds(found[3]) if found else None
    if found is None or unit is None or given is None or unit == given:
        return ""
    better = f"{found[1]} {show(Fraction(found[2]) * given / unit)}"
    return f"the unit is {signal.scale.unit}: did you mean {better}?" if _is_phrase(better) else ""


def _seconds(unit: str) -> int | None:
    name = unit.lower()
    return _UNIT_SECONDS.get(_SHORT_UNITS.get(name, name.removesuffix("s")))


def _plain(text: str, signal: Signal, forms: str) -> str:
    """Correct a symbol, a missing `in the`, or the signal's unit behind the number."""
    better = f"in the {text}" if text.startswith(("lowest", "highest")) else text
    if symbol := re.match("[<>]=?", better):
        meant = next(each for each in COMPARISONS if (each.takes, each.relation) == ("number", symbol[0]))
        better = meant.write(_tidied(better.removeprefix(symbol[0])))
    unit = signal.scale.unit
    better = better.removesuffix(f" {unit.lower()}") if unit else better
    return f'did you mean "{better}"? {forms}' if _is_phrase(better) else forms


def _is_phrase(text: str) -> bool:
    numbers = (each.number_in(text) for each in COMPARISONS)
    return any(number == "" or (number and parse_decimal(number.removesuffix("%")) is not None) for number in numbers)
