"""What is scored together: each text once, with the same scores in any pack."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.events import Scores, Turn
from moderator.pipeline.ports import Scorer
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.engine import Engine
from moderator.scoring.packing import Layout
from tests.builders import prompts_of
from tests.integration.scoring.model.troubled_armorm import TroubledArmoRM, question
from tests.models import tiny_armorm


def test_equal_conversations_are_scored_once(armorm: ArmoRM, scorer: Scorer) -> None:
    counted = TroubledArmoRM(armorm, lambda _, rows: rows)
    prompts = prompts_of(scorer, [question("a"), question("b"), question("a"), question("a")])

    results = Engine(counted).score(prompts)

    assert counted.packs == [2]
    assert results[0] == results[2] == results[3] != results[1]


conversations = st.lists(st.lists(st.sampled_from(["", "hi", "no", "well well"]), min_size=1, max_size=7), max_size=12)


@settings(max_examples=15, deadline=None)
@given(contents=conversations, budget=st.integers(64, 400), is_padded=st.booleans())
def test_scores_equal_those_of_each_conversation_alone_in_any_pack(
    armorm: ArmoRM,
    contents: list[list[str]],
    budget: int,
    is_padded: bool,  # noqa: FBT001
) -> None:
    other_layout = TroubledArmoRM(armorm, lambda _, rows: rows)
    other_layout.layout = Layout(is_padded=is_padded)
    engine, apart = Engine(other_layout, budget), Engine(armorm)
    turns = [[Turn(("user", "assistant")[at % 2], text) for at, text in enumerate(texts)] for texts in contents]
    prompts = prompts_of(engine, [texts[: at + 1] for texts in turns for at in range(len(texts))])

    together = engine.score(prompts)

    alone = [apart.score([prompt])[0] for prompt in prompts]
    for one, other in zip(together, alone, strict=True):
        assert isinstance(one, Scores)
        assert isinstance(other, Scores)
        assert one.rewards == pytest.approx(other.rewards, abs=1e-5)
        assert one.weights == pytest.approx(other.weights, abs=1e-5)


def test_a_backlog_of_a_conversation_costs_no_more_than_its_last_two_turns(armorm: ArmoRM, scorer: Scorer) -> None:
    turns = [Turn(("user", "assistant")[at % 2], f"turn {at} " * 5) for at in range(10)]
    counted = TroubledArmoRM(armorm, lambda _, rows: rows)

    Engine(counted, 4096).score(prompts_of(scorer, [turns[: at + 1] for at in range(10)]))

    assert counted.packs == [2]  # every other turn is framed with the roles exchanged


def test_compiled_scores_have_keys_of_their_own(folder: Path, scorer: Scorer) -> None:
    compiled = tiny_armorm.load(folder)
    compiled.compile()

    assert (
        prompts_of(Engine(compiled), [question("a")])[0].score_key != prompts_of(scorer, [question("a")])[0].score_key
    )
