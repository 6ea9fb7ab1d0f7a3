"""Both sets decide as each would alone, also where what they say alike is found once."""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moderator.backtest.decision import read_decision
from moderator.backtest.replay import Replayer, replay_input_of
from moderator.backtest.stale import TextNumbers
from moderator.backtest.stale_judge import StaleJudge
from moderator.backtest.two_sets import TwoSets
from moderator.errors import PolicyError
from moderator.events import Turn
from moderator.policy import PolicySet, load_policies
from moderator.policy.edited_rules import edited_rules
from tests.unit.backtest.decisions import USUAL, recorded, recorded_in_passages
from tests.unit.policy.folders import CHAT_SAFETY, EXEMPTIONS, HIGH, POLICY, SETTINGS, SIGNALS, a_folder, a_rule

MORE_SIGNALS = """\
  age: {about: Days, from_event: metadata.age, scale: {}, good: high}
  links: {about: Hosts linked, from_text: {links: any}}
"""
OTHERS = f"""\
policy: others
about: Rules of every other kind.
owner: trust@example.com
rules:
{a_rule("links: at least 1", name="link", more="except: [{tenant: beta}]")}
{a_rule("all: [{age: below 3}, {helpfulness: below 2.0}]", name="new", more="rollout: 50% of users")}
  - rule: tagged
    about: It tags.
    mode: live
    when: {{safety: below 0.50}}
    tag: [doubtful]
  - rule: always
    about: Whatever is said there.
    mode: shadow
    applies_to: {{channel: help}}
    flag: {HIGH}
"""


