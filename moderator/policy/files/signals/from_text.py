"""`from_text` of a signal -> what is read from which text; everything else about such a signal its kind fixes."""

from fractions import Fraction
from typing import Final

from moderator.policy.files.node_readers import Block, read_block, read_choice, read_text
from moderator.policy.files.signals.entry_lists import ListReader
from moderator.policy.language.fields import METADATA
from moderator.policy.language.scale import Scale
from moderator.policy.language.text_source import MESSAGE, USER, TextComparison, TextKind, TextSource, WordMatch
from moderator.policy.syntax.diagnostics import Diagnostics, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Node, Scalar

FORM: Final = "write such as {words: lists/NAME.txt}, {links: any} or {measure: capitals}"

_LISTED: Final[tuple[TextKind, ...]] = ("words", "patterns", "links")
_MEASURE: Final = "measure"
_MEASURES: Final[tuple[TextKind, ...]] = ("capitals", "length")
_KINDS: Final = (*_LISTED, _MEASURE)
_OPTIONS: Final = {"match": ("words",), "compare": ("words", "patterns"), "count": ("patterns",)}
"""Option -> the kinds that have it."""
_KEYS: Final = (*_KINDS, "of", *_OPTIONS)
_ANY: Final = "any"
_PLACES: Final = "places"
_MATCHES: Final[tuple[WordMatch, ...]] = ("word", "part", "whole")
_COMPARISONS: Final[tuple[TextComparison, ...]] = ("folded", "exact")


def read_text_source(node: Node | None, lists: ListReader, diagnostics: Diagnostics) -> TextSource | None:
    """Read what a signal is read from; None for what cannot be used, which is then reported."""
    block = read_block(node, "from_text", _KEYS, diagnostics, FORM)
    kind = _kind_of(block, diagnostics) if block else None
    if block is None or kind is None:
        return None
    errors_before = diagnostics.error_count
    of = _read_of(block.get("of"), diagnostics)
    match = read_choice(block.get("match"), "match", _MATCHES, diagnostics) or "word"
    compare = read_choice(block.get("compare"), "compare", _COMPARISONS, diagnostics) or "folded"
    counts_places = _read_count(block.get("count"), diagnostics)
    is_sound = _has_its_options(block, kind, diagnostics) and diagnostics.error_count == errors_before
    value = block.get(kind)
    if kind == _MEASURE:
        measure = read_choice(value, _MEASURE, _MEASURES, diagnostics)
        return TextSource(measure, of=of) if is_sound and measure else None
    listed = next(each for each in _LISTED if each == kind)
    if listed == "links" and isinstance(value, Scalar) and value.text == _ANY:
        return TextSource("links", of=of) if is_sound else None
    entries = lists.read(value, listed, compare) if value is not None else None
    return TextSource(listed, entries, of, match, compare, counts_places) if is_sound and entries else None


def scale_of(source: TextSource) -> Scale:
    """Give the scale that the kind fixes."""
    units = {"words": "entries", "patterns": "patterns", "links": "entries", "length": "characters"}
    if source.kind == "capitals":
        return Scale(low=Fraction(0), high=Fraction(1))
    if source.counts_places:
        return Scale(low=Fraction(0), unit=_PLACES)
    return Scale(low=Fraction(0), unit=units[source.kind] if source.entries or source.kind == "length" else "hosts")


def _kind_of(block: Block, diagnostics: Diagnostics) -> str | None:
    given = [kind for kind in _KINDS if kind in block]
    if len(given) == 1:
        return given[0]
    if given:
        message = f"from_text reads one thing, and this reads {' and '.join(given)}"
        diagnostics.error("P028", block.span_of(given[1]), message, "declare two signals")
    else:
        diagnostics.error("P028", block.span, "from_text does not say what it reads", FORM)
    return None


def _has_its_options(block: Block, kind: str, diagnostics: Diagnostics) -> bool:
    odd = [option for option, kinds in _OPTIONS.items() if option in block and kind not in kinds]
    for option in odd:
        message = f"{option} says nothing about {kind}"
        diagnostics.error("P028", block.span_of(option), message, f"remove it: {_only_for(option)}")
    return not odd


def _only_for(option: str) -> str:
    return f"it is for {' and '.join(_OPTIONS[option])} alone"


def _read_of(node: Node | None, diagnostics: Diagnostics) -> str:
    text = MESSAGE if node is None else read_text(node, "of", diagnostics)
    if (
        node is None
        or text is None
        or text in (MESSAGE, USER)
        or (text.startswith(METADATA) and len(text) > len(METADATA))
    ):
        return text or MESSAGE
    hint = did_you_mean(text, (MESSAGE, USER)) or f"write {MESSAGE}, {USER} or {METADATA}KEY"
    diagnostics.error("P028", node.span, f"no text of the event is called {quote(text)}", hint)
    return MESSAGE


def _read_count(node: Node | None, diagnostics: Diagnostics) -> bool:
    text = None if node is None else read_text(node, "count", diagnostics)
    if node is not None and text is not None and text != _PLACES:
        hint = f"write {_PLACES}; without count, patterns are counted"
        diagnostics.error("P014", node.span, f"count cannot be {quote(text)}", hint)
    return text == _PLACES
