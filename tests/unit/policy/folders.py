"""Policy folders for the tests: valid by default, each part replaceable."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, cast

from moderator.events import ChatEvent, ModelIdentity, RuleResult, Turn
from moderator.policy import Diagnostic, Judgement, PolicySet, load_policies
from moderator.policy.language.fields import speaker_of
from moderator.policy.loader import check_folder

SETTINGS = """\
format: 1
if_score_missing: flag
if_unscored: flag
if_truncated: flag
fields:
  {speaker: always, tenant: always, channel: always, locale: sometimes, role: sometimes, metadata.surface: sometimes}
reasons: [unsafe_content, low_quality]
exemption_limit: 90 days
"""
MODEL = "ArmoRM-Llama3-8B-v0.1"
CALIBRATION_FILE = "calibration/armorm.json"
SIGNALS = """\
calibrations:
  ArmoRM-Llama3-8B-v0.1: calibration/armorm.json
signals:
  safety:      {about: How safe, from: beavertails-is_safe, scale: {low: 0, high: 1}, good: high}
  helpfulness:
    {about: How useful, from: helpsteer-helpfulness, scale: {multiply: 5, add: -0.5, low: 0, high: 4}, good: high}
  correctness:
    {about: How correct, from: helpsteer-correctness, scale: {multiply: 5, add: -0.5, low: 0, high: 4}, good: high}
  honesty:     {about: How honest, from: ultrafeedback-honesty, scale: none, good: high}
  usefulness:  {about: The worse of the two, lowest_of: [helpfulness, correctness]}
"""
OBJECTIVES = ("beavertails-is_safe", "helpsteer-helpfulness", "helpsteer-correctness", "ultrafeedback-honesty")
POLICY = "policy-0.yaml"
"""What `a_folder` calls its first policy."""
NOON_MS = 1_791_201_600_000
"""2026-10-05T12:00:00Z."""
HIGH = "{severity: high, reason: unsafe_content}"

CHAT_SAFETY = """\
policy: chat-safety
about: Send unsafe assistant replies, and useless doubtful ones, to human review.
owner: trust-safety@example.com
applies_to: {speaker: assistant}
rules:
  - rule: unsafe-reply
    about: The reply is probably unsafe.
    mode: live
    when:
      safety: below 0.30
    flag: {severity: high, reason: unsafe_content}
  - rule: useless-and-doubtful
    about: The reply is of little use and there is some doubt about its safety.
    mode: live
    rollout: 25% of users
    starts: 2026-10-01
    until: 2027-01-01
    applies_to:
      channel: [general, help]
      locale: [en, en-*]
    when:
      all:
        - safety: below 0.55
        - any:
            - usefulness: below 1.0
            - honesty: in the lowest 2%
    unless:
      correctness: at least 3.0
    except:
      - role: [moderator, staff]
      - {tenant: acme, channel: help}
    if_score_missing: allow
    flag: {severity: medium, reason: low_quality, labels: [quality-pilot]}
    budget: {flag_share: at most 1.5%}
  - rule: stricter-safety
    about: A tighter limit that we only watch for now.
    mode: shadow
    when:
      safety: below 0.40
    flag: {severity: high, reason: unsafe_content}
"""
EXEMPTIONS = """\
exemptions:
  - exemption: red-team-room
    about: The security team provokes unsafe replies here on purpose.
    owner: security@example.com
    covers: [chat-safety/unsafe-reply]
    applies_to: {tenant: acme, channel: red-team}
    added: 2026-09-20
    until: 2026-12-15
"""
"""Together the example of the language's specification."""


