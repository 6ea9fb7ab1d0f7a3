"""What differs between two versions of a rule, a signal or an exemption, in one line for each part."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from moderator.policy.analysis.descriptions import expression_in_words
from moderator.policy.language.ast import (
    Condition,
    Exemption,
    Expression,
    FieldMatch,
    Flag,
    Rule,
    Scope,
    Signal,
    leaves,
)
from moderator.policy.language.event_time import iso_utc
from moderator.policy.language.scale import show
from moderator.policy.language.text_source import TextSource
from moderator.policy.syntax.diagnostics import printable

_NOTHING = "none"


def rule_lines(was: Rule, now: Rule) -> Iterator[str]:
    """Give each part of a rule that differs, such as `safety below 0.30 -> below 0.35`."""
    yield from _expression_lines("", was.when, now.when)
    yield from _expression_lines("unless ", was.unless, now.unless)
    yield from _differing(_rule_parts(was), _rule_parts(now))


def signal_lines(was: Signal, now: Signal) -> Iterator[str]:
    """Give each part of a signal that differs and that a decision depends on."""
    yield from _differing(_signal_parts(was), _signal_parts(now))


def exemption_lines(was: Exemption, now: Exemption) -> Iterator[str]:
    """Give each part of an exemption that differs."""
    yield from _differing(_exemption_parts(was), _exemption_parts(now))


def rule_summary(rule: Rule) -> str:
    """Give a rule's mode, conditions, and severity or tags in one line."""
    unless = f" unless {expression_in_words(rule.unless)}" if rule.unless else ""
    effect = rule.flag.severity if rule.flag else f"tags {_listed(rule.tags)}"
    return f"{rule.mode}, {effect}: {expression_in_words(rule.when) if rule.when else 'always'}{unless}"


def signal_summary(signal: Signal) -> str:
    """Give in a few words what a signal is read from."""
    return _signal_parts(signal)["from"]


def exemption_summary(exemption: Exemption) -> str:
    """Give in one line which events an exemption exempts, from which rules, and until when."""
    return printable(
        f"{_scope(exemption.scope)}, from {', '.join(exemption.covers)}, until {iso_utc(exemption.until_ms)}"
    )


def scope_key(scope: Scope) -> tuple[str, ...]:
    """Give a key that is equal for two scopes if they say the same, in any order."""
    return tuple(sorted(map(_line, scope)))


def conditions_key(expression: Expression | None) -> str:
    """Give a key that is equal for two expressions if they say the same, however their limits are written."""
    return expression_in_words(_plainly_written(expression)) if expression else _NOTHING


