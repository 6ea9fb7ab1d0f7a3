"""Policies that change while a window is in flight."""

from pathlib import Path

from moderator.events import Decision
from moderator.pipeline.current_decider import CurrentDecider
from moderator.pipeline.decision import Decider, Timestamps
from moderator.policy import load_policies
from tests.builders import POLICY_FILES, a_model, a_record, a_scored_event, an_event, some_policies


def decide(decider: Decider) -> Decision:
    scored = a_scored_event()
    return decider.decide(a_record(), an_event(), scored, 0.0, Timestamps(0.0, 0.0, 0.0, "2026-10-05T12:00:00.412Z"))


def test_a_swap_changes_the_next_decider_and_not_the_one_in_use(tmp_path: Path) -> None:
    before = some_policies(tmp_path)
    current = CurrentDecider(before, a_model(), "none")
    in_use = current()
    (tmp_path / "safety.yaml").write_text(POLICY_FILES["safety.yaml"].replace("0.30", "0.31"))
    after = load_policies(tmp_path)

    current.swap(after)

    assert decide(in_use)["policy"]["snapshot"] == before.snapshot
    assert decide(current())["policy"]["snapshot"] == after.snapshot


def test_decisions_hold_the_content_where_that_is_configured(tmp_path: Path) -> None:
    current = CurrentDecider(some_policies(tmp_path), a_model(), "full")

    assert "messages" in decide(current())["event"]
