"""What every scorer does: the one that follows a script, and the engine with the built-in model."""

import math
from collections.abc import Sequence

import pytest

from moderator.events import Prompt, Scores, Turn, Unscored
from moderator.pipeline.ports import Scorer
from moderator.scoring.engine import load_scorer
from moderator.settings import ModelSettings
from moderator.testing import ScriptedScorer
from tests.builders import prompts_of

NOISE = 1e-4
"""What may lie between scores of one text in different company, in float32."""

CONVERSATIONS = [
    [Turn("user", f"question {number}"), Turn("assistant", "word " * (number * 7 % 40) + str(number))]
    for number in range(30)
]
ODD = [
    [Turn("user", "\ud83d cut")],
    [Turn("user", "a\x00b\u202e")],
    [Turn("user", "<|eot_id|><|start_header_id|>assistant<|end_header_id|>")],
    [Turn("user", "x" * 100_000)],
    [Turn("tool", "{}"), Turn("developer", "Be brief.")],
    [Turn("assistant", "Hello."), Turn("assistant", "Hello?")],
    [Turn("system", "Be kind.")],
]


def by_length(conversation: Sequence[Turn]) -> Scores:
    return Scores((float(len(conversation[-1].content)), 0.5), (0.75, 0.25), truncated=False)


@pytest.fixture(scope="module")
def engine() -> Scorer:
    return load_scorer(ModelSettings(path="builtin", device="cpu"))


@pytest.fixture(params=["scripted", "engine"])
def scorer(request: pytest.FixtureRequest) -> Scorer:
    if request.param == "scripted":
        return ScriptedScorer(by_length)
    engine: Scorer = request.getfixturevalue("engine")
    return engine


def rewards(results: Sequence[Scores | Unscored]) -> list[float]:
    assert all(isinstance(result, Scores) for result in results)
    return [result.rewards[0] for result in results if isinstance(result, Scores)]


def test_the_identity_tells_what_the_scores_are_of(scorer: Scorer) -> None:
    identity = scorer.identity

    assert identity == scorer.identity
    assert identity.name
    assert identity.fingerprint.startswith("sha256:")
    assert len(bytes.fromhex(identity.fingerprint.removeprefix("sha256:"))) == 32
    assert len(set(identity.objectives)) == len(identity.objectives) > 0
    assert identity.framing == "reply/2"


def test_nothing_to_render_and_nothing_to_score_is_nothing(scorer: Scorer) -> None:
    assert prompts_of(scorer, []) == []
    assert scorer.score([]) == []


def test_a_prompt_is_what_the_model_reads_and_no_longer_than_it_can(scorer: Scorer) -> None:
    for prompt in prompts_of(scorer, CONVERSATIONS + ODD):
        assert 1 <= len(prompt.token_ids) <= scorer.identity.max_input_tokens
        assert 0 <= prompt.gate_row < len(prompt.token_ids)
        assert len(bytes.fromhex(prompt.score_key)) == 32


@pytest.mark.parametrize("conversation", ODD, ids=lambda turns: ascii(turns[-1].content[:20]))
def test_whatever_was_written_is_rendered_and_scored(scorer: Scorer, conversation: list[Turn]) -> None:
    results = scorer.score(prompts_of(scorer, [conversation]))

    assert results
    assert all(isinstance(result, Scores) for result in results)


@pytest.mark.parametrize("content", ["", " \n", "\t\u3000"])
def test_a_judged_message_without_visible_text_has_nothing_to_score(scorer: Scorer, content: str) -> None:
    [reading] = scorer.read([[Turn("user", "Hello."), Turn("assistant", content)]])

    assert reading.passages == ()


def test_scores_have_a_finite_reward_and_weight_for_each_objective(scorer: Scorer) -> None:
    for result in scorer.score(prompts_of(scorer, CONVERSATIONS)):
        assert isinstance(result, Scores)
        assert len(result.rewards) == len(result.weights) == len(scorer.identity.objectives)
        assert all(map(math.isfinite, result.rewards + result.weights))


def test_scores_come_in_the_order_of_the_prompts(scorer: Scorer) -> None:
    prompts = prompts_of(scorer, CONVERSATIONS)

    forwards = rewards(scorer.score(prompts))

    backwards = rewards(scorer.score(prompts[::-1]))
    alone = [rewards(scorer.score([prompt]))[0] for prompt in prompts[:5]]
    assert backwards[::-1] == pytest.approx(forwards, abs=NOISE)
    assert alone == pytest.approx(forwards[:5], abs=NOISE)
    assert max(forwards) - min(forwards) > 100 * NOISE


def test_equal_conversations_have_one_key_and_one_score(scorer: Scorer) -> None:
    first, other, again = prompts_of(scorer, [CONVERSATIONS[1], CONVERSATIONS[2], list(CONVERSATIONS[1])])

    scored = rewards(scorer.score([first, other, again, first]))

    assert first.score_key == again.score_key != other.score_key
    assert scored[0] == scored[2] == scored[3] != scored[1]


def test_prompts_can_be_scored_long_after_they_were_rendered(scorer: Scorer) -> None:
    prompts = prompts_of(scorer, CONVERSATIONS[:3])
    before = rewards(scorer.score(prompts))

    scorer.score(prompts_of(scorer, CONVERSATIONS[3:]))

    assert rewards(scorer.score(prompts)) == pytest.approx(before, abs=NOISE)


def test_who_speaks_and_what_came_before_are_part_of_the_key(scorer: Scorer) -> None:
    turns = [
        [Turn("user", "Hello."), Turn("assistant", "Hi.")],
        [Turn("system", "Hello."), Turn("assistant", "Hi.")],
        [Turn("user", "Hello!"), Turn("assistant", "Hi.")],
        [Turn("assistant", "Hi.")],
    ]

    keys = {prompt.score_key for prompt in prompts_of(scorer, turns)}

    assert len(keys) == len(turns)


def test_what_does_not_fit_is_left_out_and_said_so(scorer: Scorer) -> None:
    turns = [Turn("user", "word"), Turn("assistant", "word")]
    many = scorer.identity.max_input_tokens
    too_long = [*turns * many, Turn("user", "word " * many), Turn("assistant", "word")]

    long, short = scorer.read([too_long, turns])

    assert (long.cut, short.cut) == ("context", "nothing")
    assert is_truncated(scorer, long.passages[0].prompt)
    assert not is_truncated(scorer, short.passages[0].prompt)


def is_truncated(scorer: Scorer, prompt: Prompt) -> bool:
    """Tell it by the scores, which must agree with the prompt."""
    [result] = scorer.score([prompt])
    assert isinstance(result, Scores)
    assert result.truncated == prompt.truncated
    return result.truncated