def a_rich_folder(folder: Path) -> Path:
    settings = f"{SETTINGS}if_fact_missing: allow\n".replace("metadata.surface", "metadata.age")
    return a_folder(
        folder, CHAT_SAFETY, OTHERS, settings=settings, signals=SIGNALS + MORE_SIGNALS, exemptions=EXEMPTIONS
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_rich_folder(tmp_path_factory.mktemp("two-sets") / "now")


@pytest.fixture(scope="module")
def baseline(folder: Path) -> PolicySet:
    return load_policies(folder)


@pytest.fixture(scope="module")
def decisions(baseline: PolicySet) -> list[bytes]:
    """Scored, without some or all scores, in passages, and on events of every scope."""
    draw = random.Random(11)
    usual = (some_event(baseline, draw, nth) for nth in range(80))
    passages = recorded_in_passages(baseline, USUAL, (0.1, *USUAL[1:]))
    return [*usual, passages, recorded(baseline), recorded(baseline, float("nan"), 0.2, 0.3, 0.4)]


def some_event(policies: PolicySet, draw: random.Random, nth: int) -> bytes:
    rewards = [round(draw.random(), 6) for _ in range(4)]
    return recorded(
        policies,
        *(float("nan") if draw.random() < 0.1 else reward for reward in rewards),
        id=f"evt-{nth}",
        tenant=draw.choice(["acme", "beta"]),
        channel=draw.choice(["general", "help", "red-team"]),
        user=f"u-{nth % 7}",
        metadata=draw.choice([None, {"age": draw.randint(0, 9)}]),
        conversation=(Turn("assistant", draw.choice(["Hello.", "See example.com"])),),
    )


def limits(text: str, draw: random.Random) -> str:
    return re.sub(r"below (\d\.\d+)", lambda _: f"below {draw.uniform(0.05, 0.95):.2f}", text)


def modes(text: str, draw: random.Random) -> str:
    return re.sub(r"mode: \w+", lambda _: f"mode: {draw.choice(['live', 'shadow', 'off'])}", text) + a_rule(
        name="added"
    )


def exceptions(text: str, _draw: random.Random) -> str:
    return text.replace("{tenant: acme, channel: help}", "{tenant: beta}")


def severities(text: str, _draw: random.Random) -> str:
    return text.replace("severity: high", "severity: critical")


def lines(text: str, _draw: random.Random) -> str:
    return f"# a comment\n\n{text}"


def judged_apart(baseline: PolicySet, candidate: PolicySet, decisions: list[bytes]) -> Iterator[tuple[object, object]]:
    numbers = TextNumbers(baseline, candidate)
    before, after = Replayer(baseline), StaleJudge(candidate)
    for decision in map(read_decision, decisions):
        given = replay_input_of(decision)
        judged = after.judge(given, numbers.of(decision))
        yield before.judge(given), judged and judged.judgement


def judged_together(
    baseline: PolicySet, candidate: PolicySet, decisions: list[bytes]
) -> Iterator[tuple[object, object]]:
    numbers, both = TextNumbers(baseline, candidate), TwoSets(baseline, candidate)
    for decision in map(read_decision, decisions):
        before, after = both.judge(replay_input_of(decision), numbers.of(decision))
        yield before, after and after.judgement


@pytest.mark.parametrize("edit", [limits, modes, exceptions, severities, lines])
@pytest.mark.parametrize("seed", range(3))
def test_an_edit_of_rules_is_judged_as_by_each_set_alone(
    edit: Callable[[str, random.Random], str],
    seed: int,
    baseline: PolicySet,
    decisions: list[bytes],
    tmp_path: Path,
) -> None:
    candidate = edited(tmp_path, POLICY, lambda text: edit(text, random.Random(seed)))

    assert edited_rules(baseline, candidate) is not None
    assert [*judged_together(baseline, candidate, decisions)] == [*judged_apart(baseline, candidate, decisions)]


@pytest.mark.parametrize(
    ("file", "change"),
    [
        (
            "signals.yaml",
            ("scale: {low: 0, high: 1}, good: high", "scale: {multiply: 0.5, low: 0, high: 1}, good: high"),
        ),
        ("settings.yaml", ("if_unscored: flag", "if_unscored: allow")),
        ("exemptions.yaml", ("channel: red-team", "channel: general")),
        ("signals.yaml", ("links: any", "measure: length")),
    ],
)
def test_an_edit_of_more_than_rules_is_judged_as_by_each_set_alone(
    file: str, change: tuple[str, str], baseline: PolicySet, decisions: list[bytes], tmp_path: Path
) -> None:
    candidate = edited(tmp_path, file, lambda text: text.replace(*change))

    assert candidate.snapshot != baseline.snapshot
    assert edited_rules(baseline, candidate) is None
    assert [*judged_together(baseline, candidate, decisions)] == [*judged_apart(baseline, candidate, decisions)]


def test_only_rules_that_say_something_else_are_judged_twice(
    baseline: PolicySet, decisions: list[bytes], tmp_path: Path
) -> None:
    candidate = edited(tmp_path, POLICY, lambda text: f"\n{text}".replace("below 0.30", "below 0.35"))
    both, numbers = TwoSets(baseline, candidate), TextNumbers(baseline, candidate)
    decision = read_decision(decisions[0])

    before, after = both.judge(replay_input_of(decision), numbers.of(decision))

    assert after is not None
    shared = {id(result) for result in before.rules} & {id(result) for result in after.judgement.rules}
    assert len(shared) == len(before.rules) - 1


def test_a_candidate_that_does_not_suit_the_model_is_refused(
    baseline: PolicySet, decisions: list[bytes], tmp_path: Path
) -> None:
    candidate = edited(tmp_path, POLICY, lambda text: text.replace("safety: below 0.40", "honesty: in the lowest 2%"))
    decision = read_decision(decisions[0].replace(b"sha256:aaaa", b"sha256:bbbb"))

    with pytest.raises(PolicyError):
        TwoSets(baseline, candidate).judge(replay_input_of(decision), TextNumbers(baseline, candidate).of(decision))


def edited(tmp_path: Path, file: str, edit: Callable[[str], str]) -> PolicySet:
    candidate = a_rich_folder(tmp_path / "candidate")
    (candidate / file).write_text(edit((candidate / file).read_text()))
    return load_policies(candidate)
