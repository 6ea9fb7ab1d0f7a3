"""Events, times and scores in which a rule can be tried out, from which suggested tests are made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from moderator.policy.authoring.test_tools.nudge import limit_and_step
from moderator.policy.engine.rollout import BUCKETS, compile_rollout
from moderator.policy.language.ast import FieldMatch, Rule, Signal, Source
from moderator.policy.language.bounds import typical_micro
from moderator.policy.language.event_time import MS_PER_DAY
from moderator.policy.language.fields import SPEAKERS
from moderator.policy.language.scale import MILLION
from moderator.policy.policy_set import PolicySet
from moderator.policy.test_runner import event_of

_UNIT_FIELDS = {"users": "user", "conversations": "conversation_id", "events": "id"}

_MANY = 1_000
"""Of a fact that is good when high, and whose scale does not end."""

Micros = Mapping[Source, int]
"""What signals are read from -> whole millionths."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An event, its time, and the rewards of all but the signal that is tried."""

    fields: Mapping[str, str]
    at_ms: int | None
    micros: Micros


def scenes(rule: Rule, tried: Signal, policies: PolicySet) -> Iterator[Scene]:
    """Give events that a rule is for, with rewards on either side of its limits; the caller sets `tried`."""
    names = {signal.name for signal in tried.members or (tried,)}
    others = {
        signal.name: signal
        for condition in rule.conditions
        for signal in condition.signal.members or (condition.signal,)
        if signal.name not in names
    }
    usual = _usual_micros(policies)
    values = [[usual[signal.source], *_decisive_micros(signal, rule, policies)] for signal in others.values()]
    events = list(_events(rule, policies))
    for combination in product(*values):
        chosen = {signal.source: micro for signal, micro in zip(others.values(), combination, strict=True)}
        for fields, at_ms in events:
            yield Scene(fields, at_ms, {**usual, **chosen})


def _decisive_micros(signal: Signal, rule: Rule, policies: PolicySet) -> list[int]:
    """Give rewards on either side of each of the rule's limits on a signal."""
    calibration = policies.calibration_of(None)
    limits = [
        limit_and_step(condition, calibration)
        for condition in rule.conditions
        if signal in (condition.signal, *condition.signal.members)
    ]
    scores = [found[0] + side * found[1] for found in limits if found for side in (-1, 1)]
    return [round(signal.scale.micro_of(score)) for score in scores]


def _usual_micros(policies: PolicySet) -> dict[Source, int]:
    """Give each source a number that is well within the good end, or typical where no scale says which that is."""
    micros: dict[Source, int] = {}
    for signal in reversed([signal for signal in policies.signals if not signal.members]):
        low, high = signal.scale.low, signal.scale.high
        if low is not None and high is not None:
            share = Fraction(9, 10) if signal.good == "high" else Fraction(1, 10)
            micros[signal.source] = round(signal.scale.micro_of(low + (high - low) * share))
        elif signal.kind != "score":
            micros[signal.source] = round(((low or 0) + (_MANY if signal.good == "high" else 0)) * MILLION)
        else:
            calibration = policies.calibration_of(None)
            typical = typical_micro(signal, calibration) if calibration else None
            micros[signal.source] = MILLION // 2 if typical is None else typical
    return micros


def rewards_for(signal: Signal, score: Fraction) -> dict[Source, int]:
    """Give the numbers that make a signal a score; every member of a derived one gets it."""
    return {one.source: round(one.scale.micro_of(score)) for one in signal.members or (signal,)}


def _events(rule: Rule, policies: PolicySet) -> Iterator[tuple[dict[str, str], int | None]]:
    """Give events that the rule is for, and times at which it is in force."""
    always = [field for field, presence in policies.settings.fields.items() if presence == "always"]
    common = {"speaker": "assistant"} | {field: "example" for field in always if field != "speaker"}
    for values in product(*(_fitting(line) for line in rule.scope)):
        fields = common | {line.field: value for line, value in zip(rule.scope, values, strict=True)}
        for at_ms in _times(rule, policies):
            yield fields | _unit_inside(rule, fields), at_ms


def _fitting(line: FieldMatch) -> list[str]:
    if line.field == "speaker":
        return [speaker for speaker in SPEAKERS if speaker in line.exact or speaker.startswith(line.prefixes)]
    return [*sorted(line.exact), *(f"{prefix}example" for prefix in line.prefixes)]


def _times(rule: Rule, policies: PolicySet) -> list[int | None]:
    """Give times at which the rule may be in force: its own first, then the latest that the folder names."""
    if not policies.uses_event_time:
        return [None]
    own = [] if rule.starts_ms is None else [rule.starts_ms]
    own += [] if rule.until_ms is None else [rule.until_ms - MS_PER_DAY]
    scheduled = [time for other in policies.rules for time in (other.starts_ms, other.until_ms) if time is not None]
    return [*own, max([*scheduled, *(exemption.until_ms for exemption in policies.exemptions)])]


def _unit_inside(rule: Rule, fields: Mapping[str, str]) -> dict[str, str]:
    """Give a unit that is inside the rule's rollout."""
    field = _UNIT_FIELDS.get(rule.rollout.unit) if rule.rollout else None
    if rule.rollout is None or field is None:
        return {}
    is_inside = compile_rollout(rule.rollout)
    tried = ({field: f"example-{number}"} for number in range(1, BUCKETS))
    return next((unit for unit in tried if is_inside(event_of({**fields, **unit}))), {})
