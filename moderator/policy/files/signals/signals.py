"""signals.yaml -> the signals by name, and which calibration belongs to which model."""

from collections.abc import Mapping as Names
from dataclasses import dataclass
from typing import Literal, get_args

from moderator.policy.files.folder import Files
from moderator.policy.files.node_readers import (
    Advice,
    Block,
    choices,
    read_block,
    read_choice,
    read_entries,
    read_items,
    read_name,
    read_text,
)
from moderator.policy.files.signals.entry_lists import ListReader
from moderator.policy.files.signals.from_text import read_text_source, scale_of
from moderator.policy.files.signals.scales import read_fact_scale, read_plausible, read_scale
from moderator.policy.language.ast import Fact, Good, GroupKind, Signal
from moderator.policy.language.fields import EVENT_FIELDS, METADATA
from moderator.policy.language.scale import MAX_FACT_MICRO
from moderator.policy.syntax.diagnostics import Diagnostics, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Node, Scalar

_SOURCES = ("from", "from_event", "from_text")
_RESERVED = "from_history"
_KEYS = ("about", *_SOURCES, "scale", "good", "plausible", "lowest_of", "highest_of")
_CALIBRATIONS_FORM = "write such as {name-of-the-model: calibration/name.json}"
_GOOD_SCORES: tuple[Good, ...] = ("high", "low")
_GOOD_FACTS: tuple[Good, ...] = ("high", "low", "none")
_PICKS: tuple[Literal["lowest", "highest"], ...] = ("lowest", "highest")


@dataclass(frozen=True, slots=True)
class SignalsFile:
    """What signals.yaml says.

    Attributes:
        signals: by name; None for one with an error, so that its name is still known.
        calibrations: model name -> the name of its calibration file, at its place.
        lists: the names of the list files that signals name.
    """

    signals: Names[str, Signal | None]
    calibrations: Names[str, Scalar]
    lists: frozenset[str]

    @property
    def sound(self) -> tuple[Signal, ...]:
        """The signals without an error, in the order written."""
        return tuple(signal for signal in self.signals.values() if signal is not None)


def read_signals(tree: Node, files: Files, diagnostics: Diagnostics) -> SignalsFile:
    """Read the tree of signals.yaml, and the lists among the folder's files that it names."""
    block = read_block(tree, "signals.yaml", ("signals", "calibrations"), diagnostics)
    if block is None:
        return SignalsFile({}, {}, frozenset())
    node = block.need("signals", "signals: {safety: {about: …, from: …, scale: …, good: high}}")
    form = "write such as {safety: {about: …, from: …, scale: …, good: high}}"
    entries = read_entries(node, "signals", diagnostics, form)
    blocks = {key: _signal_block(key, value, diagnostics) for key, value in (entries.entries if entries else ())}
    lists = ListReader(files, diagnostics)
    plain = {
        key.text: _read_signal(key, each, lists, diagnostics) for key, each in blocks.items() if not _is_derived(each)
    }
    lists.report_cost()
    derived = {
        key.text: _read_derived(key, each, plain, diagnostics) for key, each in blocks.items() if _is_derived(each)
    }
    signals = {key.text: plain[key.text] if key.text in plain else derived[key.text] for key in blocks}
    return SignalsFile(signals, _read_calibrations(block.get("calibrations"), diagnostics), frozenset(lists.used))


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
    block = read_block(node, f"the signal {key.text}", _KEYS, diagnostics, advise=_advice)
    return None if name is None or block is None or not _has_one_source(block, diagnostics) else block


def _advice(key: Scalar, _: Node) -> Advice | None:
    if key.text != _RESERVED:
        return None
    hint = "send the count with the event, and read it with from_event: metadata.KEY"
    return Advice("P028", f"{_RESERVED} is kept for a later version", hint)


def _has_one_source(block: Block, diagnostics: Diagnostics) -> bool:
    given = [] if _is_derived(block) else [key for key in _SOURCES if block.get(key) is not None]
    if _RESERVED in block:
        return False
    if len(given) > 1:
        message = f"a signal is read from one source, and this one has {' and '.join(given)}"
        diagnostics.error("P028", block.span_of(given[1]), message, "declare two signals")
        return False
    return True


def _is_derived(block: Block | None) -> bool:
    return block is not None and any(block.get(f"{pick}_of") is not None for pick in _PICKS)


