"""The decision: one event and its rewards against one snapshot's rules; pure, and the same wherever it runs."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from moderator.events import SEVERITIES, ChatEvent, Outcome, RuleResult, Severity, Status, Verdict
from moderator.policy.engine.conditions import evaluate
from moderator.policy.engine.passages import takes_least, worst_readings, worst_rewards
from moderator.policy.engine.readings import Reading, compile_chooser, compile_signal, readings_of
from moderator.policy.engine.rules import Binding, CompiledRule, compile_rule
from moderator.policy.engine.scopes import compile_field, compile_scope, fits
from moderator.policy.language.ast import Calibration, Exemption, FolderSettings, Rule, Signal

_RANK: dict[Severity, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


class Judgement(NamedTuple):
    """What the policies say of one event.

    Attributes:
        severity: the highest of the rules that count; None when the verdict is allow.
        reasons: sorted, no doubles; `score_missing` where a rule counted because a score is missing; `truncated` alone
            where no rule counted and some of the judged message was not read.
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
    """Decides by one snapshot for one model's list of objectives.

    Args:
        rules: the live and shadow ones.
        calibration: of the model that gives the rewards; None where there is none, and no rule says `in the lowest P%`.
    """

    def __init__(
        self,
        settings: FolderSettings,
        signals: Sequence[Signal],
        rules: Iterable[Rule],
        objectives: Sequence[str],
        *,
        exemptions: Sequence[Exemption] = (),
        calibration: Calibration | None = None,
    ) -> None:
        # INVARIANT: the snapshot keeps no order of exemptions nor of a signal's members, so their order may not count:
        # a decision names the first exemption that fits, and why the first member has no score.
        active = sorted(rules, key=lambda rule: rule.id)
        exemptions = sorted(exemptions, key=lambda exemption: exemption.name)
        scopes = [scope for rule in active for scope in (rule.scope, *rule.exempt_scopes)]
        scopes += [exemption.scope for exemption in exemptions]
        fields = sorted({line.field for scope in scopes for line in scope})
        plain = [signal for signal in signals if not signal.members]
        derived = [signal for signal in signals if signal.members]
        positions = {signal.name: index for index, signal in enumerate((*plain, *derived))}
        self._names = tuple(positions)
        self._signals = tuple(compile_signal(signal, objectives) for signal in plain)
        self._members = tuple(
            [positions[name] for name in sorted(member.name for member in signal.members)] for signal in derived
        )
        self._choosers = tuple(map(compile_chooser, derived, self._members))
        self._takes_least = tuple(takes_least(signal) for signal in plain)
        self._worst_rewards = partial(worst_rewards, objectives=objectives, signals=plain)
        self._fields = tuple(compile_field(field) for field in fields)
        self._scopes = tuple(dict.fromkeys(compile_scope(rule.scope, fields) for rule in active))
        binding = Binding(positions, fields, self._scopes, calibration, exemptions)
        compiled = (compile_rule(rule, binding) for rule in active)
        # What every event needs of a rule is in one tuple: unpacking is faster than attribute access.
        self._plan = tuple(
            (rule, rule.scope, rule.conditions, rule.holds, rule.template, rule.is_limited) for rule in compiled
        )
        self._unscored_verdict: Verdict = settings.unscored_verdict
        self._flags_truncated = settings.flags_truncated

    def decide(self, event: ChatEvent, rewards: Sequence[float | None] | None, at_ms: int) -> Judgement:
        """Decide on one event; never fails on content.

        Args:
            event: the judged event; only its id and the fields that policies may name are read.
            rewards: k raw rewards in the model's order, None for one that is absent; None, or nothing but None, when
                the model gave no score. What is not a finite, plausible number counts as missing, with its cause.
            at_ms: the event's time, ms since 1970; see `event_time_ms`.
        """
        if rewards is None:
            return self._unscored()
        readings = readings_of(self._signals, rewards)
        for choose in self._choosers:
            readings.append(choose(readings))
        if readings[0][0] is None and all(reward is None for reward in rewards):
            return self._unscored()
        return self._decide(event, readings, at_ms)

    def decide_passages(self, event: ChatEvent, passages: Sequence[Sequence[float | None]], at_ms: int) -> Judgement:
        """Decide on one event that was read in n >= 1 passages; of each signal the worst one counts.

        Each condition then says which passage its score is from, unless there is one passage only. See `decide`.
        """
        if len(passages) == 1:
            return self.decide(event, passages[0], at_ms)
        if all(reward is None for rewards in passages for reward in rewards):
            return self._unscored()
        readings, origins = worst_readings(
            [readings_of(self._signals, rewards) for rewards in passages], self._takes_least
        )
        for choose, members in zip(self._choosers, self._members, strict=True):
            chosen = choose(readings)
            origins.append(next(origins[member] for member in members if readings[member] is chosen))
            readings.append(chosen)
        judgement = self._decide(event, readings, at_ms)
        by_signal = dict(zip(self._names, origins, strict=True))
        for condition in (condition for rule in judgement.rules for condition in rule["conditions"]):
            if condition["score"] is not None:
                condition["passage"] = by_signal[condition["signal"]]
        return judgement

    def worst_rewards(self, passages: Sequence[Sequence[float]]) -> Sequence[float]:
        """Give k rewards of which the signals are made; where signals differ in which end is bad, the least."""
        return passages[0] if len(passages) == 1 else self._worst_rewards(passages)

    def _decide(self, event: ChatEvent, readings: Sequence[Reading], at_ms: int) -> Judgement:
        scores = [reading[2] for reading in readings]
        results, counting, would_flag = self._judge(event, readings, at_ms)
        signals = dict(zip(self._names, scores, strict=True))
        status: Status = "degraded" if None in scores and _lacks_score(results) else "scored"
        shadow: Verdict = "flag" if would_flag else "allow"
        if not counting:
            if event.cut == "message" and self._flags_truncated:
                return Judgement("flag", status, "medium", ["truncated"], [], results, "flag", signals)
            return Judgement("allow", status, None, [], [], results, shadow, signals)
        reasons = {rule.reason if outcome == "matched" else "score_missing" for rule, outcome in counting}
        labels = {label for rule, _ in counting for label in rule.labels}
        severity = max((rule.severity for rule, _ in counting), key=_RANK.__getitem__)
        return Judgement("flag", status, severity, sorted(reasons), sorted(labels), results, shadow, signals)

    def _judge(
        self, event: ChatEvent, readings: Sequence[Reading], at_ms: int
    ) -> tuple[list[RuleResult], list[tuple[CompiledRule, Outcome]], bool]:
        """Evaluate every condition of every rule that applies; also give the rules that count, and if any fires."""
        fields = [get(event) for get in self._fields]
        applies = [fits(lines, fields) for lines in self._scopes]
        results: list[RuleResult] = []
        counting: list[tuple[CompiledRule, Outcome]] = []
        would_flag = False
        for rule, scope, compiled, holds, template, is_limited in self._plan:
            if not applies[scope]:
                continue
            conditions = evaluate(compiled, readings)
            held = conditions[0]["holds"] if holds is None else holds([each["holds"] for each in conditions])
            result = template.copy()
            result["conditions"] = conditions
            results.append(result)
            if held is not False:
                result["outcome"] = "matched" if held else "unknown"
            elif not is_limited:
                continue
            fires = rule.flags_when_missing if held is None else held
            if rule.finish(result, event, fields, at_ms, fires=fires):
                would_flag = True
                if rule.mode == "live" and result.get("rollout") != "outside":
                    result["counted"] = True
                    counting.append((rule, result["outcome"]))
        return results, counting, would_flag

    def _unscored(self) -> Judgement:
        verdict = self._unscored_verdict
        severity: Severity | None = "high" if verdict == "flag" else None
        signals: dict[str, float | None] = dict.fromkeys(self._names)
        return Judgement(verdict, "unscored", severity, ["unscored"], [], [], verdict, signals)


def _lacks_score(results: Iterable[RuleResult]) -> bool:
    return any(condition["score"] is None for result in results for condition in result["conditions"])
