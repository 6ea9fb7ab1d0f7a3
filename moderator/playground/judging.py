"""What a policy set decides of one event: of a recorded one, or of scores that somebody sets."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import orjson

from moderator.backtest.replay import Replayer, replay_input_of
from moderator.errors import ModeratorError
from moderator.events import ChatEvent, DeadLetter, Decision, Found, Record, Turn
from moderator.policy import Judgement, PolicySet, event_time_ms
from moderator.policy.given_numbers import event_with, rewards_from
from moderator.policy.language.ast import Signal, Source
from moderator.policy.language.event_time import parse_time_ms, with_clock
from moderator.policy.language.fields import CLOSED_FIELDS, READING_FIELDS, cut_of, hidden_text_named
from moderator.policy.language.scale import MILLION
from moderator.policy.test_runner import objectives_of
from moderator.stream.codec import decode
from moderator.stream.event_schema import ChatEventRecord
from moderator.stream.metadata import MAX_KEYS


class SetScores(NamedTuple):
    """An event of which somebody says the scores.

    Attributes:
        scores: by signal, on its scale; None: the model gave none.
        event: as `event_of` reads it; what is measured of its text counts where `scores` say nothing of it.
        now: the time that counts where the event says none, ISO 8601.
    """

    scores: Mapping[str, float | None]
    event: ChatEvent
    now: str


class TypedText(NamedTuple):
    """A text that a scorer has judged by its own policies; what is measured of it is measured again."""

    decision: Decision
    text: str


Subject = Decision | SetScores | TypedText
"""What is judged: a recorded decision, what somebody sets, or what somebody types."""

_EVENT_BYTES = 2**20
_SOME_TEXT = "."
"""An event without a text is no event."""
_TIME_FORMS = "write a time such as 2026-10-01, or 2026-10-01T09:00:00Z"
_CONTENT = frozenset({"messages", "prompt", "response", "text", "specversion", "data"})
_FIELDS = ChatEventRecord.model_fields.keys() | CLOSED_FIELDS.keys()


class GivenError(ModeratorError):
    """What was given to judge cannot be judged; the text quotes no content.

    Attributes:
        field: what is wrong, such as `scores.safety`.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def judge(policies: PolicySet, subject: Subject) -> dict[str, Any]:
    """Decide one event; give the parts of a decision that follow from policies and scores.

    What somebody sets is judged as tests are: a signal that is not given is missing, derived ones follow from their
    members, and percent phrases go by the first calibration.

    Raises:
        PolicyError: the policies do not suit the model that scored.
        GivenError: a score cannot be one of its signal.
    """
    if isinstance(subject, SetScores):
        return _judge_scores(policies, subject)
    if isinstance(subject, TypedText):
        decision, given = subject.decision, replay_input_of(subject.decision)
        speaker = given.event.speaker
        event, found = _measured(policies, given.event._replace(conversation=(Turn(speaker, subject.text),)))
        judgement = Replayer(policies).judge(given._replace(event=event))
    else:
        decision, found = subject, subject.get("found", [])
        judgement = Replayer(policies).judge(replay_input_of(decision))
    return _record(judgement, decision["scores"]["objectives"], decision["scores"]["overall"], found)


def _judge_scores(policies: PolicySet, subject: SetScores) -> dict[str, Any]:
    objectives = objectives_of(policies)
    numbers = _numbers(policies, subject.scores)
    rewards = rewards_from(numbers, objectives)
    at_ms = event_time_ms(None, subject.event.time, subject.now)
    event, found = _measured(policies, subject.event)
    judgement = policies.bind(objectives).decide(event_with(event, numbers), rewards, at_ms)
    return _record(judgement, dict(zip(objectives, rewards, strict=True)), None, found)


def _measured(policies: PolicySet, event: ChatEvent) -> tuple[ChatEvent, list[Found]]:
    """Read the policies' text signals from an event."""
    return (event, []) if policies.text_signals is None else policies.text_signals.measure(event)


