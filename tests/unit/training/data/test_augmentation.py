"""What training does to texts: joins them, cuts them, and spells them as people do who avoid a filter."""

import re
from random import Random

import pytest

from moderator.events import Turn
from moderator.training.data.augmentation import (
    augment,
    disturb,
    double,
    join_messages,
    leetspeak,
    obfuscate,
    space,
    without_vowels,
)
from moderator.training.data.passages import WORDS, passages
from moderator.training.data.rows import Row


def _message(text: str, safety: float, **categories: float) -> Row:
    return Row((Turn("user", text),), {"is_safe": safety, **categories}, "made-up", "CC0-1.0")


def _taught(text: str, **logits: float) -> Row:
    return Row((Turn("user", text),), {}, "made-up", "CC0-1.0", logits=logits)


def test_a_joined_text_is_as_safe_as_its_least_safe_part() -> None:
    rows = [_message("you idiot", 0.1, x_harassment=0.9), _message("nice day", 0.95), _message("see you", 0.9)]

    row = join_messages(rows, Random(1))

    assert row.labels == {"is_safe": 0.1, "x_harassment": 0.9}
    assert all(part.conversation[0].content in row.conversation[0].content for part in rows)


def test_a_joined_text_has_the_teachers_logits_of_its_worst_part() -> None:
    rows = [_taught("you idiot", is_safe=-3.0, x_hate=2.0), _taught("nice day", is_safe=4.0, x_hate=-5.0)]

    assert join_messages(rows, Random(1)).logits == {"is_safe": -3.0, "x_hate": 2.0}
    assert join_messages([*rows, _message("no teacher", 0.9)], Random(1)).logits == {}


def test_obfuscation_changes_only_long_words() -> None:
    text = "you are an idiot and a loser"

    spelled = {obfuscate(text, Random(seed)) for seed in range(20)}

    assert len(spelled) > 5
    assert all(variant.startswith("you are an ") for variant in spelled)


def test_spaced_letters_are_the_same_letters_in_the_same_order() -> None:
    text = "you absolute idiot"

    variants = {space(text, Random(seed)) for seed in range(40)}

    assert {re.sub(r"[ .*_-]", "", variant) for variant in variants} == {"youabsoluteidiot"}
    assert any(variant.startswith("y o u") for variant in variants)


def test_leetspeak_writes_signs_for_letters_and_keeps_the_length() -> None:
    variants = {leetspeak("a stable tale", Random(seed)) for seed in range(20)}

    assert {len(variant) for variant in variants} == {13}
    assert all(re.search(r"[@4$5378]", variant) for variant in variants)


def test_doubled_and_omitted_letters_leave_the_other_letters_alone() -> None:
    text = "nothing good"

    assert {re.sub(r"(.)\1+", r"\1", double(text, Random(seed))) for seed in range(20)} == {"nothing god"}
    assert {re.sub(r"[aeiou]", "", without_vowels(text, Random(seed))) for seed in range(20)} == {"nthng gd"}


def test_about_three_of_ten_texts_are_disturbed_harmless_or_not() -> None:
    for label in (0.05, 0.95):
        row = Row((Turn("user", "why?"), Turn("assistant", "because they said so")), {"is_safe": label}, "s", "CC0-1.0")
        changed = sum(augment(row, [], Random(seed)) != row for seed in range(1_000))
        assert 250 < changed < 350


def test_the_judged_text_alone_changes_and_labels_stay() -> None:
    row = Row((Turn("user", "hi?"), Turn("assistant", "hello friend")), {"is_safe": 0.9}, "made-up", "CC0-1.0")

    variants = [augment(row, [_message("nice day", 0.95)], Random(seed)) for seed in range(100)]

    assert all(variant.conversation[0] == Turn("user", "hi?") for variant in variants)
    assert all(len(variant.conversation) == 2 for variant in variants)
    assert {variant.labels["is_safe"] for variant in variants} == {0.9}


@pytest.mark.parametrize("text", ["", " ", "a", "12:30", "\u4f60\u597d", "x\ny"])
def test_any_text_can_be_disturbed(text: str) -> None:
    assert all(isinstance(disturb(text, Random(seed)), str) for seed in range(50))


def test_long_texts_are_cut_into_passages_without_labels() -> None:
    words = [f"word{at}" for at in range(100)]
    long = Row((Turn("user", "why?"), Turn("assistant", " ".join(words))), {"is_safe": 0.9}, "made-up", "CC0-1.0")

    cut = list(passages([_message("short", 0.9), long]))

    assert [part.conversation[-1].content.split() for part in cut] == [words[:WORDS], words[WORDS:96], words[96:]]
    assert all(part.conversation[0] == Turn("user", "why?") and part.labels == {} for part in cut)
