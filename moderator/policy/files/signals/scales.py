"""A signal's human scale, and its range of plausible numbers."""

import math
from fractions import Fraction

from moderator.policy.files.node_readers import Block, read_block, read_number, read_text
from moderator.policy.language.ast import SignalKind
from moderator.policy.language.scale import MAX_FACT, MAX_REWARD, MILLION, Scale, show
from moderator.policy.syntax.diagnostics import Diagnostics
from moderator.policy.syntax.yaml_tree import Mapping, Node, Scalar

_SCALE_KEYS = ("multiply", "add", "low", "high", "unit")
_ENDS = ("low", "high")
_FACT_FORM = "write such as {low: 0, unit: hours}, or {} for any number"


def read_scale(node: Node | None, diagnostics: Diagnostics) -> Scale | None:
    """Read the scale of a model's scores; `none` where no scale is agreed."""
    if isinstance(node, Scalar) and node.text == "none":
        return Scale()
    block = read_block(node, "scale", _SCALE_KEYS, diagnostics, "write such as {low: 0, high: 1}, or none")
    if block is None:
        return None
    ends = _read_ends(block, "scale", diagnostics)
    multiply = _read_factor(block, "multiply", Fraction(1), diagnostics)
    add = _read_factor(block, "add", Fraction(0), diagnostics)
    shown_unit = _read_unit(block, diagnostics)
    if multiply == 0:
        diagnostics.error("P034", block.span, "multiply cannot be 0", "every score would be the same")
        return None
    if ends is None or multiply is None or add is None:
        return None
    return Scale(multiply, add, *ends, shown_unit)


def read_fact_scale(node: Node | None, diagnostics: Diagnostics) -> Scale | None:
    """Read the scale of a fact, which is sent as it is compared: each of its ends and its unit may be left out."""
    if isinstance(node, Mapping) and not node.entries:
        return Scale()
    if isinstance(node, Scalar) and node.text == "none":
        diagnostics.error("P028", node.span, "a fact always has a scale", _FACT_FORM)
        return None
    block = read_block(node, "scale", _SCALE_KEYS, diagnostics, _FACT_FORM)
    if block is None:
        return None
    converted = [key for key in ("multiply", "add") if block.get(key) is not None]
    for key in converted:
        diagnostics.error("P028", block.span_of(key), "a fact is compared as it is sent", _in_unit(block, key))
    low, high = (None if block.get(key) is None else read_number(block.get(key), key, diagnostics) for key in _ENDS)
    if low is not None and high is not None and low >= high:
        diagnostics.error("P034", block.span, f"low {show(low)} is not below high {show(high)}", "fix the scale")
        return None
    is_sound = not converted and all(
        (end is None) == (block.get(key) is None) for key, end in zip(_ENDS, (low, high), strict=True)
    )
    return Scale(low=low, high=high, unit=_read_unit(block, diagnostics)) if is_sound else None


def _in_unit(block: Block, key: str) -> str:
    unit = block.get("unit")
    named = f"{unit.text}" if isinstance(unit, Scalar) else "the unit that you write"
    return f"remove {key}, and send the number in {named}"


def _read_unit(block: Block, diagnostics: Diagnostics) -> str | None:
    unit = block.get("unit")
    return None if unit is None else read_text(unit, "unit", diagnostics)


def _read_factor(block: Block, key: str, default: Fraction, diagnostics: Diagnostics) -> Fraction | None:
    node = block.get(key)
    return default if node is None else read_number(node, key, diagnostics)


def _read_ends(block: Block, what: str, diagnostics: Diagnostics) -> tuple[Fraction, Fraction] | None:
    low = read_number(block.need("low", "the least score"), "low", diagnostics)
    high = read_number(block.need("high", "the greatest score"), "high", diagnostics)
    if low is None or high is None:
        return None
    if low >= high:
        diagnostics.error("P034", block.span, f"low {show(low)} is not below high {show(high)}", f"fix the {what}")
        return None
    return low, high


def read_plausible(
    node: Node | None, scale: Scale, kind: SignalKind, diagnostics: Diagnostics
) -> tuple[int, int] | None:
    """Turn the range of plausible scores into whole millionths of a reward, or of a fact."""
    furthest = MAX_REWARD if kind == "score" else MAX_FACT
    reach = furthest * MILLION
    if node is None:
        return -reach, reach
    block = read_block(node, "plausible", _ENDS, diagnostics)
    ends = _read_ends(block, "plausible range", diagnostics) if block else None
    if block is None or ends is None:
        return None
    is_above, is_below = (
        scale.high is not None and ends[0] > scale.high,
        scale.low is not None and ends[1] < scale.low,
    )
    if is_above or is_below:
        diagnostics.error("P034", block.span, "no score on the scale is plausible", "fix the plausible range")
        return None
    low, high = sorted(scale.micro_of(end) for end in ends)
    least, greatest = max(-reach, math.ceil(low)), min(reach, math.floor(high))
    if least > greatest:
        what = "reward" if kind == "score" else "number"
        message = f"no {what} from -{furthest} to {furthest} with 6 decimals has a plausible score"
        diagnostics.error("P034", block.span, message, "fix the plausible range or the scale")
        return None
    return least, greatest
