"""A rule in plain words, made from what was read, so that staff can confirm what they wrote."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from moderator.counted import counted
from moderator.policy.language.ast import Condition, Exemption, Expression, FieldMatch, Group, Rule, Scope, Signal
from moderator.policy.language.fields import METADATA
from moderator.policy.language.scale import show
from moderator.policy.language.text_source import IN_PLACE
from moderator.policy.syntax.diagnostics import printable

_BEFORE = {"speaker": "for", "channel": "in", "tenant": "of", "locale": "in", "role": "by"}
_READING = {
    "cut": {
        "nothing": "where the whole event was read",
        "context": "where older turns were not read",
        "message": "where some of the message was not read",
    },
    "hidden_text": {"none": "without hidden text", "found": "with hidden text"},
}
_QUOTED_ENTRIES = 5
_MODES = {"live": "live", "shadow": "watched only", "off": "off"}


def describe_rule(rule: Rule, exemptions: Iterable[Exemption] = ()) -> str:
    """Describe a rule in two sentences without line ends: what it does, and what else to know about it."""
    head = [f"{rule.id.partition('/')[2]}, {_MODES[rule.mode]}{_rollout(rule)}", *_times(rule)]
    head += [f"{_before(line)}{_line(line)}" for line in rule.scope]
    unless = f", unless {expression_in_words(rule.unless)}" if rule.unless else ""
    exempt = ", and".join(f" except {_scope(scope)}" for scope in rule.exempt_scopes)
    when = f"when {expression_in_words(rule.when)}" if rule.when else "whatever the message says"
    body = f"{when}{unless}{';' if exempt else ''}{exempt}"
    return printable(f"{', '.join(head)}: {body}; {_effect(rule)}. {_more(rule, exemptions)}".rstrip())


def expression_in_words(expression: Expression) -> str:
    """Write conditions as words: `safety is below 0.55 and either … or …`."""
    if isinstance(expression, Condition):
        return _comparison(expression)
    return _joined(expression, is_inner=False)


def date_in_words(time_ms: int) -> str:
    """Write a time in UTC: `1 October 2026`, with hours only where it is not midnight."""
    time = datetime.fromtimestamp(time_ms / 1000, UTC)
    date = f"{time.day} {time:%B %Y}"
    if time.hour == time.minute == time.second == time.microsecond == 0:
        return date
    timespec = "milliseconds" if time.microsecond else "seconds" if time.second else "minutes"
    clock = time.time().isoformat(timespec)
    return f"{date}, {clock} UTC"


def _rollout(rule: Rule) -> str:
    """Say for whom a rule is live; one that is not live regards no rollout."""
    if rule.rollout is None or rule.mode != "live":
        return ""
    return f" for {show(rule.rollout.percent)}% of {rule.rollout.unit}"


def _times(rule: Rule) -> list[str]:
    starts = [] if rule.starts_ms is None else [f"from {date_in_words(rule.starts_ms)}"]
    until = [] if rule.until_ms is None else [f"until {date_in_words(rule.until_ms)}"]
    return [" ".join(starts + until)] if starts or until else []


def _joined(group: Group, *, is_inner: bool) -> str:
    """Join a group's parts; a comma after an inner group separates what follows from it."""
    word = "and" if group.kind == "all" else "or"
    parts = _flattened(group)
    text = ""
    for index, part in enumerate(parts):
        if index:
            text += f", {word} " if isinstance(parts[index - 1], Group) else f" {word} "
        text += _joined(part, is_inner=True) if isinstance(part, Group) else _comparison(part)
    if len(parts) == 1 or (group.kind == "all" and not is_inner):
        return text
    few = 2
    opening = "either" if group.kind == "any" else "both" if len(parts) == few else "all of"
    return f"{opening} {text}"


def _flattened(group: Group) -> list[Expression]:
    """Replace inner groups of the same kind, or with one part only, by their parts."""
    parts: list[Expression] = []
    for part in group.parts:
        if isinstance(part, Group) and (part.kind == group.kind or len(part.parts) == 1):
            parts += _flattened(part)
        else:
            parts.append(part)
    return parts


