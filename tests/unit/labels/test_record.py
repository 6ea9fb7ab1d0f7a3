import json
from typing import Any

import pytest

from moderator.labels.record import (
    InvalidLabelError,
    Label,
    Reviewer,
    Said,
    encode_label,
    label_of,
    parse_key,
    parse_label,
    record_key,
)
from tests.builders import a_label
from tests.unit.labels.decisions import a_condition, a_decision, a_rule

ANA = Reviewer("ana", "login")


def labelled(said: Said = "right", verdict: str = "flag", **fields: Any) -> Label:
    decision = a_decision(verdict=verdict, rules=fields.pop("rules", []))
    return label_of(decision, said, ANA, labelled_at="2026-11-29T12:00:00Z", **fields)


@pytest.mark.parametrize(
    ("said", "verdict", "label"),
    [
        ("right", "flag", "flag"),
        ("right", "allow", "allow"),
        ("wrong", "flag", "allow"),
        ("wrong", "allow", "flag"),
        ("unsure", "flag", None),
    ],
)
def test_the_label_is_the_verdict_that_would_be_right(said: Said, verdict: str, label: str | None) -> None:
    assert labelled(said, verdict)["label"] == label


def test_a_label_names_the_rules_that_counted_or_matched_in_shadow() -> None:
    rules = [
        a_rule("a/counted", counted=True),
        a_rule("a/shadow", mode="shadow", outcome="matched"),
        a_rule("a/outside-its-rollout", outcome="matched"),
        a_rule("a/not", outcome="not matched", conditions=[a_condition()]),
        a_rule("a/score-missing", outcome="unknown", counted=True),
    ]

    assert labelled(rules=rules)["rules"] == ["a/counted", "a/shadow", "a/score-missing"]


def test_the_share_of_the_sample_is_kept_for_that_queue_alone() -> None:
    assert labelled(queue="sample", sample_share=0.01)["sample_share"] == 0.01
    assert labelled(queue="flagged", sample_share=0.01)["sample_share"] is None


def test_a_label_is_read_back_as_it_was_written() -> None:
    label = labelled(note="it is a joke: 😀\nreally", queue="borderline")

    assert parse_label(encode_label(label)) == label
    assert json.loads(encode_label(label))["label_id"].startswith("lab_")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"{", "not JSON"),
        (b'{"schema": "moderator.decision/1"}', "`schema` should be `moderator.label/1`"),
        (encode_label(a_label(rules="all")), "a label whose `rules` is wrong"),
        (encode_label(a_label(id=7)), "a label whose `id` is wrong"),
    ],
)
def test_what_is_no_label_is_refused_by_field_without_a_quotation(value: bytes, said: str) -> None:
    with pytest.raises(InvalidLabelError, match=said):
        parse_label(value)


def test_the_key_keeps_its_three_parts_apart_whatever_is_in_them() -> None:
    label = a_label(tenant="a:b", id="evt:1/ü", reviewer="a%3Ab")

    assert record_key(label) == b"a%3Ab:evt%3A1%2F%C3%BC:a%253Ab"
    assert parse_key(record_key(label)) == (("a:b", "evt:1/ü"), "a%3Ab")
    assert parse_key(b"a:b") is None
    assert parse_key(None) is None
