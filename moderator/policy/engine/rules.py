"""Rules compiled once, for the hot path: what they need of an event, and what stops them from firing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from moderator.events import SEVERITIES, ChatEvent, ConditionResult, Mode, Outcome, Recipient, RuleResult
from moderator.policy.engine.conditions import CompiledCondition, compile_condition
from moderator.policy.engine.logic import Held, Verdicts, compile_logic
from moderator.policy.engine.rollout import Rollouts, compile_rollout
from moderator.policy.engine.scopes import Fields, ScopeLines, compile_scope, fits
from moderator.policy.language.ast import Calibration, Condition, Exemption, Rule

NO_ACTION = -1
"""The strength of a flag without an action."""


@dataclass(frozen=True, slots=True)
class ExemptionMatch:
    """Which events are exempt from a rule: an item of its `except`, or an exemption for a period of event time."""

    name: str
    lines: ScopeLines
    added_ms: int | None = None
    until_ms: int | None = None

    def exempts(self, fields: Fields, at_ms: int) -> bool:
        """Whether it fits the event at its time."""
        if self.added_ms is not None and at_ms < self.added_ms:
            return False
        return (self.until_ms is None or at_ms < self.until_ms) and fits(self.lines, fields)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule that is not off.

    Attributes:
        is_flag: it flags; else it tags.
        rank: of its severity among `SEVERITIES`.
        strength: of its action among those of settings.yaml.
        labels: of the flag, or those that it tags with.
        scope: position of its scope among the judge's.
        first: position of its first condition among all those of its scope.
        conditions: in the order of `Rule.conditions`.
        on_scores: positions of the conditions on a model's scores.
        holds: what their verdicts make together, given those of the scope; None for a single condition, whose verdict
            is the rule's.
        template: the result of a rule that does not match, with all that is known in advance.
        is_limited: it has a schedule or a rollout, which its result states whatever the verdict.
        exemption_matches: the items of `except` in their order, then exemptions by name.
    """

    id: str
    mode: Mode
    is_flag: bool
    rank: int
    strength: int
    reason: str
    labels: tuple[str, ...]
    queues: tuple[str, ...]
    notify: tuple[tuple[Recipient, str], ...]
    scope: int
    first: int
    flags_when_missing: bool
    flags_when_fact_missing: bool
    conditions: tuple[CompiledCondition, ...]
    on_scores: tuple[int, ...]
    holds: Callable[[Verdicts], Held] | None
    template: RuleResult
    is_limited: bool
    starts_ms: int | None
    until_ms: int | None
    rollout: Rollouts | None
    exemption_matches: tuple[ExemptionMatch, ...]

    def lacks_score(self, conditions: Sequence[ConditionResult]) -> bool:
        """Whether a condition that is unknown is on a model's score, not on a fact or the text."""
        return any(conditions[index]["holds"] is None for index in self.on_scores)

    def outcome_at(self, at_ms: int) -> Outcome | None:
        """Give `not yet` or `ended`; None while the rule is in force."""
        if self.starts_ms is not None and at_ms < self.starts_ms:
            return "not yet"
        return "ended" if self.until_ms is not None and at_ms >= self.until_ms else None

    def finish(self, result: RuleResult, event: ChatEvent, fields: Fields, at_ms: int, *, fires: bool) -> bool:
        """Apply schedule, exemptions and rollout to a result; give whether the rule still fires."""
        if self.rollout is not None:
            result["rollout"] = "inside" if self.rollout(event) else "outside"
        outcome = self.outcome_at(at_ms)
        if outcome is not None:
            result["outcome"] = outcome
            return False
        if fires:
            for match in self.exemption_matches:
                if match.exempts(fields, at_ms):
                    result["outcome"] = "spared"
                    result["spared_by"] = match.name
                    return False
        return fires


@dataclass(frozen=True, slots=True)
class Binding:
    """What rules are compiled against: positions of readings, fields, scopes and actions, and any calibration."""

    positions: Mapping[str, int]
    fields: Sequence[str]
    scopes: Sequence[ScopeLines]
    calibration: Calibration | None
    exemptions: Sequence[Exemption]
    actions: Sequence[str]


def compile_rules(rules: Iterable[Rule], binding: Binding) -> list[CompiledRule]:
    """Compile rules that are not off; their order is that of their conditions in each scope."""
    used = [0] * len(binding.scopes)
    compiled = []
    for rule in rules:
        scope = binding.scopes.index(compile_scope(rule.scope, binding.fields))
        compiled.append(_compile_rule(rule, binding, scope, used[scope]))
        used[scope] += len(rule.conditions)
    return compiled


def _compile_rule(rule: Rule, binding: Binding, scope: int, first: int) -> CompiledRule:
    assert rule.mode != "off"
    return CompiledRule(
        id=rule.id,
        mode=rule.mode,
        is_flag=rule.flag is not None,
        rank=SEVERITIES.index(rule.flag.severity) if rule.flag else 0,
        strength=binding.actions.index(rule.flag.action) if rule.flag and rule.flag.action else NO_ACTION,
        reason=rule.flag.reason if rule.flag else "",
        labels=rule.flag.labels if rule.flag else rule.tags,
        queues=(rule.flag.queue,) if rule.flag and rule.flag.queue else (),
        notify=rule.flag.notify if rule.flag else (),
        scope=scope,
        first=first,
        flags_when_missing=rule.flag is not None and rule.flags_when_missing,
        flags_when_fact_missing=rule.flag is not None and rule.flags_when_fact_missing,
        conditions=_compile_conditions(rule, binding),
        on_scores=tuple(index for index, each in enumerate(rule.conditions) if each.signal.kind == "score"),
        holds=None if isinstance(rule.when, Condition) and rule.unless is None else compile_logic(rule, first),
        template=_template(rule, rule.mode),
        is_limited=any(limit is not None for limit in (rule.starts_ms, rule.until_ms, rule.rollout)),
        starts_ms=rule.starts_ms,
        until_ms=rule.until_ms,
        rollout=compile_rollout(rule.rollout) if rule.rollout else None,
        exemption_matches=_compile_exemption_matches(rule, binding),
    )


def _template(rule: Rule, mode: Mode) -> RuleResult:
    result: RuleResult = {
        "rule": rule.id,
        "outcome": "not matched",
        "counted": False,
        "mode": mode,
        "severity": rule.flag.severity if rule.flag else None,
        "conditions": [],
    }
    if rule.flag is None:
        result["tags"] = list(rule.tags)
    return result


def _compile_conditions(rule: Rule, binding: Binding) -> tuple[CompiledCondition, ...]:
    return tuple(
        compile_condition(condition, rule.part_of(index), binding.positions[condition.signal.name], binding.calibration)
        for index, condition in enumerate(rule.conditions)
    )


def _compile_exemption_matches(rule: Rule, binding: Binding) -> tuple[ExemptionMatch, ...]:
    exceptions = [
        ExemptionMatch(f"except {number}", compile_scope(scope, binding.fields))
        for number, scope in enumerate(rule.exempt_scopes, start=1)
    ]
    exemptions = [
        ExemptionMatch(each.name, compile_scope(each.scope, binding.fields), each.added_ms, each.until_ms)
        for each in binding.exemptions
        if rule.id in each.covers
    ]
    return (*exceptions, *exemptions)
