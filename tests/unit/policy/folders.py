"""Policy folders for the tests: valid by default, each part replaceable."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, cast

from moderator.events import ChatEvent, RuleResult, Turn
from moderator.policy import Judgement, PolicySet, Problem, load_policies
from moderator.policy.loader import check_folder
from moderator.policy.scopes import speaker_of

SETTINGS = """\
format: 1
if_score_missing: flag
if_unscored: flag
fields:
  {speaker: always, tenant: always, channel: always, locale: sometimes, role: sometimes, metadata.surface: sometimes}
reasons: [unsafe_content, low_quality]
"""
SIGNALS = """\
signals:
  safety:      {about: How safe, from: beavertails-is_safe, scale: {low: 0, high: 1}, good: high}
  helpfulness:
    {about: How useful, from: helpsteer-helpfulness, scale: {multiply: 5, add: -0.5, low: 0, high: 4}, good: high}
  correctness:
    {about: How correct, from: helpsteer-correctness, scale: {multiply: 5, add: -0.5, low: 0, high: 4}, good: high}
  honesty:     {about: How honest, from: ultrafeedback-honesty, scale: none, good: high}
"""
OBJECTIVES = ("beavertails-is_safe", "helpsteer-helpfulness", "helpsteer-correctness", "ultrafeedback-honesty")
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
    applies_to:
      channel: [general, help]
      locale: [en, en-*]
    when:
      all:
        - safety: below 0.55
        - any:
            - helpfulness: below 1.0
            - honesty: below 0.10
    unless:
      correctness: at least 3.0
    except:
      - role: [moderator, staff]
      - {tenant: acme, channel: help}
    if_score_missing: allow
    flag: {severity: medium, reason: low_quality, labels: [quality-pilot]}
  - rule: stricter-safety
    about: A tighter limit that we only watch for now.
    mode: shadow
    when:
      safety: below 0.40
    flag: {severity: high, reason: unsafe_content}
"""
"""The example of the language's specification, as far as this version knows it."""


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
    folder: Path, *policies: str, settings: str = SETTINGS, signals: str = SIGNALS, tests: Sequence[str] = ()
) -> Path:
    folder.mkdir(exist_ok=True)
    files = {"settings.yaml": settings, "signals.yaml": signals}
    files |= {f"policy-{number}.yaml": text for number, text in enumerate(policies or [a_policy()])}
    files |= {f"policy-{number}.test.yaml": text for number, text in enumerate(tests)}
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def a_set(folder: Path, *policies: str, settings: str = SETTINGS, signals: str = SIGNALS) -> PolicySet:
    return load_policies(a_folder(folder, *policies, settings=settings, signals=signals))


def problems_of(folder: Path) -> list[Problem]:
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
) -> Judgement:
    rewards = cast("list[float | None]", [safety, helpfulness, correctness, honesty])
    return policies.bind(OBJECTIVES).decide(event or an_event(), rewards)


def result_of(judgement: Judgement, rule: str) -> RuleResult:
    return next(result for result in judgement.rules if result["rule"] == rule)


def outcomes_of(judgement: Judgement) -> dict[str, str]:
    return {result["rule"].partition("/")[2]: result["outcome"] for result in judgement.rules}
