"""One `*.test.yaml` file -> its tests, with every name resolved and every score exact."""

from collections.abc import Sequence
from typing import Literal, get_args

from moderator.events import SEVERITIES, MetadataValue, Recipient, Severity, Status
from moderator.policy.files.context import Context
from moderator.policy.files.given_scores import check_given_once, read_scores
from moderator.policy.files.node_readers import (
    Block,
    choices,
    read_block,
    read_choice,
    read_entries,
    read_items,
    read_name,
    read_once,
    read_text,
)
from moderator.policy.files.rules.times_and_shares import read_time
from moderator.policy.files.settings import NO_ACTION
from moderator.policy.language.ast import Expectation, OtherScores, PolicyTest, TestOutcome
from moderator.policy.language.fields import METADATA, READING_FIELDS, SPEAKERS, VERDICTS
from moderator.policy.language.scale import parse_decimal
from moderator.policy.syntax.diagnostics import Diagnostics, Span, did_you_mean, quote
from moderator.policy.syntax.yaml_tree import Node, Scalar
from moderator.policy.syntax.yaml_tree import Sequence as ListNode

_UNMATCHED_FIELDS = ("user", "conversation_id", "id")
"""Fields of an event that no rule matches on and a rollout may go by; a test may give them."""
_OUTCOMES: tuple[TestOutcome, ...] = (
    *("matched", "not matched", "unknown", "spared", "not yet", "ended"),
    *("does not apply", "off"),
)
_SEVERITIES: tuple[Severity | Literal["none"], ...] = (*SEVERITIES, "none")
_STATUSES: tuple[Status, ...] = get_args(Status)
_OTHER_SCORES: tuple[OtherScores, ...] = get_args(OtherScores)
_GIVEN_KEYS = ("event", "text", "scores", "other_scores", "time")
_EXPECT_KEYS = (
    *("verdict", "severity", "reasons", "shadow_verdict", "status", "rules"),
    *("action", "queues", "labels", "notify"),
)
_RECIPIENTS: tuple[Recipient, ...] = get_args(Recipient)


def read_tests(tree: Node, context: Context) -> list[PolicyTest]:
    """Read the tree of one test file; a test with an error is reported and left out."""
    diagnostics = context.diagnostics
    block = read_block(tree, "a test file", ("tests_for", "tests"), diagnostics)
    if block is None:
        return []
    policy = _read_policy_name(block.need("tests_for", "tests_for: the policy's name"), context)
    seen: dict[str, Span] = {}
    items = read_items(block.need("tests", "tests: and a list of them"), "tests", diagnostics)
    tests = [_read_test(item, policy, seen, context) for item in items]
    return [test for test in tests if test is not None]


def _read_policy_name(node: Node | None, context: Context) -> str | None:
    name = read_text(node, "tests_for", context.diagnostics)
    if node is None or name is None or context.may_be_policy(name):
        return name
    hint = f"{did_you_mean(name, context.policies)} {choices('the folder', context.policies)}".strip()
    context.diagnostics.error("P070", node.span, f"there is no policy called {quote(name)}", hint)
    return None


def _read_test(node: Node, policy: str | None, seen: dict[str, Span], context: Context) -> PolicyTest | None:
    diagnostics = context.diagnostics
    block = read_block(node, "a test", ("test", "known_gap", "given", "expect"), diagnostics)
    if block is None:
        return None
    name_node = block.need("test", "test: one sentence")
    name = read_text(name_node, "the test's name", diagnostics)
    span = name_node.span if name_node else block.span
    read_once(name, span, "the test", seen, diagnostics)
    known_gap = _read_known_gap(block.get("known_gap"), diagnostics)
    given = read_block(block.need("given", "given: {event: …, scores: …}"), "given", _GIVEN_KEYS, diagnostics)
    expect = read_block(block.need("expect", "expect: {verdict: …, rules: …}"), "expect", _EXPECT_KEYS, diagnostics)
    if given is None or expect is None:
        return None
    event = _read_event(given, context)
    text = ("" if given.get("text") is None else read_text(given.get("text"), "text", diagnostics)) or ""
    at_ms = read_time(given.get("time"), "time", diagnostics)
    other_scores = read_choice(given.get("other_scores"), "other_scores", _OTHER_SCORES, diagnostics)
    micro_by_signal = read_scores(given, other_scores, context)
    check_given_once(given, context)
    expected = _read_expectation(expect, policy, context)
    if name is None or policy is None or expected is None:
        return None
    return PolicyTest(name, policy, event, micro_by_signal, expected, span, other_scores, at_ms, known_gap, text)


