"""Conditions, scopes and rules compiled once into closures over whole numbers, for the hot path."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from moderator.events import ChatEvent, ConditionResult, Mode, Outcome, Part, RuleResult, Severity
from moderator.policy.engine.logic import Held, Verdicts, compile_rule
from moderator.policy.engine.readings import Reading, noise_of
from moderator.policy.engine.rollout import Rollouts, compile_rollout
from moderator.policy.language.ast import Calibration, Condition, Exemption, Rule, Scope, leaves
from moderator.policy.language.comparisons import LOW_END
from moderator.policy.language.fields import METADATA, normal_locale
from moderator.policy.language.percent import limit_micro, percent_bounds
from moderator.policy.language.scale import MAX_MICRO, MILLION

Field = Callable[[ChatEvent], str | None]
Fields = Sequence[str | None]
Lines = tuple[tuple[int, frozenset[str], tuple[str, ...]], ...]
Limit = tuple[int, int, int]
"""Of a comparison: least and greatest reward for which it holds, and the score at its edge; all in whole millionths."""


def compile_field(field: str) -> Field:
    """Compile how a field is read from an event."""
    if field == "locale":
        return lambda event: normal_locale(event.locale) if event.locale else None
    if field.startswith(METADATA):
        key = field.removeprefix(METADATA)
        return lambda event: event.metadata.get(key) if event.metadata else None
    get: Field = attrgetter(field)
    return get


def compile_scope(scope: Scope, fields: Sequence[str]) -> Lines:
    """Compile a scope; `fields` gives the order of field values."""
    return tuple((fields.index(line.field), line.exact, line.prefixes) for line in scope)


def fits(lines: Lines, fields: Fields) -> bool:
    """Whether every line fits; a missing or empty field fits nothing."""
    for index, exact, prefixes in lines:
        value = fields[index]
        if not value or (value not in exact and not value.startswith(prefixes)):
            return False
    return True


@dataclass(frozen=True, slots=True)
class ExemptionMatch:
    """What spares an event that a rule matches: an item of `except`, or an exemption for a while of event time."""

    name: str
    lines: Lines
    added_ms: int | None = None
    until_ms: int | None = None

    def spares(self, fields: Fields, at_ms: int) -> bool:
        """Whether it fits the event at its time."""
        if self.added_ms is not None and at_ms < self.added_ms:
            return False
        return (self.until_ms is None or at_ms < self.until_ms) and fits(self.lines, fields)


class CompiledCondition(NamedTuple):
    """One comparison; all limits in whole millionths.

    Attributes:
        template: its result with all that is known beforehand; copying it is quicker than writing it anew.
        place: position of the signal's reading.
        least, greatest: rewards for which it holds.
        edge: the score from which the margin counts; None for `missing`.
        sign: 1 where more than the edge holds, -1 where less does.
        noise: how far one text's scores may lie apart; 0, which makes nothing borderline, where that is not known.
    """

    template: ConditionResult
    place: int
    least: int
    greatest: int
    edge: int | None
    sign: int
    noise: int


def evaluate(conditions: Iterable[CompiledCondition], readings: Sequence[Reading]) -> list[ConditionResult]:
    """Evaluate every condition, in the order given."""
    results = []
    for template, place, least, greatest, edge, sign, noise in conditions:
        micro, score_micro, score, cause = readings[place]
        result = template.copy()
        results.append(result)
        if micro is None:
            result["holds"] = True if edge is None else None
            if edge is not None and cause is not None:
                result["cause"] = cause
            continue
        result["score"] = score
        if least <= micro <= greatest:
            result["holds"] = True
        if edge is not None:
            distance = (score_micro - edge) * sign
            result["margin"] = distance / MILLION
            if noise and -noise <= distance <= noise:
                result["borderline"] = True
    return results


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule that is not off.

    Attributes:
        scope: position of its scope among the judge's.
        conditions: in the order of `Rule.conditions`.
        holds: what their verdicts make together; None for a single condition, whose verdict is the rule's.
        template: the result of a rule that does not match, with all that is known beforehand.
        is_limited: it has a schedule or a rollout, which is told of whatever the verdict.
    """

    id: str
    mode: Mode
    severity: Severity
    reason: str
    labels: tuple[str, ...]
    scope: int
    flags_when_missing: bool
    conditions: tuple[CompiledCondition, ...]
    holds: Callable[[Verdicts], Held] | None
    template: RuleResult
    is_limited: bool
    starts_ms: int | None
    until_ms: int | None
    rollout: Rollouts | None
    spares: tuple[ExemptionMatch, ...]

    def outcome_at(self, at_ms: int) -> Outcome | None:
        """Give `not yet` or `ended`; None while the rule is in force."""
        if self.starts_ms is not None and at_ms < self.starts_ms:
            return "not yet"
        return "ended" if self.until_ms is not None and at_ms >= self.until_ms else None

    def finish(self, result: RuleResult, event: ChatEvent, fields: Fields, at_ms: int, *, acts: bool) -> bool:
        """Apply schedule, exceptions and rollout to a result; give whether the rule still acts."""
        if self.rollout is not None:
            result["rollout"] = "inside" if self.rollout(event) else "outside"
        outcome = self.outcome_at(at_ms)
        if outcome is not None:
            result["outcome"] = outcome
            return False
        if acts:
            for spare in self.spares:
                if spare.spares(fields, at_ms):
                    result["outcome"] = "spared"
                    result["spared_by"] = spare.name
                    return False
        return acts


