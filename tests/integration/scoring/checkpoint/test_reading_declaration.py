"""What a checkpoint declares of how events are read to it, and what settings say instead."""

from pathlib import Path
from typing import Any

import pytest

from moderator.errors import ConfigurationError
from moderator.events import Turn
from moderator.scoring.checkpoint.configs.reading_declaration import declaration, declared_limits
from moderator.scoring.engine import Engine, load_scorer
from moderator.scoring.opening import open_model
from moderator.scoring.rendering.event_reader import ReadingLimits
from moderator.settings import ModelSettings, ReadingSettings
from moderator.training.recipe import READING
from tests.builders import prompts_of
from tests.integration.scoring.checkpoint.damage import change_config
from tests.models import tiny_armorm

DECLARED = {"passage_tokens": 48, "max_passages": 64, "context_turns": {"message": 0, "reply": 1}}
TURNS = [Turn("user", "Hi."), Turn("assistant", "Hello."), Turn("user", "word " * 40)]


@pytest.fixture(scope="module")
def declaring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_armorm.write_checkpoint(tmp_path_factory.mktemp("tiny") / "Declaring", moderator_reading=DECLARED)


def test_the_practice_model_is_read_as_its_recipe_says() -> None:
    assert open_model("builtin").reading == READING


def test_nothing_declared_is_the_default() -> None:
    assert declared_limits({}, 4_096, "config.json") == ReadingLimits()


@pytest.mark.parametrize(
    ("declared", "limits"),
    [
        (DECLARED, ReadingLimits(48, 64, message_turns=0, reply_turns=1)),
        ({}, ReadingLimits()),
        ({"context_turns": {"reply": 3}}, ReadingLimits(reply_turns=3)),
        ({"max_passages": 1}, ReadingLimits(max_passages=1)),
    ],
)
def test_every_key_is_optional(declared: dict[str, Any], limits: ReadingLimits) -> None:
    assert declared_limits({"moderator_reading": declared}, 4_096, "config.json") == limits
    assert declaration(limits) == ({"moderator_reading": declared} if declared else {})


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ([], "`moderator_reading` must be an object of passage_tokens, max_passages, context_turns"),
        ({"window": 1}, "`moderator_reading` has no `window`; it may have passage_tokens, max_passages, context_turns"),
        ({"context_turns": {"user": 1}}, "`context_turns` has no `user`; it may have message, reply"),
        ({"context_turns": 1}, "`context_turns` must be an object of message, reply"),
        ({"context_turns": {"reply": -1}}, "`reply` must be a whole number from 0"),
        ({"passage_tokens": 15}, "`passage_tokens` must be a whole number from 16"),
        ({"max_passages": 0}, "`max_passages` must be a whole number from 1"),
        (
            {"passage_tokens": 4_096, "max_passages": 9},
            "is 36864; at most 8 times the input, 32768 tokens, is possible",
        ),
    ],
)
def test_a_wrong_declaration_is_refused_by_name(declared: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        declared_limits({"moderator_reading": declared}, 8_192, "tiny/config.json")

    assert str(caught.value).startswith("tiny/config.json: ")
    assert problem in str(caught.value)


def test_a_model_is_read_to_as_it_declares_and_its_fingerprint_says_so(declaring: Path, folder: Path) -> None:
    declared, other = (load_scorer(ModelSettings(path=str(path), device="cpu")) for path in (declaring, folder))

    [reading], [whole] = declared.read([TURNS]), other.read([TURNS])

    assert len(reading.passages) == 5
    assert len(whole.passages) == 1
    assert (declared.identity.framing, declared.identity.passage_tokens) == ("reply/2", 48)
    assert declared.identity.fingerprint != other.identity.fingerprint


def test_settings_win_over_the_checkpoint_and_are_recorded_with_the_framing(declaring: Path) -> None:
    settings = ModelSettings(
        path=str(declaring),
        device="cpu",
        passage_tokens=100,
        max_passages=2,
        message_context_turns=2,
        reply_context_turns=3,
        max_input_tokens=1_000,
    )
    scorer = load_scorer(settings, ReadingSettings(reasoning="judge", tool_calls="judge"))

    [reading] = scorer.read([TURNS])

    assert len(reading.passages) == 2
    assert scorer.identity.framing == (
        "reply/2+reasoning+tools+passage_tokens=100+max_passages=2+message_turns=2+reply_turns=3+max_input=1000"
    )


def test_how_events_are_read_is_no_part_of_the_score_key(declaring: Path) -> None:
    plain = load_scorer(ModelSettings(path=str(declaring), device="cpu"))
    set_otherwise = load_scorer(ModelSettings(path=str(declaring), device="cpu", reply_context_turns=0))
    alone = [[Turn("assistant", "Hello.")]]

    assert prompts_of(plain, alone)[0].score_key == prompts_of(set_otherwise, alone)[0].score_key


def test_passages_larger_than_the_input_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="`passage_tokens` is 5000, but the input holds 4096 tokens; lower it"):
        load_scorer(ModelSettings(path=str(folder), device="cpu", passage_tokens=5_000))


def test_what_is_declared_is_known_before_the_weights_are_read(copied: Path) -> None:
    change_config(copied, moderator_reading={"max_passages": 3})

    assert open_model(copied).reading == ReadingLimits(max_passages=3)


def test_without_limits_an_engine_reads_every_event_at_once(declaring: Path) -> None:
    engine = Engine(tiny_armorm.load(declaring))

    assert [len(reading.passages) for reading in engine.read([TURNS])] == [1]
