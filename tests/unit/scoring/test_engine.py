import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch._dynamo.exc import FailOnRecompileLimitHit

from moderator.errors import ConfigurationError, ScorerUnavailableError
from moderator.events import Prompt, Scores, Turn, Unscored
from moderator.pipeline.ports import Scorer
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.engine import Engine, load_scorer
from moderator.scoring.packing import Layout, Text
from moderator.scoring.rendering.framing import frame
from moderator.settings import ModelSettings
from tests import tiny_armorm

Conversation = list[Turn]


def question(text: str, answer: str = "A fine answer.") -> Conversation:
    return [Turn("user", text), Turn("assistant", answer)]


CONVERSATIONS = [question(f"question {number}", "word " * (number * 7 % 60)) for number in range(60)]


@pytest.fixture(scope="module")
def scorer(armorm: ArmoRM) -> Scorer:
    return Engine(armorm)


Trouble = Callable[[Sequence[Text], torch.Tensor], torch.Tensor]


class TroubledArmoRM(ArmoRM):
    """The same model on a device in trouble."""

    def __init__(self, armorm: ArmoRM, trouble: Trouble) -> None:
        self.__dict__.update(vars(armorm))
        self.trouble = trouble
        self.packs: list[int] = []

    def forward(self, texts: Sequence[Text]) -> torch.Tensor:
        self.packs.append(len(texts))
        return self.trouble(texts, super().forward(texts))


def overall(results: list[Scores | Unscored]) -> list[float]:
    assert all(isinstance(result, Scores) for result in results)
    scores = [result.overall for result in results if isinstance(result, Scores)]
    return [score for score in scores if score is not None]


def test_the_identity_names_the_model(scorer: Scorer, armorm: ArmoRM) -> None:
    identity = scorer.identity

    assert identity.name == "Tiny-ArmoRM"
    assert identity.fingerprint == armorm.fingerprint
    assert identity.dtype == "float32"
    assert identity.objectives == armorm.config.objectives
    assert identity.framing == "reply/1"
    assert identity.max_input_tokens == 4096
    assert not identity.is_practice


def test_scores_are_those_of_the_framed_conversations_in_their_order(scorer: Scorer, armorm: ArmoRM) -> None:
    conversations = [*CONVERSATIONS, [Turn("user", "You fool")], [Turn("tool", "{}"), Turn("developer", "Be brief.")]]

    results = scorer.score(scorer.render(conversations))

    framed = [[{"role": role, "content": text} for role, text in frame(turns)] for turns in conversations]
    expected = armorm.score(framed)
    torch.testing.assert_close(torch.tensor(overall(results)), expected.overall, atol=1e-5, rtol=0)
    for result, rewards, weights in zip(results, expected.rewards, expected.weights, strict=True):
        assert isinstance(result, Scores)
        torch.testing.assert_close(torch.tensor(result.rewards), rewards, atol=1e-5, rtol=0)
        torch.testing.assert_close(torch.tensor(result.weights), weights, atol=1e-5, rtol=0)


def test_nothing_to_score_is_no_scores(scorer: Scorer) -> None:
    assert scorer.render([]) == []
    assert scorer.score([]) == []


def test_truncation_is_told(scorer: Scorer) -> None:
    results = scorer.score(scorer.render([question("short"), question("long", "x" * 50_000)]))

    assert [result.truncated for result in results if isinstance(result, Scores)] == [False, True]


# --- score keys -------------------------------------------------------------------------------------------------------


def test_equal_content_has_one_key_and_other_content_another(scorer: Scorer) -> None:
    first, same, other, moved = scorer.render(
        [question("a", "b"), question("a", "b"), question("a", "c"), question("ab", "")]
    )

    assert first.score_key == same.score_key
    assert len({first.score_key, other.score_key, moved.score_key}) == 3
    assert len(bytes.fromhex(first.score_key)) == 32


