from pathlib import Path

from moderator.playground.fields import EventField, event_fields
from moderator.policy import load_policies
from tests.unit.policy.folders import SETTINGS, SIGNALS, a_folder, a_policy, a_rule


def test_what_the_policies_read_can_be_set_and_facts_only_beside_a_text(tmp_path: Path) -> None:
    signals = SIGNALS + "  age: {about: Age, from_event: metadata.age_h, scale: {low: 0, unit: hours}, good: high}\n"
    settings = f"{SETTINGS}if_fact_missing: allow\n"
    policies = load_policies(a_folder(tmp_path, a_policy(a_rule()), signals=signals, settings=settings))

    fields = event_fields(policies)

    assert {"metadata.surface", "tenant", "user", "conversation_id", "time"} <= {each.name for each in fields}
    assert [each for each in fields if each.only] == [
        EventField("metadata.age_h", only="text"),
        EventField("cut", ("nothing", "context", "message"), "sliders"),
        EventField("hidden_text", ("none", "found"), "sliders"),
    ]


def test_without_policies_there_are_the_fields_of_every_event() -> None:
    names = [each.name for each in event_fields(None)]

    assert names[:4] == ["tenant", "channel", "locale", "role"]
