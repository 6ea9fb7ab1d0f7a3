"""What is read from an event besides the model's scores."""

from pathlib import Path

import pytest

from moderator.events import MetadataValue
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


@pytest.mark.parametrize(
    ("value", "score", "cause"),
    [
        (float("inf"), None, "not_finite"),
        (True, None, "not_a_number"),
        ("0.0000005" + "0" * 30, 0.0, None),
        ("0.0000005" + "0" * 30 + "1", 0.000001, None),
    ],
)
def test_a_fact_is_a_finite_number_rounded_once(
    tmp_path: Path, value: MetadataValue, score: float | None, cause: str | None
) -> None:
    settings = f"{SETTINGS}if_fact_missing: allow\n"
    policies = a_set(tmp_path, a_policy(a_rule("age: below 24")), signals=SIGNALS, settings=settings)
    age = compile_observer(next(signal for signal in policies.signals if signal.name == "age"))

    _, _, read, missing = age(an_event()._replace(metadata={"age_h": value}))

    assert (read, missing) == (score, cause)
