"""The snapshot: one hash of everything in a policy folder that can change a decision."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from moderator.events import Verdict
from moderator.policy.language.ast import (
    Calibration,
    Condition,
    Exemption,
    Expression,
    Flag,
    FolderSettings,
    Rule,
    Scope,
    Signal,
    Texts,
)
from moderator.policy.language.fields import FORMAT, METADATA
from moderator.policy.language.text_source import TextSource

Canonical = str | int | bool | None | list["Canonical"] | dict[str, "Canonical"]


def snapshot_of(
    settings: FolderSettings,
    signals: Iterable[Signal],
    calibrations: Mapping[str, Calibration],
    rules: Iterable[Rule],
    exemptions: Sequence[Exemption],
    *,
    texts: Texts | None = None,
) -> str:
    """Give `sha256:` and 64 hex digits over canonical JSON.

    Comments, the order of keys and files, `about` texts, budgets, tests and rules that are off do not change it.
    """
    content: dict[str, Canonical] = {
        "format": FORMAT,
        "if_unscored": settings.unscored_verdict,
        "signals": {signal.name: _signal(signal) for signal in signals},
        "rules": [rule_content(rule) for rule in sorted(rules, key=lambda rule: rule.id) if rule.mode != "off"],
    }
    # What a folder does not use is left out, so that a new part of the language changes no snapshot without it.
    if not settings.flags_truncated:
        content["if_truncated"] = "allow"
    named: dict[str, Canonical] = {"actions": list(settings.actions), "queues": list(settings.queues)}
    content |= {key: names for key, names in named.items() if names}
    if texts is not None:
        content["texts"] = {key: dict(by_locale) for key, by_locale in texts.items()}
    if calibrations:
        content["calibrations"] = {model: calibration.hash for model, calibration in calibrations.items()}
    if exemptions:
        content["exemptions"] = [_exemption(each) for each in sorted(exemptions, key=lambda each: each.name)]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _signal(signal: Signal) -> Canonical:
    if signal.pick is not None:
        return {f"{signal.pick}_of": [*sorted(member.name for member in signal.members)]}
    if signal.fact is not None:
        return {"from_event": f"{METADATA}{signal.fact.key}", "plausible": list(signal.plausible)}
    if signal.text is not None:
        return {"from_text": _text_source(signal.text)}
    # of several passages: the greatest reward counts, not the least
    greatest: dict[str, Canonical] = {} if signal.takes_least else {"of_passages": "greatest"}
    return {
        **greatest,
        "from": signal.objective,
        "multiply": str(signal.scale.multiply),
        "add": str(signal.scale.add),
        "plausible": list(signal.plausible),
    }


def _text_source(source: TextSource) -> Canonical:
    """Give what can change a number; where its entries are written cannot."""
    return {
        "kind": source.kind,
        "of": source.of,
        "match": source.match,
        "compare": source.compare,
        "places": source.counts_places,
        "entries": source.entries.digest if source.entries else None,
    }


def rule_content(rule: Rule) -> Canonical:
    """Give everything of a rule that can change a decision."""
    rollout = rule.rollout
    optional: dict[str, Canonical] = {
        "if_fact_missing": _if_fact_missing(rule),
        "rollout": [str(rollout.percent), rollout.unit, rollout.seed] if rollout else None,
        "starts": rule.starts_ms,
        "until": rule.until_ms,
    }
    return {
        **{key: value for key, value in optional.items() if value is not None},
        "rule": rule.id,
        "mode": rule.mode,
        "applies_to": _scope(rule.scope),
        "when": _expression(rule.when) if rule.when else None,
        "unless": _expression(rule.unless) if rule.unless else None,
        "except": [_scope(scope) for scope in rule.exempt_scopes],
        "if_score_missing": "flag" if rule.flags_when_missing else "allow",
        **(_flag(rule.flag) if rule.flag else {"tag": list(rule.tags)}),
    }


def _flag(flag: Flag) -> dict[str, Canonical]:
    optional: dict[str, Canonical] = {
        "action": flag.action,
        "queue": flag.queue,
        "notify": [[to, key] for to, key in flag.notify] or None,
    }
    return {
        "severity": flag.severity,
        "reason": flag.reason,
        "labels": list(flag.labels),
        **{key: value for key, value in optional.items() if value is not None},
    }


def _if_fact_missing(rule: Rule) -> Verdict | None:
    """Give what counts where a fact or the text is missing; None where the rule asks for neither."""
    if all(condition.signal.kind == "score" for condition in rule.conditions):
        return None
    return "flag" if rule.flags_when_fact_missing else "allow"


def _exemption(exemption: Exemption) -> Canonical:
    return {
        "exemption": exemption.name,
        "covers": [*sorted(exemption.covers)],
        "applies_to": _scope(exemption.scope),
        "added": exemption.added_ms,
        "until": exemption.until_ms,
    }


def _scope(scope: Scope) -> Canonical:
    lines = sorted((line.field, sorted(line.exact), sorted(line.prefixes)) for line in scope)
    return [[field, list(exact), list(prefixes)] for field, exact, prefixes in lines]


def _expression(expression: Expression) -> Canonical:
    if isinstance(expression, Condition):
        return [expression.signal.name, expression.phrase]
    return {expression.kind: [_expression(part) for part in expression.parts]}
