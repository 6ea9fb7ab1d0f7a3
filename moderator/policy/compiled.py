"""Signals, conditions, scopes and rules compiled once into closures over whole numbers, for the hot path."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from typing import Literal

from moderator.events import Cause, ChatEvent, ConditionResult, Mode, Outcome, RuleResult, Severity
from moderator.policy.logic import Held, Verdicts, compile_rule
from moderator.policy.model import Condition, Rule, Scope, Signal, leaves
from moderator.policy.scale import MAX_REWARD, MILLION, Scale, micro_from
from moderator.policy.scopes import normal_locale
from moderator.policy.settings_file import METADATA

Reading = tuple[int | None, int, float | None, Cause | None]
"""One signal of one event: reward in whole millionths or None, score in millionths, score, and why there is none."""
Reader = Callable[[Sequence[object]], Reading]
Field = Callable[[ChatEvent], str | None]
Fields = Sequence[str | None]
Lines = tuple[tuple[int, frozenset[str], tuple[str, ...]], ...]
Part = Literal["when", "unless"]
Evaluate = Callable[[Sequence[Reading]], ConditionResult]

_UNSURE = MAX_REWARD + 1


def compile_reader(signal: Signal, objectives: Sequence[str]) -> Reader:
    """Compile how a signal is read from the rewards, which are in the order of `objectives`."""
    if signal.objective not in objectives:
        return lambda _: (None, 0, None, "absent")
    index = objectives.index(signal.objective)
    least, greatest = signal.plausible
    to_score = _compile_scale(signal.scale)

    def read(rewards: Sequence[object]) -> Reading:
        reward = rewards[index]
        if type(reward) is not float and (not isinstance(reward, (int, float)) or isinstance(reward, bool)):
            return None, 0, None, "absent" if reward is None else "not_a_number"
        # Rounding comes after this guard: an infinite product cannot be rounded.
        if not -_UNSURE < reward < _UNSURE:
            is_number = isinstance(reward, int) or math.isfinite(reward)
            return None, 0, None, "implausible" if is_number else "not_finite"
        micro = micro_from(reward)
        if not least <= micro <= greatest:
            return None, 0, None, "implausible"
        score_micro = to_score(micro)
        return micro, score_micro, score_micro / MILLION, None

    return read


def _compile_scale(scale: Scale) -> Callable[[int], int]:
    """Compile millionths of a reward into millionths of a score, rounded half to even."""
    slope, start = scale.multiply, scale.add * MILLION
    divisor = math.lcm(slope.denominator, start.denominator)
    factor, offset = int(slope * divisor), int(start * divisor)
    if divisor == 1:
        return lambda micro: micro * factor + offset
    return lambda micro: round(Fraction(micro * factor + offset, divisor))


def compile_field(field: str) -> Field:
    """Compile how a field is read from an event."""
    if field == "locale":
        return lambda event: normal_locale(event.locale) if event.locale else None
    if field.startswith(METADATA):
        key = field.removeprefix(METADATA)
        return lambda event: event.metadata.get(key) if event.metadata else None
    get: Field = attrgetter(field)
    return get


def fits(lines: Lines, fields: Fields) -> bool:
    """Whether every line fits; a missing or empty field fits nothing."""
    for index, exact, prefixes in lines:
        value = fields[index]
        if not value or (value not in exact and not value.startswith(prefixes)):
            return False
    return True


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule that is not off.

    Attributes:
        signals: positions of the signals that its conditions read.
    """

    id: str
    mode: Mode
    severity: Severity
    reason: str
    labels: tuple[str, ...]
    scope: Lines
    signals: frozenset[int]
    flags_when_missing: bool
    _conditions: tuple[Evaluate, ...]
    _holds: Callable[[Verdicts], Held]
    _spares: tuple[tuple[str, Lines], ...]

    def judge(self, readings: Sequence[Reading], fields: Fields) -> RuleResult:
        """Evaluate every condition and tell what came of the rule; the scope is the caller's to check."""
        conditions = [evaluate(readings) for evaluate in self._conditions]
        held = self._holds([condition["holds"] for condition in conditions])
        outcome: Outcome = "matched" if held else "unknown" if held is None else "not matched"
        acts = self.flags_when_missing if held is None else held
        result: RuleResult = {
            "rule": self.id,
            "outcome": outcome,
            "counted": acts and self.mode == "live",
            "mode": self.mode,
            "severity": self.severity,
            "conditions": conditions,
        }
        if acts and self._spares:
            self._spare(result, fields)
        return result

    def _spare(self, result: RuleResult, fields: Fields) -> None:
        for name, lines in self._spares:
            if fits(lines, fields):
                result["outcome"] = "spared"
                result["counted"] = False
                result["spared_by"] = name
                return


def compile_whole_rule(rule: Rule, position: Mapping[str, int], fields: Sequence[str]) -> CompiledRule:
    """Compile a rule; `position` gives the place of each signal's reading, `fields` the order of field values."""
    assert rule.mode != "off"
    unless = tuple(leaves(rule.unless)) if rule.unless else ()
    return CompiledRule(
        id=rule.id,
        mode=rule.mode,
        severity=rule.flag.severity,
        reason=rule.flag.reason,
        labels=rule.flag.labels,
        scope=_compile_scope(rule.scope, fields),
        signals=frozenset(position[condition.signal.name] for condition in rule.conditions),
        flags_when_missing=rule.flags_when_missing,
        _conditions=(
            *(_compile_condition(condition, "when", position) for condition in leaves(rule.when)),
            *(_compile_condition(condition, "unless", position) for condition in unless),
        ),
        _holds=compile_rule(rule),
        _spares=tuple(
            (f"except {number}", _compile_scope(scope, fields)) for number, scope in enumerate(rule.spares, start=1)
        ),
    )


def _compile_scope(scope: Scope, fields: Sequence[str]) -> Lines:
    return tuple((fields.index(line.field), line.exact, line.prefixes) for line in scope)


def _compile_condition(condition: Condition, part: Part, position: Mapping[str, int]) -> Evaluate:
    index = position[condition.signal.name]
    if condition.limit is None:
        return _compile_missing(condition, part, index)
    signal, phrase = condition.signal.name, condition.phrase
    least, greatest = condition.bounds
    limit_micro = int(condition.limit * MILLION)
    sign = -1 if condition.comparison in ("below", "at most") else 1

    def evaluate(readings: Sequence[Reading]) -> ConditionResult:
        micro, score_micro, score, cause = readings[index]
        if micro is None:
            return _untold(part, signal, phrase, cause)
        return {
            "part": part,
            "signal": signal,
            "phrase": phrase,
            "score": score,
            "holds": least <= micro <= greatest,
            "margin": (score_micro - limit_micro) * sign / MILLION,
            "borderline": False,
        }

    return evaluate


def _untold(part: Part, signal: str, phrase: str, cause: Cause | None) -> ConditionResult:
    assert cause is not None
    return {
        "part": part,
        "signal": signal,
        "phrase": phrase,
        "score": None,
        "holds": None,
        "margin": None,
        "borderline": False,
        "cause": cause,
    }


def _compile_missing(condition: Condition, part: Part, index: int) -> Evaluate:
    signal, phrase = condition.signal.name, condition.phrase

    def evaluate(readings: Sequence[Reading]) -> ConditionResult:
        micro, _, score, _ = readings[index]
        return {
            "part": part,
            "signal": signal,
            "phrase": phrase,
            "score": score,
            "holds": micro is None,
            "margin": None,
            "borderline": False,
        }

    return evaluate
