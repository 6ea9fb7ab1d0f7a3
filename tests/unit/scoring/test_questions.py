import random

import pytest

from moderator.events import Prompt, Scores, Unscored
from moderator.scoring.questions import Texts, joined, texts_of

ONE = Prompt([1, 2, 3], 1, truncated=True, score_key="one")
THREE = Prompt([1, 2, 3, 4, 5, 6], 0, truncated=False, score_key="three", lengths=(1, 3, 2))


def scored(*rewards: float) -> Scores:
    return Scores(rewards, tuple(0.0 for _ in rewards), truncated=False)


def test_a_prompt_has_a_text_for_each_question() -> None:
    assert texts_of(ONE) == [ONE]
    assert [list(text.token_ids) for text in texts_of(THREE)] == [[1], [2, 3, 4], [5, 6]]
    assert {(text.score_key, text.truncated, text.lengths) for text in texts_of(THREE)} == {("three", False, ())}


@pytest.mark.parametrize("seed", range(20))
def test_scores_are_joined_in_the_order_of_the_questions_however_passes_give_them(seed: int) -> None:
    chance = random.Random(seed)
    texts = Texts()
    assert [text.score_key for text in texts.add([THREE, ONE])] == ["three"] * 3 + ["one"]
    assert [text.score_key for text in texts.add([THREE])] == ["three"] * 3
    numbers = chance.sample(range(7), 7)
    border = chance.randint(0, 7)

    found: dict[int, Scores | Unscored] = {}
    for given in (numbers[:border], numbers[border:]):
        now = dict(texts.give({number: scored(float(number)) for number in given}))
        assert not now.keys() & found.keys()
        found |= now

    assert found == {0: scored(0.0, 1.0, 2.0), 1: scored(3.0), 2: scored(4.0, 5.0, 6.0)}


def test_a_prompt_of_which_one_question_has_no_score_has_none() -> None:
    assert joined([scored(1.0), Unscored("why"), scored(2.0)]) == Unscored("why")
    assert joined([Unscored("alone")]) == Unscored("alone")
