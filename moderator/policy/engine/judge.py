"""The decision: one event and its rewards against one snapshot's rules; pure, and the same wherever it runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from moderator.events import ChatEvent, RuleResult, Status
from moderator.policy.engine.combining import Combiner, Fired, Judgement
from moderator.policy.engine.conditions import CompiledCondition, evaluate, never_known
from moderator.policy.engine.logic import Held, Verdicts
from moderator.policy.engine.observations import compile_observer
from moderator.policy.engine.passages import worst_readings, worst_rewards
from moderator.policy.engine.readings import Reading, compile_chooser, compile_signal, readings_of
from moderator.policy.engine.rules import Binding, CompiledRule, compile_rules
from moderator.policy.engine.scopes import ScopeLines, compile_field, compile_scope, fits
from moderator.policy.language.ast import Calibration, Exemption, FolderSettings, Rule, Signal, Texts

_SCORE = itemgetter(2)
_RULE = itemgetter("rule")


class Judge:
    """Decides by one snapshot for one model's list of objectives.

    Args:
        rules: the live and shadow ones.
        calibration: of the model that gives the rewards; None where there is none, and no rule says `in the lowest P%`.
        texts: of texts.yaml, for whom rules notify; None: the product has its own.
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
        texts: Texts | None = None,
    ) -> None:
        # INVARIANT: the snapshot keeps no order of exemptions nor of a signal's members, so their order may not count:
        # a decision names the first exemption that fits, and why the first member has no score.
        active = sorted(rules, key=lambda rule: rule.id)
        exemptions = sorted(exemptions, key=lambda exemption: exemption.name)
        scopes = [scope for rule in active for scope in (rule.scope, *rule.exempt_scopes)]
        scopes += [exemption.scope for exemption in exemptions]
        fields = sorted({line.field for scope in scopes for line in scope})
        scored = [signal for signal in signals if signal.kind == "score"]
        observed = [signal for signal in signals if signal.kind != "score"]
        plain, derived = _apart(scored)
        seen, derived_seen = _apart(observed)
        # INVARIANT: what the model gives comes first, and what follows from others after them.
        positions = {signal.name: index for index, signal in enumerate((*plain, *derived, *seen, *derived_seen))}
        self._names = tuple(positions)
        self._score_names = frozenset(signal.name for signal in scored)
        self._signals = tuple(compile_signal(signal, objectives) for signal in plain)
        self._members = tuple(_member_positions(signal, positions) for signal in derived)
        self._choosers = tuple(map(compile_chooser, derived, self._members))
        self._observers = tuple(map(compile_observer, seen))
        self._observed_choosers = tuple(
            compile_chooser(signal, _member_positions(signal, positions)) for signal in derived_seen
        )
        self._takes_least = tuple(signal.takes_least for signal in plain)
        self._worst_rewards = partial(worst_rewards, objectives=objectives, signals=plain)
        self._fields = tuple(compile_field(field) for field in fields)
        self._scopes = tuple(dict.fromkeys(compile_scope(rule.scope, fields) for rule in active))
        binding = Binding(positions, fields, self._scopes, calibration, exemptions, settings.actions)
        compiled = compile_rules(active, binding)
        self._plan = _plan(self._scopes, compiled)
        self._unscored_plan = _plan(self._scopes, [_without_scores(rule) for rule in compiled])
        self._combiner = Combiner(settings, texts)
        self._may_decide_unscored = any(len(rule.on_scores) < max(1, len(rule.conditions)) for rule in compiled)

    def decide(self, event: ChatEvent, rewards: Sequence[float | None] | None, at_ms: int) -> Judgement:
        """Decide on one event; never fails on content.

        Args:
            event: the judged event; only its id, the fields that policies may name, and its metadata are read.
            rewards: k raw rewards in the model's order, None for one that is absent; None, or nothing but None, when
                the model gave no score. What is not a finite, plausible number counts as missing, with its cause.
            at_ms: the event's time, ms since 1970; see `event_time_ms`.
        """
        readings = self._read(event, rewards)
        if readings is None:
            return self._decide_unscored(event, at_ms)
        results, fired = self._judge(event, readings, at_ms)
        return self._combined(event, readings, results, fired)

    def decide_edited(
        self, edit: "RuleEdit", event: ChatEvent, rewards: Sequence[float | None], at_ms: int
    ) -> tuple[Judgement, Judgement] | None:
        """Decide on one event by our rules, and by an edit of them; what both say alike is found once, and shared.

        None, and nothing is decided, where the model gave no score. See `decide`.
        """
        readings = self._read(event, rewards)
        if readings is None:
            return None
        results, fired = self._judge(event, readings, at_ms)
        added, added_fired = edit.added._judge(event, readings, at_ms)  # noqa: SLF001 - of our own class
        kept = [result for result in results if result["rule"] not in edit.removed]
        kept_fired = [each for each in fired if each[0].id not in edit.removed]
        edited = sorted(kept + added, key=_RULE) if added else kept
        ours = self._combined(event, readings, results, fired)
        return ours, self._combined(event, readings, edited, kept_fired + added_fired)

    def decide_passages(self, event: ChatEvent, passages: Sequence[Sequence[float | None]], at_ms: int) -> Judgement:
        """Decide on one event that was read in n >= 1 passages; of each score the worst one counts.

        Each condition on a score then says which passage it is from, unless there is one passage only. See `decide`.
        """
        if len(passages) == 1:
            return self.decide(event, passages[0], at_ms)
        if all(reward is None for rewards in passages for reward in rewards):
            return self._decide_unscored(event, at_ms)
        readings, origins = worst_readings(
            [readings_of(self._signals, rewards) for rewards in passages], self._takes_least
        )
        for choose, members in zip(self._choosers, self._members, strict=True):
            chosen = choose(readings)
            origins.append(next(origins[member] for member in members if readings[member] is chosen))
            readings.append(chosen)
        by_signal = dict(zip(self._names, origins, strict=False))  # facts and texts are of the whole message
        self._observe(event, readings)
        judgement = self._combined(event, readings, *self._judge(event, readings, at_ms))
        for condition in (condition for rule in judgement.rules for condition in rule["conditions"]):
            if condition["score"] is not None and condition["signal"] in by_signal:
                condition["passage"] = by_signal[condition["signal"]]
        return judgement

    def worst_rewards(self, passages: Sequence[Sequence[float]]) -> Sequence[float]:
        """Give k rewards of which the signals are made; where signals differ in which end is bad, the least."""
        return passages[0] if len(passages) == 1 else self._worst_rewards(passages)

    def _read(self, event: ChatEvent, rewards: Sequence[float | None] | None) -> list[Reading] | None:
        """Give what every signal reads; None where the model gave no score."""
        if rewards is None:
            return None
        readings = readings_of(self._signals, rewards)
        for choose in self._choosers:
            readings.append(choose(readings))
        if (not readings or readings[0][0] is None) and rewards and all(reward is None for reward in rewards):
            return None
        if self._observers:
            self._observe(event, readings)
        return readings

    def _combined(
        self, event: ChatEvent, readings: Sequence[Reading], results: list[RuleResult], fired: list[Fired]
    ) -> Judgement:
        scores = [*map(_SCORE, readings)]
        signals = dict(zip(self._names, scores, strict=True))
        lacks_score = None in scores[: len(self._score_names)] and self._lacks_score(results)
        status: Status = "degraded" if lacks_score else "scored"
        if not fired and event.cut != "message":
            return Judgement("allow", status, None, [], [], None, [], [], results, "allow", None, signals)
        return self._combiner.scored(event, fired, results, signals, status)

    def _decide_unscored(self, event: ChatEvent, at_ms: int) -> Judgement:
        readings: list[Reading] = [(None, 0, None, "absent")] * len(self._score_names)
        self._observe(event, readings)
        signals = dict(zip(self._names, map(_SCORE, readings), strict=True))
        if not self._may_decide_unscored:
            return self._combiner.unscored(event, [], [], signals)
        results, fired = self._judge(event, readings, at_ms, is_unscored=True)
        return self._combiner.unscored(event, fired, results, signals)

    def _observe(self, event: ChatEvent, readings: list[Reading]) -> None:
        """Add the facts and texts to what was read of the scores."""
        readings += [observe(event) for observe in self._observers]
        for choose in self._observed_choosers:
            readings.append(choose(readings))

    def _judge(
        self, event: ChatEvent, readings: Sequence[Reading], at_ms: int, *, is_unscored: bool = False
    ) -> tuple[list[RuleResult], list[Fired]]:
        """Evaluate every condition of every rule that applies; also give the rules that fire.

        Of an event without any score a rule says nothing that would need one.
        """
        scopes, rules = self._unscored_plan if is_unscored else self._plan
        fields = [get(event) for get in self._fields]
        evaluated = [evaluate(conditions, readings) if fits(lines, fields) else None for lines, conditions in scopes]
        results: list[RuleResult] = []
        fired: list[Fired] = []
        for rule, scope, first, own, holds, template, is_limited in rules:
            of_scope = evaluated[scope]
            if of_scope is None:
                continue
            all_conditions, verdicts = of_scope
            result = template.copy()
            if holds is None:
                held = verdicts[first]
                conditions = [all_conditions[first]]
            else:
                held = holds(verdicts)
                conditions = all_conditions[own]
            result["conditions"] = conditions
            if held is False and not is_limited:
                results.append(result)
                continue
            if held is not None:
                fires, reason = held, rule.reason
            else:
                lacks_score = rule.lacks_score(conditions)
                if lacks_score and is_unscored:
                    continue
                fires = rule.flags_when_missing if lacks_score else rule.flags_when_fact_missing
                reason = "score_missing" if lacks_score else "fact_missing"
            results.append(result)
            if held is not False:
                result["outcome"] = "matched" if held else "unknown"
            if rule.finish(result, event, fields, at_ms, fires=fires):
                if counts := rule.mode == "live" and result.get("rollout") != "outside":
                    result["counted"] = True
                fired.append((rule, reason, counts))
        return results, fired

    def _lacks_score(self, results: Iterable[RuleResult]) -> bool:
        conditions = (condition for result in results for condition in result["conditions"])
        return any(condition["score"] is None and condition["signal"] in self._score_names for condition in conditions)


