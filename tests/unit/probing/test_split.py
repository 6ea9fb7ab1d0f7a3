import numpy as np

from moderator.evaluation.labelled import LabelledEvent
from moderator.events import ChatEvent, Turn
from moderator.probing.split import split


def row(text: str, conversation: str | None = None) -> LabelledEvent:
    return LabelledEvent(ChatEvent(text, (Turn("user", text),), conversation), {"spam": 1}, None, 1, text)


def test_a_fifth_is_held_out_and_nothing_is_in_both_parts() -> None:
    found = split([row(str(number)) for number in range(2000)], seed=1)

    assert 0.17 < found.held_out.mean() < 0.23
    assert (found.learned ^ found.held_out).all()
    assert (found.places.min() >= 0, found.places.max() < 1) == (True, True)


def test_turns_of_one_conversation_and_equal_texts_are_on_one_side() -> None:
    rows = [row(f"{number} {conversation}", f"c{conversation}") for conversation in range(50) for number in range(4)]

    found = split([*rows, *(row("ok") for _ in range(10))], seed=3)

    conversations = found.held_out[:200].reshape(50, 4)
    assert (conversations.all(1) | ~conversations.any(1)).all()
    assert len(set(found.held_out[200:].tolist())) == 1
    assert len(set(found.places[:4].tolist())) == 1


def test_a_text_that_is_held_out_is_learned_in_no_other_conversation() -> None:
    rows = [row("ok", f"c{number}") for number in range(100)] + [row(f"t{number}") for number in range(100)]

    found = split(rows, seed=1)

    assert found.held_out[:100].any()
    assert not found.learned[:100].any()
    assert found.repeated == int((~found.held_out[:100]).sum())


def test_a_seed_decides_what_is_held_out() -> None:
    rows = [row(str(number)) for number in range(100)]

    one, again, other = (split(rows, seed).held_out for seed in (1, 1, 2))

    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
