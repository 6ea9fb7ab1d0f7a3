import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.scoring.rendering.framing import OPENER, Message, frame

roles = st.sampled_from(["system", "developer", "user", "assistant", "tool"])
conversations = st.lists(st.tuples(roles, st.text(max_size=5)), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("given_roles", "framed_roles"),
    [
        ("a", "Oa"),
        ("u", "Oa"),
        ("s", "Oa"),
        ("ua", "ua"),
        ("au", "ua"),
        ("uu", "Oaa"),
        ("aa", "Oaa"),
        ("sua", "sua"),
        ("su", "sOa"),
        ("dua", "sua"),
        ("uat", "Oaua"),
        ("uta", "uua"),
        ("utu", "Oaaa"),
        ("uau", "Oaua"),
        ("uaua", "uaua"),
        ("sauau", "suaua"),
        ("us", "Oaa"),
    ],
)
def test_every_shape_of_conversation_ends_with_a_reply(given_roles: str, framed_roles: str) -> None:
    names = {"s": "system", "d": "developer", "u": "user", "a": "assistant", "t": "tool"}

    framed = frame([(names[letter], "text") for letter in given_roles])

    letters = ["O" if turn == OPENER else turn[0][0] for turn in framed]
    assert "".join(letters) == framed_roles


@given(conversation=conversations)
def test_contents_keep_their_order_and_only_the_opener_is_added(conversation: list[Message]) -> None:
    framed = frame(conversation)

    contents = [content for _, content in framed]
    if len(framed) > len(conversation):
        contents.remove(OPENER[1])
    assert contents == [content for _, content in conversation]


@given(conversation=conversations)
def test_the_judged_message_is_the_assistants_and_another_turn_comes_before_it(conversation: list[Message]) -> None:
    framed = frame(conversation)

    assert framed[-1] == ("assistant", conversation[-1][1])
    assert len(framed) > 1
    assert {role for role, _ in framed} <= {"system", "user", "assistant"}


def test_a_speakers_messages_are_prefixes_of_one_another() -> None:
    conversation = [("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4"), ("user", "5")]

    first, second, third, fourth, fifth = (frame(conversation[:end]) for end in range(1, 6))

    assert fifth[: len(third)] == third
    assert third[: len(first)] == first
    assert fourth[: len(second)] == second
