"""The grammar of comparisons: `below N` and its like, `in the lowest P%`, `in the highest P%`, `missing`."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from moderator.policy.language.ast import Condition, Signal
from moderator.policy.language.comparisons import Comparison
from moderator.policy.language.scale import fits_six_decimals, parse_decimal, show
from moderator.policy.syntax.diagnostics import Diagnostics, Span, quote
from moderator.policy.syntax.yaml_tree import Broken, Node, Scalar

_PERCENT_FORMS = "in the lowest 2%, in the highest 2%, or missing"
FORMS = f"write below 0.30, at most 0.30, at least 0.30, above 0.30, {_PERCENT_FORMS}"

_PHRASE = re.compile(r"(below|at most|at least|above) (-?[0-9.]+)")
_PERCENT = re.compile(r"(in the lowest|in the highest) ([0-9.]+)%")
_LEAST_PERCENT, _GREATEST_PERCENT = Fraction(1, 10), Fraction(50)
_SYMBOLS = {"<=": "at most ", ">=": "at least ", "<": "below ", ">": "above "}
_HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Phrase:
    """A comparison as read, not yet held against a signal; N in `limit`, P in `percent`."""

    comparison: Comparison
    limit: Fraction | None = None
    percent: Fraction | None = None


def parse_phrase(text: str) -> Phrase | None:
    """Read a phrase; None when it is none."""
    if text == "missing":
        return Phrase("missing")
    match = _PHRASE.fullmatch(text) or _PERCENT.fullmatch(text)
    number = parse_decimal(match[2]) if match else None
    if match is None or number is None:
        return None
    comparison = cast("Comparison", match[1])
    return Phrase(comparison, percent=number) if text.endswith("%") else Phrase(comparison, limit=number)


def read_condition(signal: Signal, node: Node, diagnostics: Diagnostics) -> Condition | None:
    """Read the phrase beside a signal's name and hold it against the signal's scale."""
    if isinstance(node, Broken):
        return None
    if not isinstance(node, Scalar):
        diagnostics.error("P030", node.span, f"a comparison with {signal.name} must be a short phrase", FORMS)
        return None
    phrase = parse_phrase(node.text)
    if phrase is None:
        _report_no_phrase(node, signal.scale.unit, diagnostics)
        return None
    if not _limit_is_sound(signal, phrase, node.span, diagnostics) or not _percent_is_sound(
        phrase, node.span, diagnostics
    ):
        return None
    return Condition(signal, phrase.comparison, phrase.limit, node.text, node.span, phrase.percent)


def _report_no_phrase(node: Scalar, unit: str | None, diagnostics: Diagnostics) -> None:
    better = _mended(node.text, unit)
    hint = f'did you mean "{better}"? {FORMS}' if better else FORMS
    diagnostics.error("P030", node.span, f"{quote(node.text)} is not a comparison", hint)


def _mended(text: str, unit: str | None) -> str | None:
    """Undo the usual slips: capitals, spaces, a comma, a bare point, a symbol, `in the` left out, the signal's unit."""
    better = " ".join(text.lower().replace(",", ".").split()).replace(" %", "%")
    better = f"in the {better}" if better.startswith(("lowest", "highest")) else better
    for symbol, words in _SYMBOLS.items():
        if better.startswith(symbol):
            better = words + better.removeprefix(symbol).strip()
            break
    better = re.sub(r"(?<![0-9])\.(?=[0-9])", "0.", better)
    better = better.removesuffix(f" {unit.lower()}") if unit else better
    return better if parse_phrase(better) else None


def _limit_is_sound(signal: Signal, phrase: Phrase, span: Span, diagnostics: Diagnostics) -> bool:
    limit = phrase.limit
    if limit is None:
        return True
    if signal.is_percent_only:
        message = f"{signal.name} has no scale, so a number says nothing"
        diagnostics.error("P027", span, message, f"write {_PERCENT_FORMS}")
        return False
    if not fits_six_decimals(limit):
        diagnostics.error("P032", span, "a limit has at most 6 decimals", f"write {phrase.comparison} {show(limit)}")
        return False
    return _is_on_scale(signal, limit, span, diagnostics)


def _percent_is_sound(phrase: Phrase, span: Span, diagnostics: Diagnostics) -> bool:
    percent = phrase.percent
    if percent is None:
        return True
    if _LEAST_PERCENT <= percent <= _GREATEST_PERCENT and (percent * 10).denominator == 1:
        return True
    step = round(min(max(percent, _LEAST_PERCENT), _GREATEST_PERCENT) * 10)
    hint = f"write {phrase.comparison} {show(Fraction(step, 10))}%"
    diagnostics.error("P036", span, f"{show(percent)}% is not 0.1% to 50% in steps of 0.1%", hint)
    return False


def _is_on_scale(signal: Signal, number: Fraction, span: Span, diagnostics: Diagnostics) -> bool:
    """Whether a number lies on the signal's scale; reported when not."""
    scale = signal.scale
    if scale.low is None or scale.high is None or scale.low <= number <= scale.high:
        return True
    at_low, at_high = ("worst", "best") if signal.good == "high" else ("best", "worst")
    ends = f"from {show(scale.low)} ({at_low}) to {show(scale.high)} ({at_high})"
    message = f"{show(number)} is outside the scale of {signal.name}, which runs {ends}"
    is_percent = scale.low == 0 and scale.high == 1 and 1 < number <= _HUNDRED
    hint = f"did you mean {float(number / _HUNDRED):.2f}?" if is_percent else "choose a number on the scale"
    diagnostics.error("P031", span, message, hint)
    return False
