"""Two policy folders compared by what they mean, with proofs of the direction in which verdicts can change."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from moderator.events import Verdict
from moderator.policy.analysis.action_lines import action_lines
from moderator.policy.analysis.covering import Placed, covers
from moderator.policy.analysis.rule_lines import (
    conditions_key,
    exemption_lines,
    exemption_summary,
    rule_lines,
    rule_summary,
    scope_key,
    signal_lines,
    signal_summary,
)
from moderator.policy.analysis.text_changes import list_lines
from moderator.policy.language.ast import Rule, Texts
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import printable

Claim = Literal["flags the same", "can only flag more", "can only flag less"]
Kind = Literal["added", "removed", "renamed", "changed"]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Part = TypeVar("Part", bound=_Named)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Attributes:
        what: a full rule id, or such as `signal safety`.
        lines: what differs, in words.
        claim: what is proven of a rule's part in every verdict; None where nothing is, or it is no rule.
        warning: what is easily overlooked; empty where there is nothing.
        versions: of a rule that both folders have, the old version and the new one.
    """

    kind: Kind
    what: str
    lines: tuple[str, ...]
    claim: Claim | None = None
    warning: str = ""
    versions: tuple[Placed, Placed] | None = None


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """Everything that differs; `claim` is proven of every event's verdict, None where nothing is."""

    changes: tuple[Change, ...]
    claim: Claim | None


def diff(old: PolicySet, new: PolicySet) -> PolicyDiff:
    """Compare what two folders mean; comments, order, `about` texts and tests make no difference."""
    changes = (
        *_setting_changes(old, new),
        *_order_of_actions(old, new),
        *_part_changes("signal", old.signals, new.signals, signal_summary, signal_lines),
        *(Change("changed", place, (line,)) for place, line in list_lines(old.signals, new.signals)),
        *_calibration_changes(old, new),
        *_rule_changes(old, new),
        *_part_changes("exemption", old.exemptions, new.exemptions, exemption_summary, exemption_lines),
        *_text_changes(old.texts or {}, new.texts or {}),
    )
    more = _flags_no_less(old, new)
    less = _flags_no_less(new, old)
    return PolicyDiff(changes, _claim(more=more, less=less))


def _setting_changes(old: PolicySet, new: PolicySet) -> Iterator[Change]:
    for key, was, now in (
        ("if_unscored", old.settings.unscored_verdict, new.settings.unscored_verdict),
        ("if_truncated", _truncated_verdict(old), _truncated_verdict(new)),
    ):
        if was != now:
            claim: Claim = "can only flag more" if now == "flag" else "can only flag less"
            yield Change("changed", "settings", (f"{key} {was} -> {now}",), claim)


def _order_of_actions(old: PolicySet, new: PolicySet) -> Iterator[Change]:
    """Say that actions which both folders know are stronger in another order: the strongest of a decision's counts."""
    was, now = old.settings.actions, new.settings.actions
    before, after = ([action for action in side if action in was and action in now] for side in (was, now))
    if before != after:
        line = f"actions from mildest to strongest: {', '.join(was)} -> {', '.join(now)}"
        yield Change("changed", "settings", (line,), "flags the same")


def _text_changes(old: Texts, new: Texts) -> Iterator[Change]:
    changed = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    if changed:
        yield Change("changed", "texts changed, no verdict changes", tuple(map(printable, changed)))


def _truncated_verdict(policies: PolicySet) -> Verdict:
    return policies.settings.truncated_verdict or "flag"


def _part_changes(
    what: str,
    old: Iterable[Part],
    new: Iterable[Part],
    summary: Callable[[Part], str],
    lines: Callable[[Part, Part], Iterable[str]],
) -> Iterator[Change]:
    before, after = {part.name: part for part in old}, {part.name: part for part in new}
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield Change("added", f"{what} {name}", (summary(after[name]),))
        elif name not in after:
            yield Change("removed", f"{what} {name}", (summary(before[name]),))
        elif found := tuple(lines(before[name], after[name])):
            yield Change("changed", f"{what} {name}", found)