@dataclass(frozen=True, slots=True)
class Binding:
    """What rules are compiled against: where readings, fields and scopes stand, and the calibration, if any."""

    positions: Mapping[str, int]
    fields: Sequence[str]
    scopes: Sequence[Lines]
    calibration: Calibration | None
    exemptions: Sequence[Exemption]


def compile_whole_rule(rule: Rule, binding: Binding) -> CompiledRule:
    """Compile a rule that is not off."""
    assert rule.mode != "off"
    unless = tuple(leaves(rule.unless)) if rule.unless else ()
    return CompiledRule(
        id=rule.id,
        mode=rule.mode,
        severity=rule.flag.severity,
        reason=rule.flag.reason,
        labels=rule.flag.labels,
        scope=binding.scopes.index(compile_scope(rule.scope, binding.fields)),
        flags_when_missing=rule.flags_when_missing,
        conditions=(
            *(_compile_condition(condition, "when", binding) for condition in leaves(rule.when)),
            *(_compile_condition(condition, "unless", binding) for condition in unless),
        ),
        holds=compile_rule(rule) if len(rule.conditions) > 1 else None,
        template={
            "rule": rule.id,
            "outcome": "not matched",
            "counted": False,
            "mode": rule.mode,
            "severity": rule.flag.severity,
            "conditions": [],
        },
        is_limited=any(limit is not None for limit in (rule.starts_ms, rule.until_ms, rule.rollout)),
        starts_ms=rule.starts_ms,
        until_ms=rule.until_ms,
        rollout=compile_rollout(rule.rollout) if rule.rollout else None,
        spares=_compile_spares(rule, binding),
    )


def _compile_spares(rule: Rule, binding: Binding) -> tuple[ExemptionMatch, ...]:
    exceptions = [
        ExemptionMatch(f"except {number}", compile_scope(scope, binding.fields))
        for number, scope in enumerate(rule.spares, start=1)
    ]
    exemptions = [
        ExemptionMatch(each.name, compile_scope(each.scope, binding.fields), each.added_ms, each.until_ms)
        for each in binding.exemptions
        if rule.id in each.covers
    ]
    return (*exceptions, *exemptions)


def _compile_condition(condition: Condition, part: Part, binding: Binding) -> CompiledCondition:
    template: ConditionResult = {
        "part": part,
        "signal": condition.signal.name,
        "phrase": condition.phrase,
        "score": None,
        "holds": False,
        "margin": None,
        "borderline": False,
    }
    place = binding.positions[condition.signal.name]
    if condition.comparison == "missing":
        return CompiledCondition(template, place, MAX_MICRO, -MAX_MICRO, None, 0, 0)
    least, greatest, edge = _limit(condition, binding.calibration)
    sign = -1 if condition.comparison in LOW_END else 1
    noise = noise_of(condition.signal, binding.calibration)
    return CompiledCondition(template, place, least, greatest, edge, sign, noise)


def _limit(condition: Condition, calibration: Calibration | None) -> Limit:
    if condition.limit is not None:
        return *condition.bounds, int(condition.limit * MILLION)
    # INVARIANT: a percent phrase without its quantiles is refused when the folder and the model are checked.
    assert calibration is not None, "bound without a calibration"
    bounds, edge = percent_bounds(condition, calibration), limit_micro(condition, calibration)
    assert bounds is not None
    assert edge is not None
    return *bounds, edge
