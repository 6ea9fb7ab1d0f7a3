"""What training does to texts: joins them, respells them, puts them late in a conversation."""

from random import Random

from moderator.events import Turn
from moderator.training.data.augmentation import augment, join_messages, obfuscate
from moderator.training.data.rows import Row


def _message(text: str, safety: float, **categories: float) -> Row:
    return Row((Turn("user", text),), {"is_safe": safety, **categories}, "made-up", "CC0-1.0")


def test_a_joined_text_is_as_safe_as_its_least_safe_part() -> None:
    rows = [_message("you idiot", 0.1, x_harassment=0.9), _message("nice day", 0.95), _message("see you", 0.9)]

    row = join_messages(rows, Random(1))

    assert row.labels == {"is_safe": 0.1, "x_harassment": 0.9}
    assert all(part.conversation[0].content in row.conversation[0].content for part in rows)


def test_obfuscation_changes_only_long_words() -> None:
    text = "you are an idiot and a loser"

    spelled = {obfuscate(text, Random(seed)) for seed in range(20)}

    assert len(spelled) > 5
    assert all(variant.startswith("you are an ") for variant in spelled)


def test_the_judged_text_stays_last_and_decides_the_label() -> None:
    harmless = [_message("nice day", 0.95), _message("see you", 0.95)]
    row = _message("you absolute idiot", 0.1)

    variants = [augment(row, harmless, Random(seed)) for seed in range(200)]

    assert {len(variant.conversation) for variant in variants} == {1, 2, 3}
    assert all(variant.conversation[-1].role == "user" for variant in variants)
    assert all(
        variant.conversation[-2:-1] in ((), (Turn("assistant", "nice day"),), (Turn("assistant", "see you"),))
        for variant in variants
    )
    assert {variant.labels["is_safe"] for variant in variants} == {0.1}


def test_replies_are_never_joined() -> None:
    row = Row((Turn("user", "hi?"), Turn("assistant", "hello")), {"is_safe": 0.9}, "made-up", "CC0-1.0")

    variants = [augment(row, [_message("nice day", 0.95)], Random(seed)) for seed in range(100)]

    assert all(variant.conversation[0] == Turn("user", "hi?") for variant in variants)
    assert all(len(variant.conversation) == 2 for variant in variants)