def event_of(fields: Mapping[str, Any], text: str = "") -> ChatEvent:
    """Read the fields of a chat event, and `speaker`; `text` is its message.

    Times are read as tests of policies have them. How a message was read (`cut`, `hidden_text`) may be set too.

    Raises:
        GivenError: a field is wrong.
    """
    if wrong := sorted(fields.keys() & _CONTENT):
        raise GivenError(f"event.{wrong[0]}", "an event is given without its messages")
    if unknown := sorted(fields.keys() - _FIELDS):
        raise GivenError(f"event.{unknown[0]}", "an event has no such field")
    rest = {name: value for name, value in fields.items() if name not in CLOSED_FIELDS}
    if rest.get("time") is not None:
        rest["time"] = _time(rest["time"])
    speaker = fields.get("speaker")
    messages = [{"role": "user" if speaker is None else speaker, "content": _SOME_TEXT}]
    try:
        value = orjson.dumps({"id": "playground", **rest, "messages": messages})
    except orjson.JSONEncodeError:
        raise GivenError("event", "nested too deeply") from None
    event = decode(Record("playground", 0, 0, None, None, value), _EVENT_BYTES)
    if isinstance(event, DeadLetter):
        raise GivenError("event", event.error)
    if ignored := sorted((rest.get("metadata") or {}).keys() - (event.metadata or {}).keys()):
        raise GivenError(f"event.metadata.{ignored[0]}", f"{MAX_KEYS} texts, numbers, true and false at most")
    return event._replace(
        conversation=(Turn(event.speaker, text),),
        cut=cut_of(_reading(fields, "cut", event.cut)),
        hidden_text=hidden_text_named(_reading(fields, "hidden_text", event.hidden_text)),
    )


def _time(given: object) -> str:
    """Write a time as events have it."""
    whole = with_clock(given) if isinstance(given, str) else ""
    if parse_time_ms(whole) is not None:
        return whole
    if isinstance(given, str) and parse_time_ms(f"{given}Z") is not None:
        raise GivenError("event.time", f"this time has no zone: write {given}Z, or with an offset such as +02:00")
    raise GivenError("event.time", _TIME_FORMS)


def _reading(fields: Mapping[str, Any], name: str, usual: str) -> str:
    value = fields.get(name)
    if value is None:
        return usual
    if value not in READING_FIELDS[name]:
        raise GivenError(f"event.{name}", f"write one of: {', '.join(READING_FIELDS[name])}")
    return str(value)


def _record(
    judgement: Judgement, objectives: Mapping[str, float | None], overall: float | None, found: Sequence[Found]
) -> dict[str, Any]:
    parts = judgement._asdict()
    scores = {"signals": parts.pop("signals"), "objectives": objectives, "overall": overall}
    return {**parts, "scores": scores, "found": list(found)}


def _numbers(policies: PolicySet, scores: Mapping[str, float | None]) -> dict[Source, int | None]:
    """Give the reward or the fact behind each score."""
    signals = {signal.name: signal for signal in policies.signals}
    numbers: dict[Source, int | None] = {}
    said_by: dict[Source, str] = {}
    for name, score in scores.items():
        signal = signals.get(name)
        if signal is None:
            raise GivenError(f"scores.{name}", "signals.yaml has no such signal")
        if signal.members:
            members = " and ".join(member.name for member in signal.members)
            raise GivenError(f"scores.{name}", f"it follows from {members}: give the scores of these")
        micro = None if score is None else _micro(signal, score)
        other = said_by.setdefault(signal.source, name)
        if numbers.setdefault(signal.source, micro) != micro:
            raise GivenError(
                f"scores.{name}", f"it is read from the same objective as {other}, and no reward gives both"
            )
    return numbers


def _micro(signal: Signal, score: float) -> int:
    if not math.isfinite(score):
        raise GivenError(f"scores.{signal.name}", "a score is a number, or null where it is missing")
    beyond = signal.greatest_micro + MILLION
    return max(-beyond, min(beyond, round(signal.scale.micro_of(Fraction(str(score))))))
