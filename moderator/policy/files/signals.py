"""signals.yaml -> the signals by name, and which calibration belongs to which model."""

import math
from collections.abc import Mapping as Names
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from moderator.policy.files.node_readers import (
    Block,
    choices,
    read_block,
    read_choice,
    read_entries,
    read_items,
    read_name,
    read_number,
    read_text,
)
from moderator.policy.language.ast import GroupKind, Signal
from moderator.policy.language.scale import MAX_MICRO, MAX_REWARD, Scale, show
from moderator.policy.syntax.diagnostics import Diagnostics, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Node, Scalar

_KEYS = ("about", "from", "scale", "good", "plausible", "lowest_of", "highest_of")
_SCALE_KEYS = ("multiply", "add", "low", "high", "unit")
_CALIBRATIONS_FORM = "write such as {name-of-the-model: calibration/name.json}"
_GOOD: tuple[Literal["high", "low"], ...] = ("high", "low")
_PICKS: tuple[Literal["lowest", "highest"], ...] = ("lowest", "highest")


@dataclass(frozen=True, slots=True)
class SignalsFile:
    """What signals.yaml says.

    Attributes:
        signals: by name; None for one with an error, so that its name is still known.
        calibrations: model name -> the name of its calibration file, at its place.
    """

    signals: Names[str, Signal | None]
    calibrations: Names[str, Scalar]

    @property
    def sound(self) -> tuple[Signal, ...]:
        """The signals without an error, in the order written."""
        return tuple(signal for signal in self.signals.values() if signal is not None)


def read_signals(tree: Node, diagnostics: Diagnostics) -> SignalsFile:
    """Read the tree of signals.yaml."""
    block = read_block(tree, "signals.yaml", ("signals", "calibrations"), diagnostics)
    if block is None:
        return SignalsFile({}, {})
    node = block.need("signals", "signals: {safety: {about: …, from: …, scale: …, good: high}}")
    form = "write such as {safety: {about: …, from: …, scale: …, good: high}}"
    entries = read_entries(node, "signals", diagnostics, form)
    blocks = {key: _signal_block(key, value, diagnostics) for key, value in (entries.entries if entries else ())}
    plain = {key.text: _read_signal(key, each, diagnostics) for key, each in blocks.items() if not _is_derived(each)}
    derived = {
        key.text: _read_derived(key, each, plain, diagnostics) for key, each in blocks.items() if _is_derived(each)
    }
    signals = {key.text: plain[key.text] if key.text in plain else derived[key.text] for key in blocks}
    return SignalsFile(signals, _read_calibrations(block.get("calibrations"), diagnostics))


def _read_calibrations(node: Node | None, diagnostics: Diagnostics) -> dict[str, Scalar]:
    entries = None if node is None else read_entries(node, "calibrations", diagnostics, _CALIBRATIONS_FORM)
    found: dict[str, Scalar] = {}
    for key, value in entries.entries if entries else ():
        text = read_text(value, f"the calibration of {key.text}", diagnostics)
        if text is not None and isinstance(value, Scalar):
            found[key.text] = value
    return found


def _signal_block(key: Scalar, node: Node, diagnostics: Diagnostics) -> Block | None:
    name = read_name(key, "a signal's name", diagnostics)
    if name in get_args(GroupKind):
        message = f"a signal cannot be called {quote(key.text)}"
        diagnostics.error("P014", key.span, message, "all and any join conditions; choose another name")
    block = read_block(node, f"the signal {key.text}", _KEYS, diagnostics)
    return None if name is None else block


def _is_derived(block: Block | None) -> bool:
    return block is not None and any(block.get(f"{pick}_of") is not None for pick in _PICKS)


def _read_signal(key: Scalar, block: Block | None, diagnostics: Diagnostics) -> Signal | None:
    if block is None:
        return None
    about = read_text(block.need("about", "one line on what it says"), "about", diagnostics)
    objective = read_text(
        block.need("from", "an objective of the model, such as beavertails-is_safe"), "from", diagnostics
    )
    scale = _read_scale(block.need("scale", "scale: {low: 0, high: 1}, or scale: none"), diagnostics)
    good = read_choice(block.need("good", "which end is good: high or low"), "good", _GOOD, diagnostics)
    if objective is None or scale is None or good is None:
        return None
    plausible = _read_plausible(block.get("plausible"), scale, diagnostics)
    if plausible is None:
        return None
    return Signal(key.text, objective, scale, good, plausible, key.span, about or "")