def _read_signal(key: Scalar, block: Block | None, lists: ListReader, diagnostics: Diagnostics) -> Signal | None:
    if block is None:
        return None
    about = read_text(block.need("about", "one line on what it says"), "about", diagnostics)
    if block.get("from_event") is not None:
        return _read_fact(key, block, about or "", diagnostics)
    if block.get("from_text") is not None:
        return _read_measured(key, block, about or "", lists, diagnostics)
    objective = read_text(
        block.need("from", "an objective of the model, such as beavertails-is_safe"), "from", diagnostics
    )
    scale = read_scale(block.need("scale", "scale: {low: 0, high: 1}, or scale: none"), diagnostics)
    good = read_choice(block.need("good", "which end is good: high or low"), "good", _GOOD_SCORES, diagnostics)
    if objective is None or scale is None or good is None:
        return None
    plausible = read_plausible(block.get("plausible"), scale, "score", diagnostics)
    if plausible is None:
        return None
    return Signal(key.text, objective, scale, good, plausible, key.span, about or "")


def _read_fact(key: Scalar, block: Block, about: str, diagnostics: Diagnostics) -> Signal | None:
    """Read a signal that is a number of the event's metadata."""
    name = _read_metadata_key(block.get("from_event"), diagnostics)
    form = "scale: {low: 0, unit: hours}, or {} for any number"
    scale = read_fact_scale(block.need("scale", form), diagnostics)
    good = read_choice(block.need("good", "which end is good: high, low or none"), "good", _GOOD_FACTS, diagnostics)
    if name is None or scale is None or good is None:
        return None
    plausible = read_plausible(block.get("plausible"), scale, "fact", diagnostics)
    if plausible is None:
        return None
    return Signal(key.text, "", scale, good, plausible, key.span, about, fact=Fact(name))


def _read_measured(key: Scalar, block: Block, about: str, lists: ListReader, diagnostics: Diagnostics) -> Signal | None:
    """Read a signal that is a number of the event's text."""
    source = read_text_source(block.get("from_text"), lists, diagnostics)
    fixed = [each for each in ("scale", "plausible") if each in block]
    for each in fixed:
        diagnostics.error("P028", block.span_of(each), f"a text signal has its {each} from its kind", "remove it")
    good = read_choice(block.get("good"), "good", _GOOD_FACTS, diagnostics) if "good" in block else "none"
    if source is None or fixed or good is None:
        return None
    return Signal(key.text, "", scale_of(source), good, (0, MAX_FACT_MICRO), key.span, about, text=source)


def _read_metadata_key(node: Node | None, diagnostics: Diagnostics) -> str | None:
    text = read_text(node, "from_event", diagnostics, "write such as metadata.account_age_h")
    if node is None or text is None:
        return None
    key = text.removeprefix(METADATA)
    if key != text and key and "*" not in key:
        return key
    message = f"a fact is read from the event's metadata, not from {quote(text)}"
    is_key = key == text and key not in EVENT_FIELDS
    hint = f'did you mean "{METADATA}{key}"?' if is_key else "write metadata. and the name of the key"
    diagnostics.error("P028", node.span, message, hint)
    return None


def _read_derived(
    key: Scalar, block: Block | None, plain: Names[str, Signal | None], diagnostics: Diagnostics
) -> Signal | None:
    """Read `lowest_of` or `highest_of`; scale and good end are those of its members."""
    assert block is not None
    about = read_text(block.need("about", "one line on what it says"), "about", diagnostics)
    picks = [pick for pick in _PICKS if block.get(f"{pick}_of") is not None]
    for other in (*_SOURCES, "scale", "good", "plausible", *(f"{pick}_of" for pick in picks[1:])):
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
    if any(member.text is not None for member in members):
        message = f"{pick}_of does not choose among text signals: each is on a scale of its own"
        diagnostics.error("P035", node.span, message, "write a condition for each under any: or all:")
        return None
    if any(member.kind != first.kind for member in members):
        message = f"{pick}_of chooses among facts or among the model's scores, not among both"
        diagnostics.error("P035", node.span, message, "choose signals of one kind")
        return None
    odd = next((member for member in members if (member.scale, member.good) != (first.scale, first.good)), None)
    if odd is not None:
        message = f"{first.name} and {odd.name} are not on one scale, so neither of their scores is the {pick}"
        diagnostics.error("P035", node.span, message, "choose signals with the same scale and good end")
        return None
    plausible = (-first.greatest_micro, first.greatest_micro)
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
    diagnostics.error("P010", node.span, f"there is no signal to choose from called {quote(name)}", hint)
    return None