def _read_known_gap(node: Node | None, diagnostics: Diagnostics) -> bool:
    if node is None:
        return False
    if isinstance(node, Scalar) and node.kind == "boolean":
        return node.text.lower() == "true"
    diagnostics.error("P014", node.span, "known_gap is true, or not there", "write known_gap: true")
    return False


def _read_event(given: Block, context: Context) -> dict[str, MetadataValue]:
    diagnostics = context.diagnostics
    node = given.need("event", "event: {speaker: assistant, …}")
    entries = read_entries(node, "event", diagnostics, "write such as {speaker: assistant}")
    event: dict[str, MetadataValue] = {}
    for key, value in entries.entries if entries else ():
        if not _is_event_field(key, context):
            continue
        number = _number(value) if key.text.startswith(METADATA) else None
        if number is not None:
            event[key.text] = number
        elif (text := read_text(value, key.text, diagnostics)) is not None:
            event[key.text] = _checked(key.text, text, value, diagnostics)
            context.tested.setdefault(key.text, []).append(text)
    if entries is not None:
        _require_fields({key.text for key, _ in entries.entries}, entries.span, context)
    return event


def _is_event_field(key: Scalar, context: Context) -> bool:
    fields = context.settings.fields if context.settings else None
    known = (*(fields or ()), *READING_FIELDS, *_UNMATCHED_FIELDS, *_metadata_of_signals(context))
    if not fields or key.text in known:
        return True
    hint = f"{did_you_mean(key.text, known)} {choices('settings.yaml', fields)}".strip()
    context.diagnostics.error("P012", key.span, f"rules cannot match on {quote(key.text)}", hint)
    return False


def _metadata_of_signals(context: Context) -> list[str]:
    """Give the metadata that signals are read from; it need not stand under `fields`."""
    signals = [signal for signal in (context.signals or {}).values() if signal is not None]
    texts = [signal.text.of for signal in signals if signal.text and signal.text.of.startswith(METADATA)]
    return [*(f"{METADATA}{signal.fact.key}" for signal in signals if signal.fact is not None), *texts]


def _number(node: Node) -> MetadataValue | None:
    """Read a number, true or false; None for anything else."""
    if not isinstance(node, Scalar) or node.kind not in ("number", "boolean"):
        return None
    if node.kind == "boolean":
        return node.text.lower() == "true"
    number = parse_decimal(node.text)
    if number is None:
        return None
    return int(number) if number.denominator == 1 else float(number)


def _checked(field: str, text: str, node: Node, diagnostics: Diagnostics) -> str:
    if field in READING_FIELDS:
        read_choice(node, field, READING_FIELDS[field], diagnostics)
    elif field == "speaker" and text not in SPEAKERS:
        hint = did_you_mean(text, SPEAKERS) or f"write one of: {', '.join(SPEAKERS)}"
        diagnostics.error("P014", node.span, f"nobody speaks as {quote(text)}", hint)
    return text


def _require_fields(given: set[str], span: Span, context: Context) -> None:
    fields = context.settings.fields if context.settings else {}
    for field, presence in {"speaker": "always", **fields}.items():
        if presence == "always" and field not in given:
            hint = "production events always have it"
            context.diagnostics.error("P071", span, f"the test gives no {field}", hint)


