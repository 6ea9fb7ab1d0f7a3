"""The grammar of comparisons: `below N`, `at most N`, `at least N`, `above N`, `missing`."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from moderator.policy.model import Comparison, Condition, Signal
from moderator.policy.problems import Report, Span, quote
from moderator.policy.scale import fits_six_decimals, parse_decimal, show
from moderator.policy.yaml_tree import Broken, Node, Scalar

FORMS = "write below 0.30, at most 0.30, at least 0.30, above 0.30, or missing"

_PHRASE = re.compile(r"(below|at most|at least|above) (-?[0-9.]+)")
_PERCENT = re.compile(r"in the (lowest|highest) [0-9.]+%")
_SYMBOLS = {"<=": "at most ", ">=": "at least ", "<": "below ", ">": "above "}
_HUNDRED = 100


@dataclass(frozen=True, slots=True)
class Phrase:
    """A comparison as read, not yet held against a signal."""

    comparison: Comparison
    limit: Fraction | None


def parse_phrase(text: str) -> Phrase | None:
    """Read a phrase; None when it is none."""
    if text == "missing":
        return Phrase("missing", None)
    match = _PHRASE.fullmatch(text)
    limit = parse_decimal(match[2]) if match else None
    if match is None or limit is None:
        return None
    return Phrase(cast("Comparison", match[1]), limit)


def read_condition(signal: Signal, node: Node, report: Report) -> Condition | None:
    """Read the phrase beside a signal's name and hold it against the signal's scale."""
    if isinstance(node, Broken):
        return None
    if not isinstance(node, Scalar):
        report.error("P030", node.span, f"a comparison with {signal.name} must be a short phrase", FORMS)
        return None
    phrase = parse_phrase(node.text)
    if phrase is None:
        _report_no_phrase(node, report)
        return None
    if not _limit_is_sound(signal, phrase, node.span, report):
        return None
    return Condition(signal, phrase.comparison, phrase.limit, node.text, node.span)


def _report_no_phrase(node: Scalar, report: Report) -> None:
    if _PERCENT.fullmatch(node.text):
        report.error("P009", node.span, "percent phrases are not known to this version", FORMS)
        return
    better = _mended(node.text)
    hint = f'did you mean "{better}"? {FORMS}' if better else FORMS
    report.error("P030", node.span, f"{quote(node.text)} is not a comparison", hint)


def _mended(text: str) -> str | None:
    """Undo the usual slips: capitals, spaces, a comma, a bare point, a symbol, a percent sign left out on purpose."""
    better = " ".join(text.lower().replace(",", ".").split())
    for symbol, words in _SYMBOLS.items():
        if better.startswith(symbol):
            better = words + better.removeprefix(symbol).strip()
            break
    better = re.sub(r"(?<![0-9])\.(?=[0-9])", "0.", better)
    return better if parse_phrase(better) else None


def _limit_is_sound(signal: Signal, phrase: Phrase, span: Span, report: Report) -> bool:
    limit = phrase.limit
    if limit is None:
        return True
    if not fits_six_decimals(limit):
        report.error("P032", span, "a limit has at most 6 decimals", f"write {phrase.comparison} {show(limit)}")
        return False
    return _is_on_scale(signal, limit, span, report)


def _is_on_scale(signal: Signal, number: Fraction, span: Span, report: Report) -> bool:
    """Whether a number lies on the signal's scale; reported when not."""
    scale = signal.scale
    if scale.low is None or scale.high is None or scale.low <= number <= scale.high:
        return True
    at_low, at_high = ("worst", "best") if signal.good == "high" else ("best", "worst")
    ends = f"from {show(scale.low)} ({at_low}) to {show(scale.high)} ({at_high})"
    message = f"{show(number)} is outside the scale of {signal.name}, which runs {ends}"
    is_percent = scale.low == 0 and scale.high == 1 and 1 < number <= _HUNDRED
    hint = f"did you mean {float(number / _HUNDRED):.2f}?" if is_percent else "choose a number on the scale"
    report.error("P031", span, message, hint)
    return False
