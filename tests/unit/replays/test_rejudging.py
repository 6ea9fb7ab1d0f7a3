"""Recorded decisions judged again: as the pipeline decides, and never by what is not recorded."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from moderator.events import EncodedDecision
from moderator.pipeline.decision import Decider, Timestamps, encode
from moderator.policy import PolicySet, load_policies
from moderator.replays.rejudging import NO_DECISION, OTHER_MODEL, OTHER_TEXT, NotReplayableError, Rejudge
from tests.builders import (
    OBJECTIVES,
    POLICY_FILES,
    a_model,
    a_record,
    a_scored_event,
    a_turn,
    an_event,
    write_files,
)

WORDS = """
  scam-words: {about: Words of scams, from_text: {words: [WORD]}}
  name-words: {about: Words of names, from_text: {words: [WORD], of: user}}
"""
RULES = """
policy: scams
about: Scams go to review.
owner: trust-safety@example.com
rules:
  - rule: scam
    about: It has words of scams.
    mode: live
    when: {scam-words: at least 1}
    flag: {severity: high, reason: unsafe_content}
  - rule: bad-name
    about: The name has words of scams.
    mode: live
    when: {name-words: at least 1}
    flag: {severity: high, reason: unsafe_content}
"""
AT = Timestamps(0.0, 0.0, 0.0, "2026-10-05T12:00:00.412Z")


def policies(folder: Path, name: str, *, below: str = "0.30", words: tuple[str, str] | None = None) -> PolicySet:
    files = {**POLICY_FILES, "safety.yaml": POLICY_FILES["safety.yaml"].replace("0.30", below)}
    if words:
        message, user = words
        lines = WORDS.replace("WORD", message, 1).replace("WORD", user, 1)
        files["signals.yaml"] += lines.lstrip("\n")
        files["settings.yaml"] += "if_fact_missing: allow\n"
        files["scams.yaml"] = RULES
    return load_policies(write_files(folder / name, files))


def recorded(by: PolicySet, *, content: Any = "none", text: str = "free coins", **event: Any) -> bytes:
    given = {"user": "coinbot", **event}
    decider = Decider(by, a_model(), content)
    return encode(decider.decide(a_record(), an_event(a_turn(text), **given), a_scored_event(), 0.0, AT)).value


def decided(by: PolicySet, **fields: Any) -> dict[str, Any]:
    decision: dict[str, Any] = orjson.loads(recorded(by, **fields))
    return decision


def made(by: PolicySet, value: bytes | None) -> EncodedDecision:
    return Rejudge(by)(value).decision


@pytest.mark.parametrize("content", ["none", "full"])
def test_a_decision_judged_again_is_what_the_pipeline_would_have_decided(tmp_path: Path, content: str) -> None:
    was = policies(tmp_path, "was", words=("coins", "bot"))
    now = policies(tmp_path, "now", below="0.95", words=("coins", "bot"))

    again = made(now, recorded(was, content=content))

    assert orjson.loads(again.value) == decided(now, content=content)
    assert again.verdict == "flag"


def test_what_a_text_signal_reads_from_the_record_is_read_again(tmp_path: Path) -> None:
    was = policies(tmp_path, "was", words=("coins", "bot"))
    now = policies(tmp_path, "now", words=("coins", "coinbot"))

    again = orjson.loads(made(now, recorded(was)).value)

    assert again == decided(now)
    assert [each["signal"] for each in again["found"]] == ["scam-words", "name-words"]


def test_a_message_that_is_recorded_is_read_again(tmp_path: Path) -> None:
    was = policies(tmp_path, "was", words=("coins", "bot"))
    now = policies(tmp_path, "now", words=("free", "bot"))

    assert orjson.loads(made(now, recorded(was, content="full")).value) == decided(now, content="full")


def test_policies_without_text_signals_leave_out_what_was_found(tmp_path: Path) -> None:
    was, now = policies(tmp_path, "was", words=("coins", "bot")), policies(tmp_path, "now")

    again = orjson.loads(made(now, recorded(was)).value)

    assert again == decided(now)
    assert "found" not in again


def refused(by: PolicySet, value: bytes | None) -> tuple[str, object]:
    with pytest.raises(NotReplayableError) as raised:
        Rejudge(by)(value)
    return raised.value.cause, raised.value.place


@pytest.mark.parametrize("words", [None, ("coins", "bot")])
def test_a_message_that_is_not_recorded_is_never_guessed(tmp_path: Path, words: tuple[str, str] | None) -> None:
    was = policies(tmp_path, "was", words=words)
    now = policies(tmp_path, "now", words=("free", "bot"))

    assert refused(now, recorded(was)) == (OTHER_TEXT, (0, 0))


def test_a_model_that_the_policies_do_not_suit_is_a_cause_each_time(tmp_path: Path) -> None:
    now = policies(tmp_path, "now")
    other = orjson.loads(recorded(now))
    other["scores"]["objectives"] = {OBJECTIVES[1]: 0.5}
    rejudge = Rejudge(now)

    for _ in range(2):
        with pytest.raises(NotReplayableError, match=OTHER_MODEL):
            rejudge(orjson.dumps(other))


@pytest.mark.parametrize("part", ["scores", "event", "model", "policy", "framing", "decided_at", "rules"])
def test_a_part_that_is_missing_makes_it_no_decision(tmp_path: Path, part: str) -> None:
    now = policies(tmp_path, "now", words=("coins", "bot"))
    broken = orjson.loads(recorded(now))
    del broken[part]

    if part == "rules":  # what was judged is judged again
        assert made(now, orjson.dumps(broken)).verdict == "flag"
    else:
        assert refused(now, orjson.dumps(broken)) == (NO_DECISION, None)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b'{"schema": "other"}'])
def test_what_is_no_decision_is_said_to_be_none(tmp_path: Path, value: bytes | None) -> None:
    assert refused(policies(tmp_path, "now"), value) == (NO_DECISION, None)