def _read_expectation(block: Block, policy: str | None, context: Context) -> Expectation | None:
    diagnostics = context.diagnostics
    verdict = read_choice(block.need("verdict", "verdict: allow or flag"), "verdict", VERDICTS, diagnostics)
    severity = read_choice(block.get("severity"), "severity", _SEVERITIES, diagnostics)
    shadow = read_choice(block.get("shadow_verdict"), "shadow_verdict", VERDICTS, diagnostics)
    status = read_choice(block.get("status"), "status", _STATUSES, diagnostics)
    rules = _read_rules(block.get("rules"), policy, context)
    actions, queues = (context.settings.actions, context.settings.queues) if context.settings else (None, None)
    action = block.get("action")
    found = {key: _read_names(block.get(key), key, diagnostics) for key in ("reasons", "queues", "labels")}
    _check_declared(block.get("queues"), "queue", queues, diagnostics)
    expected_action = None if action is None else read_name(action, "the action", diagnostics)
    if expected_action != NO_ACTION:
        _check_declared(action, "action", actions, diagnostics)
    notify = _read_notify(block.get("notify"), diagnostics)
    if verdict is None:
        return None
    return Expectation(
        verdict,
        severity,
        found["reasons"],
        shadow,
        status,
        rules,
        expected_action,
        found["queues"],
        found["labels"],
        notify,
    )


def _check_declared(node: Node | None, what: str, declared: Sequence[str] | None, diagnostics: Diagnostics) -> None:
    """Report what no decision can have, because settings.yaml does not list it."""
    for item in node.items if isinstance(node, ListNode) else (node,):
        if isinstance(item, Scalar) and item.kind == "text" and declared is not None and item.text not in declared:
            hint = f"{did_you_mean(item.text, declared)} {choices('settings.yaml', declared)}".strip()
            diagnostics.error("P019", item.span, f"there is no {what} called {quote(item.text)}", hint)


def _read_notify(node: Node | None, diagnostics: Diagnostics) -> tuple[str, ...] | None:
    """Read `{user: a-key, moderators: another}`, each a key or a list of keys; [] where nobody is notified."""
    if node is None or (isinstance(node, ListNode) and not node.items):
        return None if node is None else ()
    block = read_block(node, "notify", _RECIPIENTS, diagnostics, "write such as {user: a-key}, or [] for nobody")
    found: list[str] = []
    for to in _RECIPIENTS if block else ():
        value = block.get(to) if block else None
        items = value.items if isinstance(value, ListNode) else () if value is None else (value,)
        keys = [read_name(item, f"the text for {to}", diagnostics) for item in items]
        found += [f"{to} {key}" for key in keys if key is not None]
    return tuple(sorted(found))


def _read_names(node: Node | None, what: str, diagnostics: Diagnostics) -> tuple[str, ...] | None:
    """Read a list of names, which may be empty."""
    if node is None:
        return None
    if isinstance(node, ListNode) and not node.items:
        return ()
    one = f"a {what.removesuffix('s')}"
    names = [read_name(item, one, diagnostics) for item in read_items(node, what, diagnostics)]
    return tuple(sorted({name for name in names if name is not None}))


def _read_rules(node: Node | None, policy: str | None, context: Context) -> dict[str, TestOutcome]:
    """Read the outcome demanded of each rule, by full id."""
    form = "write such as {unsafe-reply: matched}"
    entries = None if node is None else read_entries(node, "rules", context.diagnostics, form)
    rules: dict[str, TestOutcome] = {}
    for key, value in entries.entries if entries else ():
        outcome = read_choice(value, f"the outcome of {key.text}", _OUTCOMES, context.diagnostics)
        if policy is not None and _is_rule(key, policy, context) and outcome is not None:
            rules[f"{policy}/{key.text}"] = outcome
    return rules


def _is_rule(key: Scalar, policy: str, context: Context) -> bool:
    if context.may_be_rule(policy, key.text):
        return True
    known = context.rules.get(policy, {})
    hint = f"{did_you_mean(key.text, known)} {choices(policy, known)}".strip()
    context.diagnostics.error("P070", key.span, f"{policy} has no rule called {quote(key.text)}", hint)
    return False
