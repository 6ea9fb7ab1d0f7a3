"""signals.yaml -> the signals by name."""

import math
from fractions import Fraction
from typing import Literal

from moderator.policy.model import Signal
from moderator.policy.problems import Report
from moderator.policy.reading import (
    Block,
    read_block,
    read_choice,
    read_entries,
    read_name,
    read_number,
    read_text,
)
from moderator.policy.scale import MAX_MICRO, Scale, show
from moderator.policy.yaml_tree import Node, Scalar

_KEYS = ("about", "from", "scale", "good", "plausible")
_LATER_KEYS = ("lowest_of", "highest_of")
_SCALE_KEYS = ("multiply", "add", "low", "high", "unit")
_GOOD: tuple[Literal["high", "low"], ...] = ("high", "low")


def read_signals(tree: Node, report: Report) -> dict[str, Signal | None]:
    """Read the tree of signals.yaml; a signal with an error stands as None, so that its name is still known."""
    block = read_block(tree, "signals.yaml", ("signals",), report, later=("calibrations",))
    node = block.need("signals", "signals: {safety: {about: …, from: …, scale: …, good: high}}") if block else None
    entries = read_entries(node, "signals", report)
    signals: dict[str, Signal | None] = {}
    for key, value in entries.entries if entries else ():
        name = read_name(key, "a signal's name", report)
        signals[key.text] = _read_signal(name, key, value, report)
    return signals


def _read_signal(name: str | None, key: Scalar, node: Node, report: Report) -> Signal | None:
    block = read_block(node, f"the signal {key.text}", _KEYS, report, _LATER_KEYS)
    if block is None or block.has_later_key:
        return None
    read_text(block.need("about", "one line on what it says"), "about", report)
    objective = read_text(block.need("from", "an objective of the model, such as beavertails-is_safe"), "from", report)
    scale = _read_scale(block.need("scale", "scale: {low: 0, high: 1}, or scale: none"), report)
    good = read_choice(block.need("good", "which end is good: high or low"), "good", _GOOD, report)
    if name is None or objective is None or scale is None or good is None:
        return None
    plausible = _read_plausible(block.get("plausible"), scale, report)
    return Signal(name, objective, scale, good, plausible, key.span) if plausible else None


def _read_scale(node: Node | None, report: Report) -> Scale | None:
    if isinstance(node, Scalar) and node.text == "none":
        return Scale()
    block = read_block(node, "scale", _SCALE_KEYS, report)
    if block is None:
        return None
    ends = _read_ends(block, "scale", report)
    multiply = _read_factor(block, "multiply", Fraction(1), report)
    add = _read_factor(block, "add", Fraction(0), report)
    unit = block.get("unit")
    shown_unit = None if unit is None else read_text(unit, "unit", report)
    if multiply == 0:
        report.error("P034", block.span, "multiply cannot be 0", "every score would be the same")
        return None
    if ends is None or multiply is None or add is None:
        return None
    return Scale(multiply, add, *ends, shown_unit)


def _read_factor(block: Block, key: str, default: Fraction, report: Report) -> Fraction | None:
    node = block.get(key)
    return default if node is None else read_number(node, key, report)


def _read_ends(block: Block, what: str, report: Report) -> tuple[Fraction, Fraction] | None:
    low = read_number(block.need("low", "the least score"), "low", report)
    high = read_number(block.need("high", "the greatest score"), "high", report)
    if low is None or high is None:
        return None
    if low >= high:
        report.error("P034", block.span, f"low {show(low)} is not below high {show(high)}", f"mend the {what}")
        return None
    return low, high


def _read_plausible(node: Node | None, scale: Scale, report: Report) -> tuple[int, int] | None:
    """Turn the range of plausible scores into whole millionths of a reward."""
    if node is None:
        return -MAX_MICRO, MAX_MICRO
    block = read_block(node, "plausible", ("low", "high"), report)
    ends = _read_ends(block, "plausible range", report) if block else None
    if ends is None:
        return None
    least, greatest = sorted(scale.micro_of(end) for end in ends)
    return max(-MAX_MICRO, math.ceil(least)), min(MAX_MICRO, math.floor(greatest))