def test_a_user_message_has_the_key_of_the_reply_that_it_is_framed_as(scorer: Scorer) -> None:
    shouted, answered = scorer.render([[Turn("user", "Go away")], [Turn("assistant", "Go away")]])

    assert shouted.score_key == answered.score_key


@pytest.mark.parametrize("arguments", [{"dtype": "bfloat16"}, {"max_input_tokens": 512}])
def test_precision_and_limit_are_part_of_the_key(folder: Path, scorer: Scorer, arguments: dict[str, Any]) -> None:
    other = Engine(tiny_armorm.load(folder, **arguments))

    assert other.render([question("a")])[0].score_key != scorer.render([question("a")])[0].score_key


def test_the_model_is_part_of_the_key(folder: Path, scorer: Scorer, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "copied"))
    (copied / "config.json").write_text((copied / "config.json").read_text() + "\n")

    other = Engine(tiny_armorm.load(copied))

    assert other.render([question("a")])[0].score_key != scorer.render([question("a")])[0].score_key


# --- what is scored together ------------------------------------------------------------------------------------------


def test_equal_conversations_are_scored_once(armorm: ArmoRM, scorer: Scorer) -> None:
    counted = TroubledArmoRM(armorm, lambda _, rows: rows)
    prompts = scorer.render([question("a"), question("b"), question("a"), question("a")])

    results = Engine(counted).score(prompts)

    assert counted.packs == [2]
    assert results[0] == results[2] == results[3] != results[1]


conversations = st.lists(st.lists(st.sampled_from(["", "hi", "no", "well well"]), min_size=1, max_size=7), max_size=12)


@settings(max_examples=15, deadline=None)
@given(contents=conversations, budget=st.integers(64, 400), is_padded=st.booleans())
def test_scores_are_those_of_each_conversation_alone_whatever_it_shares(
    armorm: ArmoRM,
    contents: list[list[str]],
    budget: int,
    is_padded: bool,  # noqa: FBT001
) -> None:
    other_layout = TroubledArmoRM(armorm, lambda _, rows: rows)
    other_layout.layout = Layout(is_padded=is_padded)
    engine, apart = Engine(other_layout, budget), Engine(armorm)
    turns = [[Turn(("user", "assistant")[at % 2], text) for at, text in enumerate(texts)] for texts in contents]
    prompts = engine.render([texts[: at + 1] for texts in turns for at in range(len(texts))])

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

    Engine(counted, 4096).score(scorer.render([turns[: at + 1] for at in range(10)]))

    assert counted.packs == [2]  # every other turn is framed with the roles exchanged


def test_deterministic_scores_do_not_depend_on_company_by_a_bit(armorm: ArmoRM, scorer: Scorer) -> None:
    engine = Engine(armorm, 512, is_deterministic=True)
    prompts = scorer.render(CONVERSATIONS)

    together = engine.score(prompts)

    assert together == engine.score(prompts[::-1])[::-1]
    assert together == [engine.score([prompt])[0] for prompt in prompts]
    assert overall(together) == pytest.approx(overall(scorer.score(prompts)), abs=1e-5)


