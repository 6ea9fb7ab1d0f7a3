"""The values that the demo shows of one outcome; pure."""

from dataclasses import dataclass

from moderator.demo.samples import Sample
from moderator.demo.traffic import Outcome, Place
from moderator.events import DeadLetter, Decision, RuleResult


@dataclass(frozen=True, slots=True)
class Score:
    """One signal on its human scale; None where the model gave none; `is_cause` when a matched rule compared it."""

    signal: str
    value: float | None
    is_cause: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        verdict: `flag`, `allow` or `dead letter`.
        severity: empty unless flagged.
        scores: in the order of the signals: what the model gave, what the event carried, and what a matched rule
            compared; empty for a dead letter.
        rules: the rules that flagged; for a dead letter what is wrong with the record.
        reasons: their reason codes; for a dead letter its own.
        speaker: role of the judged message; empty for a dead letter.
        text: the judged message in one line; the event's place when it is not one of the samples.
    """

    verdict: str
    severity: str
    scores: tuple[Score, ...]
    rules: str
    reasons: str
    speaker: str
    text: str


def row_of(outcome: Outcome, sample: Sample | None) -> Row:
    """Give the row of an outcome; `sample` is what was sent, None when another program sent it."""
    result, text = outcome.result, _text(outcome.place, sample)
    if isinstance(result, DeadLetter):
        return Row("dead letter", "", (), result.error, result.reason, "", text)
    return Row(
        verdict=result["verdict"],
        severity=result["severity"] or "",
        scores=_scores(result),
        rules=", ".join(rule["rule"] for rule in _flagging(result)) or _remark(result),
        reasons=", ".join(result["reasons"]),
        speaker=result["event"]["speaker"],
        text=text,
    )


def _text(place: Place, sample: Sample | None) -> str:
    return " ".join(sample.text.split()) if sample else f"(partition {place.partition}, offset {place.offset})"


def _scores(decision: Decision) -> tuple[Score, ...]:
    """Leave out what is measured of a text and made no difference: of many lists and measures hardly one ever does."""
    texts = decision["policy"].get("text", {"signals": {}})["signals"]
    causes = {
        condition["signal"]
        for rule in _flagging(decision)
        for condition in rule["conditions"]
        if condition["part"] == "when" and condition["holds"]
    }
    return tuple(
        Score(signal, value, signal in causes)
        for signal, value in decision["scores"]["signals"].items()
        if signal in causes or (signal not in texts and (value is not None or decision["status"] != "scored"))
    )


def _flagging(decision: Decision) -> list[RuleResult]:
    return [rule for rule in decision["rules"] if rule["outcome"] == "matched" and rule["counted"]]


def _remark(decision: Decision) -> str:
    return "" if decision["status"] == "scored" else decision["error"] or decision["status"]
