"""The phrase after a signal's name, such as `below 0.30` -> `Condition`."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from moderator.policy.files.rules.phrase_slips import hint_for
from moderator.policy.language.ast import Condition, Signal
from moderator.policy.language.bounds import GREATEST_PERCENT, LEAST_PERCENT
from moderator.policy.language.comparisons import COMPARISONS, Comparison
from moderator.policy.language.scale import fits_six_decimals, parse_decimal, show
from moderator.policy.syntax.diagnostics import Diagnostics, Span, quote
from moderator.policy.syntax.yaml_tree import Broken, Node, Scalar

_EXAMPLES = {"number": "0.30", "percent": "2%", "nothing": ""}
_HUNDRED = 100


def _forms(comparisons: Iterable[Comparison]) -> str:
    *others, last = (each.write(_EXAMPLES[each.takes]) for each in comparisons)
    return f"write {', '.join(others)}, or {last}"


FORMS = _forms(COMPARISONS)
_FORMS_WITHOUT_PERCENT = _forms(each for each in COMPARISONS if each.takes != "percent")
_FORMS_WITHOUT_SCALE = _forms(each for each in COMPARISONS if each.takes != "number")


def _forms_for(signal: Signal) -> str:
    """List the phrases that suit a signal."""
    if signal.is_percent_only:
        return _FORMS_WITHOUT_SCALE
    return FORMS if signal.kind == "score" else _FORMS_WITHOUT_PERCENT


@dataclass(frozen=True, slots=True)
class Phrase:
    """A comparison as read, not yet checked against a signal."""

    comparison: Comparison
    limit: Fraction | None = None
    percent: Fraction | None = None


def parse_phrase(text: str) -> Phrase | None:
    """Read a phrase; None when it is none."""
    return next((phrase for each in COMPARISONS if (phrase := _parse_as(each, text))), None)


def _parse_as(comparison: Comparison, text: str) -> Phrase | None:
    number = comparison.number_in(text)
    if comparison.takes == "nothing":
        return None if number is None else Phrase(comparison)
    value = parse_decimal((number or "").removesuffix("%"))
    if number is None or value is None or number.endswith("%") != (comparison.takes == "percent"):
        return None
    if comparison.takes == "number":
        return Phrase(comparison, limit=value)
    return Phrase(comparison, percent=value) if value >= 0 else None


def read_condition(signal: Signal, node: Node, diagnostics: Diagnostics) -> Condition | None:
    """Read the phrase after a signal's name and check it against the signal's scale."""
    if isinstance(node, Broken):
        return None
    if not isinstance(node, Scalar):
        diagnostics.error(
            "P030", node.span, f"a comparison with {signal.name} must be a short phrase", _forms_for(signal)
        )
        return None
    phrase = parse_phrase(node.text)
    if phrase is None:
        hint = hint_for(node, signal, _forms_for(signal))
        diagnostics.error("P030", node.span, f"{quote(node.text)} is not a comparison", hint)
        return None
    if not _limit_is_sound(signal, phrase, node.span, diagnostics):
        return None
    if not _percent_is_sound(signal, phrase, node.span, diagnostics):
        return None
    return Condition(signal, phrase.comparison, phrase.limit, node.text, node.span, phrase.percent)


def _limit_is_sound(signal: Signal, phrase: Phrase, span: Span, diagnostics: Diagnostics) -> bool:
    limit = phrase.limit
    if limit is None:
        return True
    if signal.is_percent_only:
        message = f"{signal.name} has no scale, so a number says nothing"
        diagnostics.error("P027", span, message, _FORMS_WITHOUT_SCALE)
        return False
    if not fits_six_decimals(limit):
        diagnostics.error(
            "P032", span, "a limit has at most 6 decimals", f"write {phrase.comparison.write(show(limit))}"
        )
        return False
    return _is_on_scale(signal, limit, span, diagnostics)


def _percent_is_sound(signal: Signal, phrase: Phrase, span: Span, diagnostics: Diagnostics) -> bool:
    percent = phrase.percent
    if percent is None:
        return True
    if signal.kind != "score":
        what = "a fact" if signal.kind == "fact" else "read from the text"
        message = f"{signal.name} is {what}, and no calibration says how its numbers are spread"
        diagnostics.error("P027", span, message, _FORMS_WITHOUT_PERCENT)
        return False
    if LEAST_PERCENT <= percent <= GREATEST_PERCENT and (percent * 10).denominator == 1:
        return True
    step = round(min(max(percent, LEAST_PERCENT), GREATEST_PERCENT) * 10)
    hint = f"write {phrase.comparison.write(f'{show(Fraction(step, 10))}%')}"
    diagnostics.error("P036", span, f"{show(percent)}% is not 0.1% to 50% in steps of 0.1%", hint)
    return False


def _is_on_scale(signal: Signal, number: Fraction, span: Span, diagnostics: Diagnostics) -> bool:
    """Whether a number lies on the signal's scale; reported when not."""
    scale = signal.scale
    is_below, is_above = (scale.low is not None and number < scale.low, scale.high is not None and number > scale.high)
    if not is_below and not is_above:
        return True
    message = f"{show(number)} is outside the scale of {signal.name}, which runs {_ends(signal)}"
    is_percent = scale.low == 0 and scale.high == 1 and 1 < number <= _HUNDRED
    hint = f"did you mean {float(number / _HUNDRED):.2f}?" if is_percent else "choose a number on the scale"
    diagnostics.error("P031", span, message, hint)
    return False


def _ends(signal: Signal) -> str:
    marks = {"high": (" (worst)", " (best)"), "low": (" (best)", " (worst)"), "none": ("", "")}[signal.good]
    ends = zip(("from", "to"), (signal.scale.low, signal.scale.high), marks, strict=True)
    return " ".join(f"{word} {show(end)}{mark}" for word, end, mark in ends if end is not None)
