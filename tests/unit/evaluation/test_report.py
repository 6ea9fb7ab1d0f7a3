from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from moderator.errors import ConfigurationError
from moderator.evaluation.labelled import LabelledEvent
from moderator.evaluation.limits import limits_of
from moderator.evaluation.report import context_rows, evaluate
from moderator.events import ChatEvent, ModelIdentity, Turn
from tests.builders import some_policies

MODEL = ModelIdentity("tiny", "sha256:1", "float32", ("beavertails-is_safe", "spam"), "message/2", max_input_tokens=64)


def row(number: int, *, locale: str = "en", **labels: float) -> LabelledEvent:
    event = ChatEvent(f"evt-{number}", (Turn("user", f"text {number}"),), locale=locale)
    return LabelledEvent(
        event, {name.replace("_is", "-is_"): value for name, value in labels.items()}, None, 1, str(number)
    )


ROWS = [row(number, locale="en" if number < 30 else "de", spam=number % 2) for number in range(40)]
SCORES = np.column_stack([np.full(40, np.nan), [0.2 + 0.6 * (number % 2) for number in range(40)]])


def test_each_labelled_objective_is_measured_at_the_limits_that_are_asked_for() -> None:
    limits = limits_of(None, {"spam": [Fraction(1, 2)]}, MODEL.objectives)

    spam = evaluate(MODEL, ROWS, SCORES, limits).objectives["spam"]

    assert (spam["rows"], spam["ones"], spam["auc"]) == (40, 20, 1.0)
    [limit] = spam["limits"]
    # nothing says that a high score is bad: what is below is flagged, and a label of 0 is the bad end
    assert (limit["limit"], limit["from"], limit["flagged"], limit["precision"]) == (0.5, "--limit", 20, 1.0)


def test_limits_of_rules_win_and_compare_as_the_rule_does(tmp_path: Path) -> None:
    policies = some_policies(tmp_path)

    limits = limits_of(policies, {"beavertails-is_safe": [Fraction(1, 2)]}, MODEL.objectives)

    assert [(limit.source, str(limit.number)) for limit in limits] == [
        ("safety/unsafe", "3/10"),
        ("safety/doubtful", "3/5"),
    ]
    assert limits[0].flags(np.array([0.299999, 0.3, 0.9])).tolist() == [True, False, False]


def test_groups_of_20_rows_and_more_are_measured() -> None:
    spam = evaluate(MODEL, ROWS, SCORES, (), by=["locale"]).objectives["spam"]

    assert {name: figures["rows"] for name, figures in spam["groups"].items()} == {"locale=en": 30}


def test_rows_without_a_score_are_counted_and_left_out() -> None:
    scores = SCORES.copy()
    scores[0] = np.nan

    evaluation = evaluate(MODEL, ROWS, scores, ())

    assert evaluation.unscored == 1
    assert evaluation.objectives["spam"]["rows"] == 39


def test_how_far_scores_move_and_cross_limits_where_other_turns_are_read() -> None:
    limits = limits_of(None, {"spam": [Fraction(1, 2)]}, MODEL.objectives)
    rows = [row(number, spam=number % 2) for number in range(3)]
    none = np.full(3, np.nan)
    scores = np.column_stack([none, [0.6, 0.6, np.nan]])
    others = np.column_stack([none, [0.4, 0.6, 0.9]])

    [found] = context_rows(MODEL, rows, scores, others, limits, turns="0")

    assert found == {
        "turns": "0",
        "objective": "spam",
        "auc": 0.5,
        "mean_difference": pytest.approx(0.1),
        "crosses_a_limit": 0.5,
    }


def test_an_objective_of_one_side_alone_has_no_auc_whatever_is_read() -> None:
    [found] = context_rows(MODEL, [row(1, spam=1)], SCORES[:1], SCORES[:1], (), turns="all")

    assert found["auc"] is None


def test_what_the_model_or_the_event_lacks_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match="labels name `toxic`, which the model `tiny` does not have; it has bea"
    ):
        evaluate(MODEL, [row(1, toxic=1)], SCORES[:1], ())
    with pytest.raises(ConfigurationError, match="`--limit toxic`: the model has no such objective"):
        limits_of(None, {"toxic": [Fraction(1)]}, MODEL.objectives)
    with pytest.raises(ConfigurationError, match="`--by mood`: there is no such field"):
        evaluate(MODEL, ROWS, SCORES, (), by=["mood"])
