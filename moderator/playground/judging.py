"""What a policy set decides of one event: of a recorded one, or of scores that somebody sets."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import orjson

from moderator.backtest.replay import Replayer, replay_input_of
from moderator.errors import ModeratorError
from moderator.events import ChatEvent, DeadLetter, Decision, Record
from moderator.policy import Judgement, PolicySet, event_time_ms
from moderator.policy.given_numbers import event_with, rewards_from
from moderator.policy.language.ast import Signal, Source
from moderator.policy.language.scale import MILLION
from moderator.policy.test_runner import objectives_of
from moderator.stream.codec import decode


class SetScores(NamedTuple):
    """An event of which somebody says the scores.

    Attributes:
        scores: by signal, on its scale; None: the model gave none.
        event: as `event_of` reads it.
        now: the time that counts where the event says none, ISO 8601.
    """

    scores: Mapping[str, float | None]
    event: ChatEvent
    now: str


Subject = Decision | SetScores
"""What is judged: a recorded decision, or what somebody sets."""

_EVENT_BYTES = 2**20
_CONTENT = frozenset({"messages", "prompt", "response", "text", "specversion", "data"})


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
    if not isinstance(subject, SetScores):
        judgement = Replayer(policies).judge(replay_input_of(subject))
        return _record(judgement, subject["scores"]["objectives"], subject["scores"]["overall"])
    objectives = objectives_of(policies)
    numbers = _numbers(policies, subject.scores)
    rewards = rewards_from(numbers, objectives)
    at_ms = event_time_ms(None, subject.event.time, subject.now)
    judgement = policies.bind(objectives).decide(event_with(subject.event, numbers), rewards, at_ms)
    return _record(judgement, dict(zip(objectives, rewards, strict=True)), None)


def event_of(fields: Mapping[str, Any]) -> ChatEvent:
    """Read the fields of a chat event, and `speaker`; the message is nobody's.

    Raises:
        GivenError: a field is wrong.
    """
    if wrong := sorted(fields.keys() & _CONTENT):
        raise GivenError(f"event.{wrong[0]}", "an event is given without its messages")
    rest = {name: value for name, value in fields.items() if name != "speaker"}
    messages = [{"role": fields.get("speaker") or "user", "content": "."}]
    value = orjson.dumps({"id": "playground", **rest, "messages": messages})
    event = decode(Record("playground", 0, 0, None, None, value), _EVENT_BYTES)
    if isinstance(event, DeadLetter):
        raise GivenError("event", event.error)
    return event


def _record(judgement: Judgement, objectives: Mapping[str, float | None], overall: float | None) -> dict[str, Any]:
    parts = judgement._asdict()
    scores = {"signals": parts.pop("signals"), "objectives": objectives, "overall": overall}
    return {**parts, "scores": scores}


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
