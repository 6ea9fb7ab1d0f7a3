"""The decision: one event and its rewards against one snapshot's rules; pure, and the same wherever it runs."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from moderator.events import SEVERITIES, ChatEvent, Outcome, RuleResult, Severity, Status, Verdict
from moderator.policy.compiled import CompiledRule, compile_field, compile_reader, compile_whole_rule, fits
from moderator.policy.model import Rule, Settings, Signal

_RANK: dict[Severity, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


class Judgement(NamedTuple):
    """What the policies say of one event.

    Attributes:
        severity: the highest of the rules that count; None when the verdict is allow.
        reasons: sorted, no doubles; `score_missing` where a rule counted for want of a score.
        labels: sorted, no doubles.
        rules: every rule but those that are off or do not apply, by id.
        shadow_verdict: the verdict had all shadow rules been live.
        signals: score on the human scale by signal, 6 decimals; None where it is unusable.
    """

    verdict: Verdict
    status: Status
    severity: Severity | None
    reasons: list[str]
    labels: list[str]
    rules: list[RuleResult]
    shadow_verdict: Verdict
    signals: dict[str, float | None]


class Judge:
    """Decides by one snapshot for one model's list of objectives."""

    def __init__(
        self, settings: Settings, signals: Sequence[Signal], rules: Iterable[Rule], objectives: Sequence[str]
    ) -> None:
        active = sorted((rule for rule in rules if rule.mode != "off"), key=lambda rule: rule.id)
        fields = sorted({line.field for rule in active for scope in (rule.scope, *rule.spares) for line in scope})
        position = {signal.name: index for index, signal in enumerate(signals)}
        self._names = tuple(signal.name for signal in signals)
        self._readers = tuple(compile_reader(signal, objectives) for signal in signals)
        self._fields = tuple(compile_field(field) for field in fields)
        self._rules = tuple(compile_whole_rule(rule, position, fields) for rule in active)
        self._unscored_verdict: Verdict = settings.unscored_verdict

    def decide(self, event: ChatEvent, rewards: Sequence[float | None] | None) -> Judgement:
        """Decide on one event; never fails on content.

        Args:
            event: the judged event; only the fields that policies may match on are read.
            rewards: k raw rewards in the model's order, None for one that is absent; None, or nothing but None, when
                the model gave no score. What is not a finite, plausible number counts as missing, with its cause.
        """
        if rewards is None:
            return self._unscored()
        readings = [read(rewards) for read in self._readers]
        fields = [get(event) for get in self._fields]
        rules = [rule for rule in self._rules if fits(rule.scope, fields)]
        results = [rule.judge(readings, fields) for rule in rules]
        unusable = [index for index, reading in enumerate(readings) if reading[0] is None]
        if unusable and all(reward is None for reward in rewards):
            return self._unscored()
        signals = dict(zip(self._names, [reading[2] for reading in readings], strict=True))
        return _combine(rules, results, signals, _status(rules, unusable))

    def _unscored(self) -> Judgement:
        verdict = self._unscored_verdict
        severity: Severity | None = "high" if verdict == "flag" else None
        signals: dict[str, float | None] = dict.fromkeys(self._names)
        return Judgement(verdict, "unscored", severity, ["unscored"], [], [], verdict, signals)


def _status(rules: list[CompiledRule], unusable: list[int]) -> Status:
    is_whole = not unusable or all(rule.signals.isdisjoint(unusable) for rule in rules)
    return "scored" if is_whole else "degraded"


def _combine(
    rules: list[CompiledRule], results: list[RuleResult], signals: dict[str, float | None], status: Status
) -> Judgement:
    counting: list[tuple[CompiledRule, Outcome]] = []
    would_flag = False
    for rule, result in zip(rules, results, strict=True):
        outcome = result["outcome"]
        if outcome == "matched" or (outcome == "unknown" and rule.flags_when_missing):
            would_flag = True
            if result["counted"]:
                counting.append((rule, outcome))
    shadow: Verdict = "flag" if would_flag else "allow"
    if not counting:
        return Judgement("allow", status, None, [], [], results, shadow, signals)
    reasons = {rule.reason if outcome == "matched" else "score_missing" for rule, outcome in counting}
    labels = {label for rule, _ in counting for label in rule.labels}
    severity = max((rule.severity for rule, _ in counting), key=_RANK.__getitem__)
    return Judgement("flag", status, severity, sorted(reasons), sorted(labels), results, shadow, signals)