def _differing(was: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    for name in dict.fromkeys((*was, *now)):
        before, after = was.get(name, _NOTHING), now.get(name, _NOTHING)
        if before != after:
            yield printable(f"{name} {before} -> {after}")


def _expression_lines(prefix: str, was: Expression | None, now: Expression | None) -> Iterator[str]:
    """Give the comparisons that differ where the shape is the same, else the whole expressions."""
    if was is None or now is None or _shape(was) != _shape(now):
        if conditions_key(was) != conditions_key(now):
            before, after = (expression_in_words(one) if one else _NOTHING for one in (was, now))
            yield f"{prefix or 'when '}{before} -> {after}"
        return
    for one, other in zip(leaves(was), leaves(now), strict=True):
        if _plain_phrase(one) != _plain_phrase(other):
            yield f"{prefix}{one.signal.name} {one.phrase} -> {other.phrase}"


def _shape(expression: Expression) -> object:
    if isinstance(expression, Condition):
        return expression.signal.name
    return expression.kind, [_shape(part) for part in expression.parts]


def _plainly_written(expression: Expression) -> Expression:
    if isinstance(expression, Condition):
        return replace(expression, phrase=_plain_phrase(expression))
    return replace(expression, parts=tuple(map(_plainly_written, expression.parts)))


def _plain_phrase(condition: Condition) -> str:
    """Write `below 0.550000` as `below 0.55`."""
    if condition.percent is not None:
        return condition.comparison.write(f"{show(condition.percent)}%")
    return condition.comparison.write("" if condition.limit is None else show(condition.limit))


def _rule_parts(rule: Rule) -> dict[str, str]:
    rollout = rule.rollout
    return {
        "mode": rule.mode,
        "applies_to": _scope(rule.scope),
        "except": "; or ".join(map(_scope, rule.exempt_scopes)) or _NOTHING,
        "starts": _time(rule.starts_ms),
        "until": _time(rule.until_ms),
        "rollout": f"{show(rollout.percent)}% of {rollout.unit}" if rollout else _NOTHING,
        "rollout_seed": rollout.seed if rollout and rollout.has_own_seed else _NOTHING,
        "if_score_missing": "flag" if rule.flags_when_missing else "allow",
        "if_fact_missing": _if_fact_missing(rule),
        "tag": _listed(rule.tags),
        **_flag_parts(rule.flag),
        "budget": _NOTHING if rule.flag_share is None else f"at most {show(rule.flag_share)}%",
    }


def _if_fact_missing(rule: Rule) -> str:
    """Give what counts where a fact is missing; none where the rule asks for none."""
    if all(condition.signal.kind == "score" for condition in rule.conditions):
        return _NOTHING
    return "flag" if rule.flags_when_fact_missing else "allow"


def _flag_parts(flag: Flag | None) -> dict[str, str]:
    return {
        "severity": flag.severity if flag else _NOTHING,
        "reason": flag.reason if flag else _NOTHING,
        "labels": _listed(flag.labels) if flag else _NOTHING,
        "queue": (flag and flag.queue) or _NOTHING,
        "notify": _listed([f"{to} {key}" for to, key in flag.notify]) if flag else _NOTHING,
    }


def _signal_parts(signal: Signal) -> dict[str, str]:
    scale = signal.scale
    low, high = (_NOTHING if end is None else show(end) for end in (scale.low, scale.high))
    members = f"{signal.pick} of {_listed(sorted(member.name for member in signal.members))}"
    return {
        "from": members if signal.members else signal.source_in_words,
        "multiply": _exact(scale.multiply),
        "add": _exact(scale.add),
        "low": low,
        "high": high,
        "unit": scale.unit or _NOTHING,
        "good": signal.good,
        "plausible": _plausible(signal),
        **(_text_parts(signal.text) if signal.text else {}),
    }


def _text_parts(text: TextSource) -> dict[str, str]:
    return {
        "reads": f"{text.kind} of a list" if text.entries else text.kind,
        "match": text.match,
        "compare": text.compare,
        "count": "places" if text.counts_places else "entries",
    }


def _plausible(signal: Signal) -> str:
    """Write the range of plausible rewards as scores; none where any reward will do."""
    if signal.plausible == (-signal.greatest_micro, signal.greatest_micro):
        return _NOTHING
    return " to ".join(map(_exact, sorted(map(signal.scale.score_of, signal.plausible))))


def _exemption_parts(exemption: Exemption) -> dict[str, str]:
    return {
        "covers": _listed(sorted(exemption.covers)),
        "applies_to": _scope(exemption.scope),
        "added": iso_utc(exemption.added_ms),
        "until": iso_utc(exemption.until_ms),
    }


def _scope(scope: Scope) -> str:
    return ", ".join(scope_key(scope)) or "everything"


def _line(line: FieldMatch) -> str:
    return f"{line.field} {' or '.join(sorted([*line.exact, *(f'{prefix}*' for prefix in line.prefixes)]))}"


def _time(time_ms: int | None) -> str:
    return _NOTHING if time_ms is None else iso_utc(time_ms)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or _NOTHING


def _exact(number: Fraction) -> str:
    return show(number) if Fraction(show(number)) == number else str(number)