def _calibration_changes(old: PolicySet, new: PolicySet) -> Iterator[Change]:
    before, after = (
        {model: calibration.hash for model, calibration in policies.calibrations.items()} for policies in (old, new)
    )
    for model in sorted(before.keys() | after.keys()):
        was, now = before.get(model), after.get(model)
        if was != now:
            kind: Kind = "added" if was is None else "removed" if now is None else "changed"
            lines = (f"{_short(was)} -> {_short(now)}",) if kind == "changed" else (_short(was or now),)
            yield Change(kind, f"calibration of {model}", lines)


def _short(content_hash: str | None) -> str:
    return (content_hash or "").removeprefix("sha256:")[:8]


def _rule_changes(old: PolicySet, new: PolicySet) -> Iterator[Change]:
    renamed = _renamed(old.rules, new.rules)
    before = {renamed.get(rule.id, rule.id): rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was is not None and now is not None:
            yield from _rule_change(Placed(old, was), Placed(new, now))
        elif now is not None:
            claim: Claim = "can only flag more" if _flags(now) else "flags the same"
            yield Change("added", name, (rule_summary(now),), claim)
        elif was is not None:
            claim = "can only flag less" if _flags(was) else "flags the same"
            yield Change("removed", name, (rule_summary(was),), claim)


def _flags(rule: Rule) -> bool:
    return rule.mode == "live" and rule.flag is not None


def _rule_change(was: Placed, now: Placed) -> Iterator[Change]:
    lines = (*rule_lines(was.rule, now.rule), *action_lines(was, now))
    claim = _claim(more=covers(now, was), less=covers(was, now))
    warning, versions = _redraw_warning(was.rule, now.rule), (was, now)
    if was.rule.id != now.rule.id:
        yield Change("renamed", f"{was.rule.id} -> {now.rule.id}", lines, claim, warning, versions)
    elif lines:
        yield Change("changed", now.rule.id, lines, claim, warning, versions)
    elif claim != "flags the same":
        lines = ("changed by a signal, a list, a calibration or an exemption",)
        yield Change("changed", now.rule.id, lines, claim, versions=versions)


def _redraw_warning(was: Rule, now: Rule) -> str:
    if was.rollout is None or now.rollout is None or was.rollout.seed == now.rollout.seed:
        return ""
    return f"rollout will redraw {now.rollout.unit} unless rollout_seed is kept: write rollout_seed: {was.rollout.seed}"


def _renamed(old: Sequence[Rule], new: Sequence[Rule]) -> Mapping[str, str]:
    """Match each removed rule with an added one that says the same, or has the same conditions or `about` text."""
    removed = [rule for rule in old if rule.id not in {other.id for other in new}]
    added = [rule for rule in new if rule.id not in {other.id for other in old}]
    names: dict[str, str] = {}
    for key in (_all_but_name, _conditions, _about):
        for rule in removed:
            same = (other.id for other in added if other.id not in names.values() and key(other) == key(rule))
            if rule.id not in names and (found := next(same, None)):
                names[rule.id] = found
    return names


def _all_but_name(rule: Rule) -> tuple[object, ...]:
    return (*_conditions(rule), rule.mode, scope_key(rule.scope), rule.flag, rule.tags, _if_missing(rule))


def _if_missing(rule: Rule) -> tuple[bool, bool]:
    return rule.flags_when_missing, rule.flags_when_fact_missing


def _conditions(rule: Rule) -> tuple[object, ...]:
    return conditions_key(rule.when), conditions_key(rule.unless)


def _about(rule: Rule) -> tuple[object, ...]:
    return (rule.about,)


def _flags_no_less(narrower: PolicySet, wider: PolicySet) -> bool:
    """Whether every event that `narrower` flags is proven to be flagged by `wider`."""
    if narrower.settings.unscored_verdict == "flag" and wider.settings.unscored_verdict == "allow":
        return False
    if narrower.settings.flags_truncated and not wider.settings.flags_truncated:
        return False
    return all(_is_covered(Placed(narrower, rule), wider) for rule in narrower.rules)


def _is_covered(narrower: Placed, wider: PolicySet) -> bool:
    by_likeness = sorted(wider.rules, key=lambda rule: rule.id != narrower.rule.id)
    return any(covers(Placed(wider, rule), narrower) for rule in by_likeness)


def _claim(*, more: bool, less: bool) -> Claim | None:
    if more and less:
        return "flags the same"
    if more:
        return "can only flag more"
    return "can only flag less" if less else None