def _read_derived(
    key: Scalar, block: Block | None, plain: Names[str, Signal | None], diagnostics: Diagnostics
) -> Signal | None:
    """Read `lowest_of` or `highest_of`; scale and good end are those of its members."""
    assert block is not None
    about = read_text(block.need("about", "one line on what it says"), "about", diagnostics)
    picks = [pick for pick in _PICKS if block.get(f"{pick}_of") is not None]
    for other in ("from", "scale", "good", "plausible", *(f"{pick}_of" for pick in picks[1:])):
        if block.get(other) is not None:
            message = f"a signal with {picks[0]}_of cannot have {other} too"
            diagnostics.error("P035", block.span_of(other), message, "remove one of the two")
            return None
    pick = picks[0]
    node = block.get(f"{pick}_of")
    members = _read_members(node, f"{pick}_of", plain, diagnostics)
    if node is None or members is None:
        return None
    first = members[0]
    odd = next((member for member in members if (member.scale, member.good) != (first.scale, first.good)), None)
    if odd is not None:
        message = f"{first.name} and {odd.name} are not on one scale, so neither of their scores is the {pick}"
        diagnostics.error("P035", node.span, message, "choose signals with the same scale and good end")
        return None
    plausible = (-MAX_MICRO, MAX_MICRO)
    return Signal(key.text, "", first.scale, first.good, plausible, key.span, about or "", members, pick)


def _read_members(
    node: Node | None, what: str, plain: Names[str, Signal | None], diagnostics: Diagnostics
) -> tuple[Signal, ...] | None:
    items = read_items(node, what, diagnostics, "give two or more")
    names = [read_text(item, f"a signal of {what}", diagnostics) for item in items]
    if node is not None and items and len(set(names)) < len(names) + (len(names) == 1):
        diagnostics.error("P035", node.span, f"{what} chooses among two or more signals, each once", "fix the list")
        return None
    members = [
        _member(item, name, plain, diagnostics) for item, name in zip(items, names, strict=True) if name is not None
    ]
    sound = tuple(member for member in members if member is not None)
    return sound if items and len(sound) == len(items) else None


def _member(node: Node, name: str, plain: Names[str, Signal | None], diagnostics: Diagnostics) -> Signal | None:
    if name in plain:
        return plain[name]
    hint = f"{did_you_mean(name, plain)} {choices('signals.yaml', plain)}".strip()
    diagnostics.error("P010", node.span, f"there is no signal read from an objective called {quote(name)}", hint)
    return None


def _read_scale(node: Node | None, diagnostics: Diagnostics) -> Scale | None:
    if isinstance(node, Scalar) and node.text == "none":
        return Scale()
    block = read_block(node, "scale", _SCALE_KEYS, diagnostics, "write such as {low: 0, high: 1}, or none")
    if block is None:
        return None
    ends = _read_ends(block, "scale", diagnostics)
    multiply = _read_factor(block, "multiply", Fraction(1), diagnostics)
    add = _read_factor(block, "add", Fraction(0), diagnostics)
    unit = block.get("unit")
    shown_unit = None if unit is None else read_text(unit, "unit", diagnostics)
    if multiply == 0:
        diagnostics.error("P034", block.span, "multiply cannot be 0", "every score would be the same")
        return None
    if ends is None or multiply is None or add is None:
        return None
    return Scale(multiply, add, *ends, shown_unit)


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


def _read_plausible(node: Node | None, scale: Scale, diagnostics: Diagnostics) -> tuple[int, int] | None:
    """Turn the range of plausible scores into whole millionths of a reward."""
    if node is None:
        return -MAX_MICRO, MAX_MICRO
    block = read_block(node, "plausible", ("low", "high"), diagnostics)
    ends = _read_ends(block, "plausible range", diagnostics) if block else None
    if block is None or ends is None:
        return None
    if scale.low is not None and scale.high is not None and not (ends[0] <= scale.high and scale.low <= ends[1]):
        diagnostics.error("P034", block.span, "no score on the scale is plausible", "fix the plausible range")
        return None
    low, high = sorted(scale.micro_of(end) for end in ends)
    least, greatest = max(-MAX_MICRO, math.ceil(low)), min(MAX_MICRO, math.floor(high))
    if least > greatest:
        message = f"no reward from -{MAX_REWARD} to {MAX_REWARD} with 6 decimals has a plausible score"
        diagnostics.error("P034", block.span, message, "fix the plausible range or the scale")
        return None
    return least, greatest
