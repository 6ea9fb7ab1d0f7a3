"""A recorded decision as people read it: each rule, what it found, and by how much each comparison held or missed."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from moderator.events import ConditionResult, Decision, EventSummary, PassageScores, RuleResult
from moderator.policy.analysis.descriptions import listed
from moderator.policy.authoring.applicability import NotApplicable, not_applicable
from moderator.policy.language.ast import Rule
from moderator.policy.language.event_time import event_time_ms, iso_utc
from moderator.policy.language.scale import show
from moderator.policy.language.text_source import IN_PLACE
from moderator.policy.policy_set import PolicySet
from moderator.policy.syntax.diagnostics import printable

WIDTH = 80
_HASH_DIGITS = 8
_NEAR, _FEW_DECIMALS, _ALL_DECIMALS = 0.01, 3, 6
_HELD = {True: "yes", False: "no", None: "?"}
_CUTS = {
    "context": "older turns were not read: the event was too long",
    "message": "some of the judged message was not read: it was too long",
}
_UNIT_FIELDS = {"users": "user", "conversations": "conversation_id", "tenants": "tenant", "events": "id"}
_RECIPIENTS = {"user": "the user", "moderators": "the moderators"}
_CAUSES = {
    "absent": "missing",
    "not_a_number": "it is not a number",
    "not_finite": "it is not finite",
    "implausible": "it is implausible",
}


def decision_text(decision: Decision, policies: PolicySet | None) -> str:
    """Write a decision out, a line for each comparison; rules that counted come first, then live ones, then shadow.

    Args:
        decision: as it was recorded.
        policies: the snapshot that decided, for units, rollouts and the rules that do not apply; None: not found.
    """
    rules = {rule.id: rule for rule in policies.rules} if policies else {}
    results = sorted(decision["rules"], key=_order)
    width = max((len(result["rule"]) for result in results), default=0)
    lines = [_head(decision), *_status(decision)]
    for result in results:
        lines += _rule_lines(result, decision, rules.get(result["rule"]), width)
    if policies is not None:
        lines += [line for each in not_applicable(decision, policies) for line in _not_applying(each, width)]
    lines += _found(decision)
    lines += _outcome(decision)
    # What was recorded may have come from anywhere, and must not steer the terminal.
    return "".join(f"{printable(line)}\n" for line in lines)


def _order(result: RuleResult) -> tuple[bool, bool, str]:
    return not result["counted"], result["mode"] != "live", result["rule"]


def _head(decision: Decision) -> str:
    verdict = " ".join(filter(None, [decision["verdict"].upper(), decision["severity"]]))
    snapshot = decision["policy"]["snapshot"].removeprefix("sha256:")[:_HASH_DIGITS]
    return f"{verdict}   snapshot {snapshot}   event {decision['event']['id']}   {_time(decision)}"


def _time(decision: Decision) -> str:
    """Give the time by which policies judged."""
    event = decision["event"]
    return iso_utc(event_time_ms(event["timestamp"], event["time"], decision["decided_at"]))


def _status(decision: Decision) -> Iterator[str]:
    if decision["status"] == "degraded":
        yield " degraded: a score that a rule needs is missing"
    cut = decision["reading"]["cut"] if "reading" in decision else "nothing"
    if cut != "nothing":
        yield f" {_CUTS[cut]}"
    if decision["status"] == "unscored":
        yield f" unscored, so no rule that needs a score was asked: {decision['error'] or 'the model gave no score'}"


def _rule_lines(result: RuleResult, decision: Decision, rule: Rule | None, width: int) -> Iterator[str]:
    conditions = result["conditions"]
    units = _units(rule)
    passages = decision["scores"].get("passages", [])
    remark = _remark(result, decision["event"], rule)
    is_brief = result["outcome"] == "not matched" and len(conditions) == 1
    if is_brief:
        remark = (
            f"{remark}, {_in_brief(conditions[0], units)}" if "rollout" in result else _in_brief(conditions[0], units)
        )
    yield from _on_two_lines(_mark(result), result["rule"], remark, width)
    if is_brief:
        yield from _place(conditions[0], passages)
    else:
        yield from _table(conditions, units, passages)


def _mark(result: RuleResult) -> str:
    outcome = result["outcome"]
    if outcome in ("spared", "not yet", "ended"):
        return outcome
    if result["counted"]:
        return "tag" if result["severity"] is None else "flag"
    if result["mode"] == "shadow" or (outcome == "matched" and result.get("rollout") == "outside"):
        return "shadow"
    return "no" if outcome == "not matched" else outcome


def _remark(result: RuleResult, event: EventSummary, rule: Rule | None) -> str:
    parts: list[str] = ["live" if result["mode"] == "live" else "watched only"]
    if "rollout" in result:
        parts.append(_inside(result["rollout"], event, rule))
    match result["outcome"]:
        case "matched" if not result["counted"]:
            parts.append("would tag" if result["severity"] is None else "would flag")
        case "unknown":
            parts.append(_unknown(result))
        case "spared":
            parts.append(f"spared by {result.get('spared_by', 'an exception')}")
        case "not yet" if rule and rule.starts_ms is not None:
            parts.append(f"starts {iso_utc(rule.starts_ms)}")
        case "ended" if rule and rule.until_ms is not None:
            parts.append(f"ended {iso_utc(rule.until_ms)}")
        case _:
            pass
    return ", ".join(parts)


def _unknown(result: RuleResult) -> str:
    if result["severity"] is None:
        return "tags nothing"
    return "unknown" if result["counted"] or result["mode"] == "shadow" else "lets it pass"


def _inside(side: str, event: EventSummary, rule: Rule | None) -> str:
    rollout = rule.rollout if rule else None
    if rollout is None:
        return f"{side} its rollout"
    fields: Mapping[str, object] = {**event}
    unit = fields.get(_UNIT_FIELDS[rollout.unit])
    who = str(unit) if unit else f"without a {_UNIT_FIELDS[rollout.unit]} it"
    return f"{who} is {side} {show(rollout.percent)}%"


def _units(rule: Rule | None) -> dict[str, str]:
    """Give the unit of each signal that has one."""
    signals = (condition.signal for condition in rule.conditions) if rule else ()
    return {signal.name: signal.spoken_unit for signal in signals if signal.spoken_unit}


def _table(
    conditions: Sequence[ConditionResult], units: Mapping[str, str], passages: Sequence[PassageScores]
) -> Iterator[str]:
    rows = [_row(condition, units) for condition in conditions]
    widths = [max(map(len, column)) for column in zip(*(row[:3] for row in rows), strict=True)]
    for condition, (name, score, phrase, margin) in zip(conditions, rows, strict=True):
        columns = f"{name:<{widths[0]}}  {score:>{widths[1]}}  {phrase:<{widths[2]}}  {margin}"
        yield f"    {_HELD[condition['holds']]:<4} {columns}".rstrip()
        yield from _place(condition, passages)


def _place(condition: ConditionResult, passages: Sequence[PassageScores]) -> Iterator[str]:
    """Say which passage of a long message the score is from."""
    index = condition.get("passage")
    if index is not None and index < len(passages):
        passage = passages[index]
        place = f"characters {passage['from']:,} to {passage['to']:,}"
        yield f"{'':9}in passage {index + 1} of {len(passages)}, {place}"


def _row(condition: ConditionResult, units: Mapping[str, str]) -> tuple[str, str, str, str]:
    name = f"unless {condition['signal']}" if condition["part"] == "unless" else condition["signal"]
    return name, _score(condition), _phrase(condition, units), _margin(condition)


def _in_brief(condition: ConditionResult, units: Mapping[str, str]) -> str:
    return f"{condition['signal']} {_score(condition)}, {_phrase(condition, units)} {_margin(condition)}".rstrip()


def _score(condition: ConditionResult) -> str:
    return "-" if condition["score"] is None else _decimal(condition["score"], condition)


def _phrase(condition: ConditionResult, units: Mapping[str, str]) -> str:
    unit = units.get(condition["signal"])
    has_unit = unit and condition["phrase"][-1].isdigit()
    return f"{condition['phrase']} {unit}" if has_unit else condition["phrase"]


def _margin(condition: ConditionResult) -> str:
    if condition["holds"] is None:
        return _CAUSES[condition.get("cause", "absent")]
    if condition["margin"] is None:
        return ""
    words = "by" if condition["holds"] else "misses by"
    return (
        f"{words} {_decimal(abs(condition['margin']), condition)}{'   borderline' if condition['borderline'] else ''}"
    )


def _decimal(number: float, condition: ConditionResult) -> str:
    """Write a number with two or three decimals, with up to six where the limit is near."""
    margin = condition["margin"]
    is_near = margin is not None and abs(margin) < _NEAR
    whole, _, decimals = f"{number:.{_ALL_DECIMALS if is_near else _FEW_DECIMALS}f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def _not_applying(each: NotApplicable, width: int) -> Iterator[str]:
    yield from _on_two_lines("n/a", each.rule, each.why, width)


def _on_two_lines(mark: str, rule: str, remark: str, width: int) -> Iterator[str]:
    """Write one line, or two where it would be too wide."""
    line = f" {mark:<7} {rule:<{width}}  {remark}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f" {mark:<7} {rule}"
    yield from wrap(remark, WIDTH, initial_indent=f"{'':9}", subsequent_indent=f"{'':9}", break_on_hyphens=False)


def _found(decision: Decision) -> Iterator[str]:
    """Name the lines of lists that were found in the text; what was found is not recorded."""
    for found in decision.get("found", []):
        numbers = [str(line) for line in found["lines"]]
        kinds = ("entry", "entries") if found["list"] == IN_PLACE else ("line", "lines")
        places = f"{kinds[len(numbers) > 1]} {listed(numbers, 'and')} of {found['list']}"
        yield from _wrapped(f"found by {found['signal']}: {places}")


def _outcome(decision: Decision) -> Iterator[str]:
    parts = []
    if action := decision.get("action"):
        parts.append(f"action: {action}")
    if queues := decision.get("queues"):
        parts.append(f"queues: {', '.join(queues)}")
    parts += [f"tell {_RECIPIENTS[notice['to']]}: {notice['key']}" for notice in decision.get("notify", [])]
    if decision["reasons"]:
        parts.append(f"reasons: {', '.join(decision['reasons'])}")
    if decision["labels"]:
        parts.append(f"labels: {', '.join(decision['labels'])}")
    if decision["shadow_verdict"] != decision["verdict"]:
        parts.append(f"with every shadow rule live: {decision['shadow_verdict']}")
    elif decision.get("shadow_action") != decision.get("action"):
        parts.append(f"with every shadow rule live: action {decision.get('shadow_action')}")
    if parts:
        yield from _wrapped("; ".join(parts))


def _wrapped(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=" ", subsequent_indent="   ", break_on_hyphens=False)