def test_deterministic_passes_have_one_size_however_many_prompts_are_equal(armorm: ArmoRM) -> None:
    sizes: set[tuple[int, int]] = set()

    def note(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        sizes.add((sum(len(text.token_ids) for text in texts), sum(len(text.reads) for text in texts)))
        return rows

    engine = Engine(TroubledArmoRM(armorm, note), 512, is_deterministic=True)
    prompts = engine.render([question("the same")] * 1500 + [question(f"q{number}", "short") for number in range(10)])

    results = engine.score(prompts)

    alone = [engine.score([prompt])[0] for prompt in prompts[1499:]]
    assert results == [alone[0]] * 1499 + alone
    assert sizes == {(512, 1024)}


def test_a_deterministic_pass_of_one_text_is_filled_up_less_where_memory_is_short(
    armorm: ArmoRM, scorer: Scorer
) -> None:
    engine = Engine(TroubledArmoRM(armorm, too_small(300)), 1024, is_deterministic=True)
    prompts = scorer.render([question("a")])

    results = engine.score(prompts)

    assert overall(results) == pytest.approx(overall(scorer.score(prompts)), abs=1e-5)


def test_nothing_fills_up_a_deterministic_pass_of_a_text_beyond_the_budget(armorm: ArmoRM, scorer: Scorer) -> None:
    engine = Engine(TroubledArmoRM(armorm, too_small(200)), 120, is_deterministic=True)
    prompts = scorer.render([question("a", "w" * 105)])

    results = engine.score(prompts)

    assert 120 < len(prompts[0].token_ids) < 200
    assert overall(results) == pytest.approx(overall(scorer.score(prompts)), abs=1e-5)


def test_what_fills_a_deterministic_pass_is_no_longer_than_the_model_has_positions(tmp_path: Path) -> None:
    scaled = {"max_position_embeddings": 128, "rope_scaling": {"type": "dynamic", "factor": 2.0}}
    armorm = tiny_armorm.load(tiny_armorm.write_checkpoint(tmp_path, tiny_armorm.tokenizer(), **scaled))
    prompts = Engine(armorm).render([question("a")])

    results = Engine(armorm, 512, is_deterministic=True).score(prompts)

    assert overall(results) == pytest.approx(overall(Engine(armorm).score(prompts)), abs=1e-5)


def test_deterministic_scores_have_keys_of_their_own(armorm: ArmoRM, scorer: Scorer) -> None:
    deterministic = Engine(armorm, is_deterministic=True)

    assert deterministic.render([question("a")])[0].score_key != scorer.render([question("a")])[0].score_key


def test_compiled_scores_have_keys_of_their_own(folder: Path, scorer: Scorer) -> None:
    compiled = tiny_armorm.load(folder)
    compiled.compile()

    assert Engine(compiled).render([question("a")])[0].score_key != scorer.render([question("a")])[0].score_key


def test_where_texts_are_padded_no_scores_are_deterministic(armorm: ArmoRM) -> None:
    padded = TroubledArmoRM(armorm, lambda _, rows: rows)
    padded.layout = Layout(is_padded=True)

    with pytest.raises(ConfigurationError, match="`deterministic` needs a device and a model that pack texts"):
        Engine(padded, is_deterministic=True)


# --- numbers that are not finite --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def holed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ArmoRM:
    """A model with one bad number: where it embeds `Z`."""
    copied = Path(shutil.copytree(folder, tmp_path_factory.mktemp("holed") / "holed"))
    weights = load_file(copied / "model.safetensors")
    letter = tiny_armorm.tokenizer().convert_tokens_to_ids("Z")
    weights["model.embed_tokens.weight"][letter, 5] = float("nan")
    save_file(weights, copied / "model.safetensors")
    return tiny_armorm.load(copied)


def test_a_score_that_is_not_finite_is_no_score_and_spoils_no_other(holed: ArmoRM, scorer: Scorer) -> None:
    engine = Engine(holed)
    conversations = [question("fine"), question("Zzz"), question("fine too")]

    fine, bad, fine_too = engine.score(engine.render(conversations))

    assert bad == Unscored("the model's scores are not finite")
    assert overall([fine, fine_too]) == pytest.approx(overall(scorer.score(scorer.render(conversations[::2]))))


def test_a_text_that_is_not_finite_in_company_is_scored_once_more_alone(armorm: ArmoRM, scorer: Scorer) -> None:
    def spoil(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        rows = rows.clone()
        if len(texts) > 1:
            rows[1, 3] = float("inf")
        return rows

    troubled = TroubledArmoRM(armorm, spoil)
    prompts = scorer.render(CONVERSATIONS[:4])

    results = Engine(troubled).score(prompts)

    assert overall(results) == pytest.approx(overall(scorer.score(prompts)))
    assert troubled.packs == [4, 1]


def test_a_text_that_is_not_finite_alone_is_not_scored_again(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, lambda _, rows: rows * float("nan"))

    results = Engine(troubled).score(scorer.render([question("a")]))

    assert results == [Unscored("the model's scores are not finite")]
    assert troubled.packs == [1]


def test_equal_texts_that_are_not_finite_are_scored_once_more_between_them(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, lambda _, rows: rows * float("nan"))
    prompts = scorer.render([question("a")] * 50 + [question("b")] * 50)

    results = Engine(troubled).score(prompts)

    assert results == [Unscored("the model's scores are not finite")] * 100
    assert troubled.packs == [2, 1, 1]


def test_of_equal_texts_that_are_scored_once_more_each_says_itself_whether_it_was_truncated(armorm: ArmoRM) -> None:
    troubled = TroubledArmoRM(armorm, lambda texts, rows: rows * float("nan") if len(texts) > 1 else rows)
    engine = Engine(troubled)
    whole, other = engine.render([question("a"), question("b")])

    results = engine.score([whole, whole._replace(truncated=True), other])

    assert [result.truncated for result in results if isinstance(result, Scores)] == [False, True, False]


# --- a device in trouble ----------------------------------------------------------------------------------------------


def too_small(limit_tokens: int) -> Trouble:
    def allocate(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        if sum(len(text.token_ids) for text in texts) > limit_tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return rows

    return allocate


def test_a_pack_that_does_not_fit_is_halved_until_it_does(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, too_small(400))
    prompts = scorer.render([turns for turns in CONVERSATIONS if len(turns[1].content) < 200])

    results = Engine(troubled).score(prompts)

    assert overall(results) == pytest.approx(overall(scorer.score(prompts)), abs=1e-5)


def test_later_packs_are_made_smaller(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, too_small(600))
    engine = Engine(troubled)
    prompts = scorer.render([question(f"q{number}", "short") for number in range(20)])
    engine.score(prompts)
    troubled.packs.clear()

    engine.score(prompts)

    assert sum(troubled.packs) == 20


def test_a_text_that_alone_does_not_fit_is_unscored_and_the_others_are_not(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, too_small(300))
    prompts = scorer.render([question("a"), question("b", "x" * 1000), question("c")])

    first, long, last = Engine(troubled).score(prompts)

    assert long == Unscored(f"the device has too little memory for {len(prompts[1].token_ids)} tokens")
    assert overall([first, last]) == pytest.approx(overall(scorer.score([prompts[0], prompts[2]])))


def test_equal_texts_that_alone_do_not_fit_are_tried_once(armorm: ArmoRM, scorer: Scorer) -> None:
    troubled = TroubledArmoRM(armorm, too_small(300))
    prompts = scorer.render([question("b", "x" * 1000)] * 50)

    results = Engine(troubled).score(prompts)

    assert all(isinstance(result, Unscored) for result in results)
    assert troubled.packs == [1]


def test_the_budget_comes_back_once_memory_does(armorm: ArmoRM, scorer: Scorer) -> None:
    limits = iter([100])

    def allocate(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        return too_small(next(limits, 10**6))(texts, rows)

    troubled = TroubledArmoRM(armorm, allocate)
    engine = Engine(troubled, 512)
    prompts = scorer.render([question(f"q{number}", "short") for number in range(40)])

    for _ in range(4):
        engine.score(prompts)
    lowered = max(troubled.packs[1:])
    for _ in range(4 * 64):
        engine.score(prompts[:1])
    troubled.packs.clear()
    engine.score(prompts)

    assert max(troubled.packs) > lowered
    assert sum(troubled.packs) == 40


def test_any_other_failure_of_the_device_scores_nothing(armorm: ArmoRM, scorer: Scorer) -> None:
    def fail(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")

    engine = Engine(TroubledArmoRM(armorm, fail))

    with pytest.raises(ScorerUnavailableError, match=r"device `cpu` failed: CUDA error: unspecified launch failure$"):
        engine.score(scorer.render(CONVERSATIONS[:2]))


def test_layers_that_would_be_compiled_once_too_often_score_nothing(armorm: ArmoRM, scorer: Scorer) -> None:
    def fail(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        raise FailOnRecompileLimitHit("Hard failure due to fullgraph=True")

    engine = Engine(TroubledArmoRM(armorm, fail))

    with pytest.raises(ScorerUnavailableError, match="Hard failure"):
        engine.score(scorer.render(CONVERSATIONS[:2]))
    with pytest.raises(ConfigurationError, match="`--no-compile`"):
        engine.warm_up()


# --- start-up ---------------------------------------------------------------------------------------------------------


def test_a_model_is_warm_after_many_short_texts_the_longest_and_one_token(armorm: ArmoRM) -> None:
    seen: list[list[int]] = []

    def look(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        seen.append([len(text.token_ids) for text in texts])
        return rows

    Engine(TroubledArmoRM(armorm, look), 128).warm_up()

    assert seen[:3] == [[16] * 8, [4096], [1]]


def test_noise_is_small_and_in_deterministic_mode_none(armorm: ArmoRM) -> None:
    ordinary, deterministic = Engine(armorm, 512), Engine(armorm, 512, is_deterministic=True)

    noise, none = ordinary.measure_noise(), deterministic.measure_noise()

    assert len(noise) == len(armorm.objectives)
    assert 0 < max(noise) < 1e-5
    assert none == (0.0,) * len(armorm.objectives)


def test_a_model_without_finite_scores_does_not_warm_up(armorm: ArmoRM) -> None:
    def spoil(texts: Sequence[Text], rows: torch.Tensor) -> torch.Tensor:
        return rows * float("nan")

    with pytest.raises(
        ConfigurationError, match="model `Tiny-ArmoRM` cannot be used: the model's scores are not finite"
    ):
        Engine(TroubledArmoRM(armorm, spoil)).warm_up()


def test_layers_that_cannot_be_compiled_are_a_matter_of_configuration(folder: Path) -> None:
    def fail(*_: object) -> Callable[..., Any]:
        raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.")

    armorm = tiny_armorm.load(folder)
    armorm.compile()

    with (
        torch.compiler.set_stance(force_backend=fail),
        pytest.raises(
            ConfigurationError,
            match=r"`Tiny-ArmoRM` cannot be compiled for `cpu`: Failed to find C compiler\. Please .*; install .*"
            r"`--no-compile`, or `MODERATOR_MODEL__COMPILE=false`$",
        ),
    ):
        Engine(armorm).warm_up()


def test_a_scorer_is_loaded_as_the_settings_say(folder: Path) -> None:
    wanted = ModelSettings(path=str(folder), device="cpu", dtype="bfloat16", max_input_tokens=256)

    identity = load_scorer(wanted).identity

    assert (identity.dtype, identity.max_input_tokens) == ("bfloat16", 256)


def test_packs_are_made_as_the_settings_say(folder: Path) -> None:
    engine = load_scorer(ModelSettings(path=str(folder), device="cpu", pack_tokens=128, deterministic=True))

    assert engine._budget.tokens == 128
    assert not engine._layout.shares_prefixes


def test_no_model_named_is_a_plain_error() -> None:
    with pytest.raises(ConfigurationError, match="no model is named: set `MODERATOR_MODEL__PATH`"):
        load_scorer(ModelSettings(path=None))


def test_prompts_of_another_make_are_scored_alike(scorer: Scorer) -> None:
    prompt = scorer.render([question("a")])[0]

    as_list = Prompt(list(prompt.token_ids), prompt.gate_row, truncated=False, score_key="")

    assert scorer.score([as_list]) == scorer.score([prompt])
