"""What is read from an event besides the model's scores."""

from pathlib import Path

from moderator.policy.engine.observations import compile_observer
from tests.unit.policy.folders import SETTINGS, a_policy, a_rule, a_set, an_event

SIGNALS = """\
signals:
  age: {about: Its age, from_event: metadata.age_h, scale: {low: 0, unit: hours}, good: high}
  title-size: {about: Length of the title, from_text: {measure: length, of: metadata.title}}
"""


def test_a_measure_of_a_text_that_is_not_there_reads_as_a_fact_that_is_not_there(tmp_path: Path) -> None:
    settings = f"{SETTINGS}if_fact_missing: allow\n"
    policies = a_set(tmp_path, a_policy(a_rule("age: below 24")), signals=SIGNALS, settings=settings)
    age, title_size = map(compile_observer, policies.signals)

    assert title_size(an_event()) == age(an_event()) == (None, 0, None, "absent")