class RuleEdit(NamedTuple):
    """What an edit does to the rules of a judge.

    Attributes:
        removed: ids of the rules that it removes, or replaces by rules of the same ids.
        added: a judge of the rules that come, which shares all but the rules with the first one.
    """

    removed: frozenset[str]
    added: Judge


_Planned = tuple[CompiledRule, int, int, slice, Callable[[Verdicts], Held] | None, RuleResult, bool]
"""What every event needs of a rule, in one tuple: unpacking is faster than attribute access."""
_Plan = tuple[Sequence[tuple[ScopeLines, Sequence[CompiledCondition]]], Sequence[_Planned]]
"""Each scope with the conditions of all its rules, which are evaluated at once; and the rules."""


def _plan(scopes: Sequence[ScopeLines], rules: Sequence[CompiledRule]) -> _Plan:
    conditions = [
        [condition for rule in rules if rule.scope == scope for condition in rule.conditions]
        for scope in range(len(scopes))
    ]
    return list(zip(scopes, conditions, strict=True)), list(map(_planned, rules))


def _planned(rule: CompiledRule) -> _Planned:
    own = slice(rule.first, rule.first + len(rule.conditions))
    return rule, rule.scope, rule.first, own, rule.holds, rule.template, rule.is_limited


def _without_scores(rule: CompiledRule) -> CompiledRule:
    """Give the rule for events that the model gave no score."""
    conditions = enumerate(rule.conditions)
    return replace(rule, conditions=tuple(never_known(one) if at in rule.on_scores else one for at, one in conditions))


def _apart(signals: Iterable[Signal]) -> tuple[list[Signal], list[Signal]]:
    """Part those that are read from one source from those that follow from others."""
    known = list(signals)
    return [each for each in known if not each.members], [each for each in known if each.members]


def _member_positions(signal: Signal, positions: Mapping[str, int]) -> list[int]:
    return [positions[name] for name in sorted(member.name for member in signal.members)]