def _comparison(condition: Condition) -> str:
    phrase, unit = condition.phrase, condition.signal.spoken_unit
    if unit and condition.limit is not None:
        phrase = condition.comparison.write(f"{condition.comparison.number_in(phrase)} {unit}")
    return f"{_named(condition.signal)} is {phrase}"


def _named(signal: Signal) -> str:
    """Name a signal, with the list that it is read from: `scam-words (2 entries of lists/scam.txt)`."""
    entries = signal.text.entries if signal.text else None
    if signal.text is None or entries is None:
        return signal.name
    count = len(entries.entries)
    if entries.name == IN_PLACE and count <= _QUOTED_ENTRIES:
        return f"{signal.name} ({', '.join(map(literal, entries.entries))})"
    size = counted(count, "pattern") if signal.text.kind == "patterns" else counted(count, "entry", "entries")
    return f"{signal.name} ({size} of {entries.name})"


def _before(line: FieldMatch) -> str:
    return "" if line.field in _READING else f"{_BEFORE.get(line.field, 'with')} "


def _line(line: FieldMatch) -> str:
    """Write one line of a scope as words, literals in quotes: `channel "help" or channels that start with "news-"`."""
    if line.field in _READING:
        return listed([_READING[line.field][value] for value in sorted(line.exact)], "or")
    values = f"{line.field} {listed([literal(value) for value in sorted(line.exact)], 'or')}" if line.exact else ""
    if not line.prefixes:
        return values
    plural = f"values of {line.field}" if line.field.startswith(METADATA) else f"{line.field}s"
    beginnings = listed([literal(prefix) for prefix in line.prefixes], "or")
    starts = f"any {line.field}" if "" in line.prefixes else f"{plural} that start with {beginnings}"
    return f"{values} or {starts}" if values else starts


def literal(value: str) -> str:
    """Write a value as it is compared, in quotes."""
    shown = value.replace('"', r"\"")
    return f'"{shown}"'


def _scope(scope: Scope) -> str:
    """Write which events a scope fits: `tenant "acme" and channel "help"`."""
    return listed([_line(line) for line in sorted(scope, key=lambda line: line.field != "tenant")], "and")


def _more(rule: Rule, exemptions: Iterable[Exemption]) -> str:
    """Say what a reader would not guess: what a missing score does, labels, budget, exemptions."""
    parts = _missing(rule)
    if rule.flag and rule.flag.labels:
        parts.append(f"labelled {listed([literal(label) for label in rule.flag.labels], 'and')}")
    if rule.flag_share is not None:
        parts.append(f"meant to flag at most {show(rule.flag_share)}% of events")
    parts += [
        f"{exemption.name} exempts {_scope(exemption.scope)} until {date_in_words(exemption.until_ms)}"
        for exemption in exemptions
        if rule.id in exemption.covers
    ]
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _effect(rule: Rule) -> str:
    if rule.flag is None:
        return f"tag it {listed([literal(tag) for tag in rule.tags], 'and')}; the verdict stays as it is"
    flag = rule.flag
    words = ["flag it", flag.severity, literal(flag.reason)]
    words += [] if flag.action is None else [f"action {literal(flag.action)}"]
    words += [] if flag.queue is None else [f"queue {literal(flag.queue)}"]
    who = {"user": "the user", "moderators": "the moderators"}
    words += [f"tell {who[to]} {literal(key)}" for to, key in flag.notify]
    return ", ".join(words)


def _missing(rule: Rule) -> list[str]:
    """Say what the rule does where something is missing that it may lack; a rule that tags then does nothing.

    A rule that asks whether a signal is missing says itself what that means.
    """
    asked = {condition.signal.name for condition in rule.conditions if not condition.comparison.has_limit}
    lacked = [each.signal for each in rule.conditions if each.signal.can_be_missing and each.signal.name not in asked]
    kinds = {"score" if signal.kind == "score" else "fact" for signal in lacked}
    if rule.flag is None:
        return ["where something is missing it does not tag"] if kinds else []
    said = {"score": ("a score", rule.flags_when_missing), "fact": ("a fact", rule.flags_when_fact_missing)}
    return [
        f"where {what} is missing it {'flags' if flags else 'does not flag'}"
        for kind, (what, flags) in said.items()
        if kind in kinds
    ]


def listed(words: Sequence[str], last: str) -> str:
    """Join words with commas, and the last one with `and` or `or`."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
