"""A folder with facts, actions, queues, texts and tags, and events decided by it."""

import json
from pathlib import Path
from typing import Any

from moderator.events import ChatEvent, Decision, Scores, Unscored
from moderator.pipeline.decision import Decider, Timestamps
from moderator.policy import PolicySet, load_policies
from moderator.stream.codec import decode
from tests.builders import a_model, a_record, a_scored_event, some_scores, write_files

SETTINGS = """\
format: 1
if_score_missing: flag
if_fact_missing: allow
if_unscored: allow
if_truncated: flag
fields: {speaker: always, role: sometimes, channel: sometimes, metadata.kind: sometimes, metadata.title: sometimes}
reasons: [unsafe_content, new_account, spam, clutter]
actions: [alert, hold, remove, ban]
queues: [spam, newcomers, care]
"""
COMMON_SIGNALS = """\
signals:
  safety:      {about: How safe the message is, from: beavertails-is_safe, scale: {low: 0, high: 1}, good: high}
  account-age: {about: Age of the account, from_event: metadata.account_age_h, scale: {low: 0, unit: hours}, good: high}
  karma:       {about: Karma of the author, from_event: metadata.karma, scale: {}, good: high}
  reports:     {about: Reports so far, from_event: metadata.reports, scale: {low: 0, unit: reports}, good: low}
"""
SIGNALS = (
    COMMON_SIGNALS
    + """\
  scam-words:  {about: Known scam wording, from_event: metadata.scam_words, scale: {low: 0}, good: none}
  links:       {about: Links to hosts, from_event: metadata.links, scale: {low: 0}, good: none}
"""
)
NEWCOMERS = """\
policy: newcomers
about: What new and troublesome accounts write waits for a moderator.
owner: mods@example.com
applies_to: {speaker: user}
rules:
  - rule: young-account
    about: Accounts younger than a day.
    mode: live
    when: {account-age: below 24}
    except: [{role: moderator}]
    flag: {severity: medium, reason: new_account, action: hold, queue: newcomers, notify: {user: young-account}}
  - rule: scam
    about: Known scam wording together with a link.
    mode: live
    when: {all: [{scam-words: at least 1}, {links: at least 1}]}
    flag: {severity: high, reason: spam, action: remove, queue: spam}
  - rule: announcements-only
    about: Nobody but staff posts in the announcement channels.
    mode: live
    applies_to: {channel: [announcements, news-*]}
    except: [{role: [moderator, staff]}]
    flag: {severity: low, reason: clutter, action: remove}
  - rule: reported
    about: Messages that people have reported get a label, for statistics.
    mode: live
    when: {reports: at least 1}
    tag: [reported]
"""
TEXTS = """\
texts:
  young-account:
    en: Your account is new, so a moderator looks at your post first.
    de: Dein Konto ist neu; ein Moderator sieht sich den Beitrag zuerst an.
"""
FILES = {"settings.yaml": SETTINGS, "signals.yaml": SIGNALS, "newcomers.yaml": NEWCOMERS, "texts.yaml": TEXTS}


def a_community(folder: Path, **changed: str | None) -> PolicySet:
    """Load the folder with some files changed, by the name before the point, or left out."""
    return load_policies(community_files(folder, **changed))


def community_files(folder: Path, **changed: str | None) -> Path:
    files = FILES | {f"{name}.yaml": text or "" for name, text in changed.items()}
    left_out = {f"{name}.yaml" for name, text in changed.items() if text is None}
    return write_files(folder, {name: text for name, text in files.items() if name not in left_out})


def with_rules(*rules: str) -> str:
    """Give the policy with these rules alone."""
    return NEWCOMERS.partition("rules:\n")[0] + "rules:\n" + "".join(rules)


def a_rule(name: str, when: str, then: str, *, mode: str = "live", more: str = "") -> str:
    condition = f"    when: {when}\n" if when else ""
    extra = "".join(f"    {line}\n" for line in more.splitlines())
    return f"  - rule: {name}\n    about: Why it is there.\n    mode: {mode}\n{condition}{extra}    {then}\n"


def an_event(metadata: str = "{}", **fields: Any) -> ChatEvent:
    """Decode an event as it arrives; metadata is JSON text, so that numbers are as somebody wrote them."""
    given = {"id": "evt-1", "user": "user-5", "role": "member", "channel": "general", "text": "hello"} | fields
    shown = json.dumps({key: value for key, value in given.items() if value is not None})
    event = decode(a_record(f'{shown[:-1]}, "metadata": {metadata}}}'.encode()), 1_000_000)
    assert isinstance(event, ChatEvent), event
    return event


def decide(
    policies: PolicySet, metadata: str = "{}", *, safety: float | None = 0.9, cut: Any = "nothing", **fields: Any
) -> Decision:
    """Decide an event that the model scored; safety None: it gave no score."""
    scores: Scores | Unscored = Unscored("no score") if safety is None else some_scores(safety)
    decider = Decider(policies, a_model(("beavertails-is_safe",)))
    at = Timestamps(0.0, 0.1, 0.2, "2026-10-05T12:00:00.000Z")
    return decider.decide(a_record(), an_event(metadata, **fields), a_scored_event(scores, cut=cut), 0.0, at)


def outcomes(decision: Decision) -> dict[str, str]:
    return {result["rule"].partition("/")[2]: result["outcome"] for result in decision["rules"]}


def done(decision: Decision) -> str:
    """The action, or the verdict where there is none."""
    return decision["action"] or decision["verdict"]


def why_missing(decision: Decision, signal: str) -> str | None:
    conditions = (each for result in decision["rules"] for each in result["conditions"])
    return next((each.get("cause") for each in conditions if each["signal"] == signal), None)
