"""One `*.test.yaml` file -> its tests, with every name resolved and every score exact."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Literal, get_args

from moderator.events import SEVERITIES, Severity, Status
from moderator.policy.context import Context
from moderator.policy.model import Expectation, OtherScores, PolicyTest, Signal, TestOutcome
from moderator.policy.percent import typical_micro
from moderator.policy.problems import Report, Span, did_you_mean, quote
from moderator.policy.reading import (
    Block,
    choices,
    read_block,
    read_choice,
    read_entries,
    read_items,
    read_name,
    read_number,
    read_once,
    read_text,
)
from moderator.policy.scale import MILLION, show
from moderator.policy.scopes import SPEAKERS
from moderator.policy.settings_file import VERDICTS
from moderator.policy.times import read_time
from moderator.policy.yaml_tree import Node, Scalar
from moderator.policy.yaml_tree import Sequence as ListNode

MISSING = "missing"
_UNMATCHED_FIELDS = ("user", "conversation_id", "id")
"""Fields of an event that no rule matches on and a rollout may go by; a test may give them."""
_OUTCOMES: tuple[TestOutcome, ...] = (
    *("matched", "not matched", "unknown", "spared", "not yet", "ended"),
    *("does not apply", "off"),
)
_SEVERITIES: tuple[Severity | Literal["none"], ...] = (*SEVERITIES, "none")
_STATUSES: tuple[Status, ...] = get_args(Status)
_OTHER_SCORES: tuple[OtherScores, ...] = get_args(OtherScores)
_GIVEN_KEYS = ("event", "scores", "other_scores", "time")
_EXPECT_KEYS = ("verdict", "severity", "reasons", "shadow_verdict", "status", "rules")


def read_tests(tree: Node, context: Context) -> list[PolicyTest]:
    """Read the tree of one test file; a test with an error is reported and left out."""
    report = context.report
    block = read_block(tree, "a test file", ("tests_for", "tests"), report)
    if block is None:
        return []
    policy = _read_policy_name(block.need("tests_for", "tests_for: the policy's name"), context)
    seen: dict[str, Span] = {}
    items = read_items(block.need("tests", "tests: and a list of them"), "tests", report)
    tests = [_read_test(item, policy, seen, context) for item in items]
    return [test for test in tests if test is not None]


def _read_policy_name(node: Node | None, context: Context) -> str | None:
    name = read_text(node, "tests_for", context.report)
    if node is None or name is None or name in context.policies:
        return name
    hint = f"{did_you_mean(name, context.policies)} {choices('the folder', context.policies)}".strip()
    context.report.error("P070", node.span, f"there is no policy called {quote(name)}", hint)
    return None


def _read_test(node: Node, policy: str | None, seen: dict[str, Span], context: Context) -> PolicyTest | None:
    report = context.report
    block = read_block(node, "a test", ("test", "known_gap", "given", "expect"), report)
    if block is None:
        return None
    name_node = block.need("test", "test: one sentence")
    name = read_text(name_node, "the test's name", report)
    span = name_node.span if name_node else block.span
    read_once(name, span, "the test", seen, report)
    known_gap = _read_known_gap(block.get("known_gap"), report)
    given = read_block(block.need("given", "given: {event: …, scores: …}"), "given", _GIVEN_KEYS, report)
    expect = read_block(block.need("expect", "expect: {verdict: …, rules: …}"), "expect", _EXPECT_KEYS, report)
    if given is None or expect is None:
        return None
    event = _read_event(given, context)
    at_ms = read_time(given.get("time"), "time", report)
    other_scores = read_choice(given.get("other_scores"), "other_scores", _OTHER_SCORES, report)
    micro_by_signal = _read_scores(given, other_scores, context)
    expected = _read_expectation(expect, policy, context)
    if name is None or policy is None or expected is None:
        return None
    return PolicyTest(name, policy, event, micro_by_signal, expected, span, other_scores, at_ms, known_gap)


def _read_known_gap(node: Node | None, report: Report) -> bool:
    if node is None:
        return False
    if isinstance(node, Scalar) and node.kind == "boolean":
        return node.text.lower() == "true"
    report.error("P014", node.span, "known_gap is true, or not there", "write known_gap: true")
    return False


def _read_event(given: Block, context: Context) -> dict[str, str]:
    report = context.report
    node = given.need("event", "event: {speaker: assistant, …}")
    entries = read_entries(node, "event", report)
    event: dict[str, str] = {}
    for key, value in entries.entries if entries else ():
        if _is_event_field(key, context) and (text := read_text(value, key.text, report)) is not None:
            event[key.text] = _checked_speaker(text, value, report) if key.text == "speaker" else text
    if entries is not None:
        _require_fields(set(event), entries.span, context)
    return event


def _is_event_field(key: Scalar, context: Context) -> bool:
    fields = context.settings.fields if context.settings else None
    if fields is None or key.text in fields or key.text in _UNMATCHED_FIELDS:
        return True
    known = (*fields, *_UNMATCHED_FIELDS)
    hint = f"{did_you_mean(key.text, known)} {choices('settings.yaml', fields)}".strip()
    context.report.error("P012", key.span, f"rules cannot match on {quote(key.text)}", hint)
    return False


def _checked_speaker(text: str, node: Node, report: Report) -> str:
    if text not in SPEAKERS:
        hint = did_you_mean(text, SPEAKERS) or f"write one of: {', '.join(SPEAKERS)}"
        report.error("P014", node.span, f"nobody speaks as {quote(text)}", hint)
    return text


def _require_fields(given: set[str], span: Span, context: Context) -> None:
    fields = context.settings.fields if context.settings else {}
    for field, presence in {"speaker": "always", **fields}.items():
        if presence == "always" and field not in given:
            hint = "production events always have it"
            context.report.error("P071", span, f"the test gives no {field}", hint)


def _read_scores(given: Block, other_scores: OtherScores | None, context: Context) -> dict[str, int | None] | None:
    """Read the scores in whole millionths of a reward; None for `scores: missing`."""
    report, signals = context.report, context.signals
    node = given.get("scores")
    if node is None and other_scores is None:
        node = given.need("scores", "scores: {safety: 0.30, …}, or scores: missing")
    if signals is None or (isinstance(node, Scalar) and node.text == MISSING):
        return None
    entries = None if node is None else read_entries(node, "scores", report)
    if entries is None and node is not None:
        return None
    scores: dict[str, int | None] = {}
    for key, value in entries.entries if entries else ():
        if _is_plain_signal(key, signals, report) and (signal := signals[key.text]) is not None:
            scores[key.text] = _read_score(value, signal, report)
    _fill_in(scores, other_scores, entries.span if entries else given.span, context)
    _check_twins(scores, signals, entries.span if entries else given.span, report)
    return scores


def _is_plain_signal(key: Scalar, signals: Mapping[str, Signal | None], report: Report) -> bool:
    if key.text not in signals:
        hint = f"{did_you_mean(key.text, signals)} {choices('signals.yaml', signals)}".strip()
        report.error("P010", key.span, f"there is no signal called {quote(key.text)}", hint)
        return False
    signal = signals[key.text]
    if signal is None or not signal.members:
        return True
    members = " and ".join(member.name for member in signal.members)
    report.error("P011", key.span, f"{key.text} follows from {members}", "give the scores of these instead")
    return False


def _fill_in(scores: dict[str, int | None], other_scores: OtherScores | None, span: Span, context: Context) -> None:
    """Give each signal that the test does not name the score that `other_scores` stands for."""
    given = {signal.objective: scores[signal.name] for signal in _plain(context) if signal.name in scores}
    for signal in _plain(context):
        if signal.name in scores:
            continue
        if other_scores is None:
            hint = f"write {signal.name}: and a number, or missing; or other_scores: missing for all the rest"
            context.report.error("P071", span, f"the test gives no score for {signal.name}", hint)
        elif other_scores == MISSING or signal.objective in given:
            scores[signal.name] = given.get(signal.objective)
        else:
            scores[signal.name] = _typical(signal, span, context)


def _plain(context: Context) -> list[Signal]:
    signals = (context.signals or {}).values()
    return [signal for signal in signals if signal is not None and not signal.members]


def _typical(signal: Signal, span: Span, context: Context) -> int | None:
    """Give the median of the first calibration, by which percent phrases are tested too."""
    calibration = next(iter(context.calibrations.values()), None)
    typical = None if calibration is None else typical_micro(signal, calibration)
    if typical is None:
        message = f"no calibration says what is typical of {signal.name}"
        context.report.error("P071", span, message, f"write {signal.name}: and a number, or missing")
    return typical


def _check_twins(
    scores: Mapping[str, int | None], signals: Mapping[str, Signal | None], span: Span, report: Report
) -> None:
    """Report two signals of one objective whose scores do not come from one reward."""
    first: dict[str, str] = {}
    for name, micro in scores.items():
        signal = signals[name]
        assert signal is not None
        other = first.setdefault(signal.objective, name)
        if scores[other] != micro:
            message = f"{other} and {name} are both read from {signal.objective}, and no reward gives both scores"
            report.error("P072", span, message, "give scores that belong together")


def _read_score(node: Node, signal: Signal, report: Report) -> int | None:
    if isinstance(node, Scalar) and node.text == MISSING:
        return None
    score = read_number(node, f"the score of {signal.name}", report)
    if score is None:
        return None
    micro = signal.scale.micro_of(score)
    if micro.denominator == 1:
        return int(micro)
    near = sorted({signal.scale.score_of(whole) for whole in (math.floor(micro), math.ceil(micro))})
    message = f"no score of {signal.name} is exactly this: rewards have 6 decimals"
    report.error("P072", node.span, message, f"write {' or '.join(map(_show_exact, near))}")
    return None


def _show_exact(score: Fraction) -> str:
    return show(score) if MILLION % score.denominator == 0 else str(float(score))


def _read_expectation(block: Block, policy: str | None, context: Context) -> Expectation | None:
    report = context.report
    verdict = read_choice(block.need("verdict", "verdict: allow or flag"), "verdict", VERDICTS, report)
    severity = read_choice(block.get("severity"), "severity", _SEVERITIES, report)
    shadow = read_choice(block.get("shadow_verdict"), "shadow_verdict", VERDICTS, report)
    status = read_choice(block.get("status"), "status", _STATUSES, report)
    reasons = _read_reasons(block.get("reasons"), report)
    rules = _read_rules(block.get("rules"), policy, context)
    return None if verdict is None else Expectation(verdict, severity, reasons, shadow, status, rules)


def _read_reasons(node: Node | None, report: Report) -> tuple[str, ...] | None:
    if node is None:
        return None
    if isinstance(node, ListNode) and not node.items:
        return ()
    reasons = [read_name(item, "a reason", report) for item in read_items(node, "reasons", report)]
    return tuple(sorted({reason for reason in reasons if reason is not None}))


def _read_rules(node: Node | None, policy: str | None, context: Context) -> dict[str, TestOutcome]:
    """Read the outcome demanded of each rule, by full id."""
    entries = None if node is None else read_entries(node, "rules", context.report)
    rules: dict[str, TestOutcome] = {}
    for key, value in entries.entries if entries else ():
        outcome = read_choice(value, f"the outcome of {key.text}", _OUTCOMES, context.report)
        if policy is not None and _is_rule(key, policy, context) and outcome is not None:
            rules[f"{policy}/{key.text}"] = outcome
    return rules


def _is_rule(key: Scalar, policy: str, context: Context) -> bool:
    known = context.rules.get(policy, {})
    if key.text in known:
        return True
    hint = f"{did_you_mean(key.text, known)} {choices(policy, known)}".strip()
    context.report.error("P070", key.span, f"{policy} has no rule called {quote(key.text)}", hint)
    return False
