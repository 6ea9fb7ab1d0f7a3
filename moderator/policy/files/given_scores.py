"""The scores that a test gives: signals by name on their human scale -> exact rewards."""

import math
from collections.abc import Mapping as Names
from fractions import Fraction

from moderator.policy.files.context import Context
from moderator.policy.files.node_readers import Block, choices, read_entries, read_number
from moderator.policy.language.ast import OtherScores, Signal
from moderator.policy.language.bounds import typical_micro
from moderator.policy.language.scale import MILLION, show
from moderator.policy.language.text_source import MESSAGE
from moderator.policy.syntax.diagnostics import Diagnostics, Span, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Mapping, Node, Scalar

MISSING = "missing"


def read_scores(given: Block, other_scores: OtherScores | None, context: Context) -> dict[str, int | None] | None:
    """Read the scores in whole millionths of a reward; None for `scores: missing`.

    A fact may be given here or in the event; one that is not given is absent.
    """
    diagnostics, signals = context.diagnostics, context.signals
    node = given.get("scores")
    if node is None and other_scores is None and _plain(context):
        node = given.need("scores", "scores: {safety: 0.30, …}, or scores: missing")
    if signals is None or (isinstance(node, Scalar) and node.text == MISSING):
        return None
    entries = (
        None if node is None else read_entries(node, "scores", diagnostics, "write such as {safety: 0.30}, or missing")
    )
    if entries is None and node is not None:
        return None
    scores: dict[str, int | None] = {}
    for key, value in entries.entries if entries else ():
        if _is_plain_signal(key, signals, diagnostics) and (signal := signals[key.text]) is not None:
            scores[key.text] = _read_score(value, signal, diagnostics)
    _fill_in(scores, other_scores, entries.span if entries else given.span, context)
    _check_twins(scores, signals, entries.span if entries else given.span, diagnostics)
    return scores


def check_given_once(given: Block, context: Context) -> None:
    """Report numbers among `scores` that the event or the text gives too, or that cannot be missing."""
    scores, event = given.get("scores"), given.get("event")
    fields = {key.text for key, _ in event.entries} if isinstance(event, Mapping) else set()
    fields |= {MESSAGE} if given.get("text") is not None else set()
    for key, value in scores.entries if isinstance(scores, Mapping) else ():
        signal = (context.signals or {}).get(key.text)
        if signal is None or signal.members:
            continue
        is_missing = isinstance(value, Scalar) and value.text == MISSING
        if signal.kind != "score" and (way := signal.source_in_words) in fields:
            where = "by text" if way == MESSAGE else f"as {way} of the event"
            message = f"{key.text} is given in two ways, here and {where}"
            context.diagnostics.error("P078", key.span, message, "remove one of the two")
        elif is_missing and not signal.can_be_missing:
            message = f"{key.text} is never missing, since every event has a judged message"
            context.diagnostics.error("P078", value.span, message, "give a number, or the message as text")


def _is_plain_signal(key: Scalar, signals: Names[str, Signal | None], diagnostics: Diagnostics) -> bool:
    if key.text not in signals:
        hint = f"{did_you_mean(key.text, signals)} {choices('signals.yaml', signals)}".strip()
        diagnostics.error("P010", key.span, f"there is no signal called {quote(key.text)}", hint)
        return False
    signal = signals[key.text]
    if signal is None or not signal.members:
        return True
    members = " and ".join(member.name for member in signal.members)
    diagnostics.error("P011", key.span, f"{key.text} follows from {members}", "give the scores of these instead")
    return False


def _fill_in(scores: dict[str, int | None], other_scores: OtherScores | None, span: Span, context: Context) -> None:
    """Give each signal that the test does not name the score that `other_scores` stands for."""
    given = {signal.source: scores[signal.name] for signal in _plain(context) if signal.name in scores}
    for signal in _plain(context):
        if signal.name in scores:
            continue
        if other_scores is None:
            hint = f"write {signal.name}: and a number, or missing; or other_scores: missing for all the rest"
            context.diagnostics.error("P071", span, f"the test gives no score for {signal.name}", hint)
        elif other_scores == MISSING or signal.source in given:
            scores[signal.name] = given.get(signal.source)
        else:
            scores[signal.name] = _typical(signal, span, context)


def _plain(context: Context) -> list[Signal]:
    """Give the signals that are read from one objective."""
    signals = (context.signals or {}).values()
    return [signal for signal in signals if signal is not None and signal.kind == "score" and not signal.members]


def _typical(signal: Signal, span: Span, context: Context) -> int | None:
    """Give the median of the first calibration, by which percent phrases are tested too."""
    calibration = next(iter(context.calibrations.values()), None)
    typical = None if calibration is None else typical_micro(signal, calibration)
    if typical is None:
        message = f"no calibration says what is typical of {signal.name}"
        context.diagnostics.error("P071", span, message, f"write {signal.name}: and a number, or missing")
    return typical


def _check_twins(
    scores: Names[str, int | None], signals: Names[str, Signal | None], span: Span, diagnostics: Diagnostics
) -> None:
    """Report two signals of one source whose scores do not come from one number."""
    first: dict[tuple[str, str], str] = {}
    for name, micro in scores.items():
        signal = signals[name]
        assert signal is not None
        other = first.setdefault(signal.source, name)
        if scores[other] != micro:
            number = "reward" if signal.kind == "score" else "number"
            source = signal.source_in_words
            message = f"{other} and {name} are both read from {source}, and no {number} gives both scores"
            diagnostics.error("P072", span, message, "give scores that belong together")


def _read_score(node: Node, signal: Signal, diagnostics: Diagnostics) -> int | None:
    if isinstance(node, Scalar) and node.text == MISSING:
        return None
    score = read_number(node, f"the score of {signal.name}", diagnostics)
    if score is None:
        return None
    micro = signal.scale.micro_of(score)
    if micro.denominator == 1:
        return int(micro)
    near = sorted({signal.scale.score_of(whole) for whole in (math.floor(micro), math.ceil(micro))})
    message = f"no score of {signal.name} is exactly this: rewards have 6 decimals"
    diagnostics.error("P072", node.span, message, f"write {' or '.join(map(_show_exact, near))}")
    return None


def _show_exact(score: Fraction) -> str:
    return show(score) if MILLION % score.denominator == 0 else str(float(score))