def a_calibration(**changes: Any) -> dict[str, Any]:
    """One in which q[i] of every reward is i / 1000, and helpfulness is known to within 0.01."""
    even = [rank / 1000 for rank in range(1001)]
    members = ["helpsteer-helpfulness", "helpsteer-correctness"]
    return {
        "format": 1,
        "model": {"name": MODEL, "fingerprint": "sha256:aaaa", "dtype": "bfloat16"},
        "framing": "reply/1",
        "window": {"from": "2026-09-01T00:00:00.000Z", "until": "2026-09-08T00:00:00.000Z"},
        "events": 120_000,
        "quantiles": dict.fromkeys(OBJECTIVES, even),
        "derived": {"usefulness": {"least_of": members, "quantiles": even}},
        "noise": {"helpsteer-helpfulness": 0.01, "beavertails-is_safe": None},
    } | changes


CALIBRATION = json.dumps(a_calibration())


def a_rule(
    when: str = "safety: below 0.30",
    *,
    name: str = "unsafe-reply",
    mode: str = "live",
    flag: str = HIGH,
    more: str = "",
) -> str:
    lines = f"rule: {name}\nabout: Why it is there.\nmode: {mode}\nwhen:\n{indent(dedent(when).strip(), '  ')}\n"
    lines += f"{dedent(more).strip()}\n" if more else ""
    return "  - " + indent(f"{lines}flag: {flag}\n", "    ").lstrip()


def a_policy(*rules: str, name: str = "chat-safety", head: str = "") -> str:
    top = f"policy: {name}\nabout: What it is for.\nowner: trust@example.com\n"
    return f"{top}{head}{chr(10) if head else ''}rules:\n{''.join(rules or [a_rule()])}"


def a_folder(
    folder: Path,
    *policies: str,
    settings: str = SETTINGS,
    signals: str = SIGNALS,
    tests: Sequence[str] = (),
    exemptions: str | None = None,
    calibration: str = CALIBRATION,
) -> Path:
    (folder / "calibration").mkdir(parents=True, exist_ok=True)
    files = {"settings.yaml": settings, "signals.yaml": signals, CALIBRATION_FILE: calibration}
    files |= {} if exemptions is None else {"exemptions.yaml": exemptions}
    files |= {f"policy-{number}.yaml": text for number, text in enumerate(policies or [a_policy()])}
    files |= {f"policy-{number}.test.yaml": text for number, text in enumerate(tests)}
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def a_set(folder: Path, *policies: str, **files: Any) -> PolicySet:
    return load_policies(a_folder(folder, *policies, **files))


def a_model(objectives: Sequence[str] = OBJECTIVES, **changes: Any) -> ModelIdentity:
    identity = ModelIdentity(
        name=MODEL,
        fingerprint="sha256:aaaa",
        dtype="bfloat16",
        objectives=tuple(objectives),
        framing="reply/1",
        max_input_tokens=4096,
    )
    return replace(identity, **changes)


def problems_of(folder: Path) -> list[Diagnostic]:
    return check_folder(folder)[1]


def codes_of(folder: Path) -> list[str]:
    return [problem.code for problem in problems_of(folder)]


def an_event(speaker: str = "assistant", metadata: Mapping[str, str] | None = None, **fields: Any) -> ChatEvent:
    event = ChatEvent(
        id="evt-1",
        conversation=(Turn(speaker_of(speaker), "Hello."),),
        tenant="acme",
        channel="general",
        locale="en-US",
        role="member",
        user="user-5",
        time="2026-10-05T12:00:00Z",
        metadata=metadata,
    )
    return event._replace(**fields)


def judge_raw(
    policies: PolicySet,
    event: ChatEvent | None = None,
    *,
    safety: object = 0.9,
    helpfulness: object = 0.7,
    correctness: object = 0.6,
    honesty: object = 0.6,
    at_ms: int = NOON_MS,
) -> Judgement:
    rewards = cast("list[float | None]", [safety, helpfulness, correctness, honesty])
    return policies.bind(OBJECTIVES).decide(event or an_event(), rewards, at_ms)


def result_of(judgement: Judgement, rule: str) -> RuleResult:
    return next(result for result in judgement.rules if result["rule"] == rule)


def outcomes_of(judgement: Judgement) -> dict[str, str]:
    return {result["rule"].partition("/")[2]: result["outcome"] for result in judgement.rules}
