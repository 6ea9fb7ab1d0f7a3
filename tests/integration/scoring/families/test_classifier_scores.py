"""Sequence classifiers of every family against transformers' own forward pass, one text at a time."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from moderator.events import Scores, Turn
from moderator.scoring.classifier.classifier import Classifier
from moderator.scoring.engine import Engine
from moderator.scoring.opening import open_model
from moderator.scoring.packing import Layout, gather
from moderator.scoring.rendering.renderer import Rendering
from moderator.scoring.runtime.hidden import inputs_of
from tests.builders import prompts_of
from tests.integration.scoring.classifiers import CONVERSATIONS, change_config, copied, load_classifier, rewards
from tests.models import tiny_classifiers


@pytest.mark.parametrize("family", tiny_classifiers.FAMILIES)
def test_texts_scored_together_score_as_transformers_scores_each_alone(
    written: Callable[..., Path], family: str
) -> None:
    folder = written(family)
    engine = load_classifier(folder)

    prompts = prompts_of(engine, CONVERSATIONS)
    results = engine.score(prompts)

    for prompt, result in zip(prompts, results, strict=True):
        assert isinstance(result, Scores)
        assert result.rewards == pytest.approx(
            tiny_classifiers.plain_logits(folder, list(prompt.token_ids)), rel=1e-5, abs=1e-5
        )
    assert len({round(reward, 4) for (reward,) in rewards(engine, CONVERSATIONS)}) > 3


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "gemma"])
def test_the_last_layer_of_a_decoder_computes_its_mlp_for_the_rows_that_are_read(
    written: Callable[..., Path], family: str
) -> None:
    classifier = open_model(written(family)).load("auto", torch.device("cpu"))
    assert isinstance(classifier, Classifier)
    first, last = (classifier._network.get_submodule(f"model.layers.{at}.mlp") for at in (0, 1))
    texts = gather(
        [Rendering(tuple(range(1, length)), 0, "nothing") for length in (5, 9, 30)], Layout(shares_prefixes=False)
    )

    with inputs_of(first) as whole, inputs_of(last) as read:
        classifier.forward(texts)

    assert whole[0].shape[-2] == 4 + 8 + 29
    assert read[0].shape[-2] == 3


@pytest.mark.parametrize("family", ["gemma", "roberta"])
def test_a_classifier_warms_up(written: Callable[..., Path], family: str) -> None:
    load_classifier(written(family)).warm_up()


@pytest.mark.parametrize("family", ["qwen2", *tiny_classifiers.ENCODERS])
def test_the_head_is_in_float32_under_a_backbone_in_bfloat16(written: Callable[..., Path], family: str) -> None:
    folder = written(family)

    half = load_classifier(folder, dtype="bfloat16")

    assert half.identity.dtype == "bfloat16"
    for (low,), (full,) in zip(
        rewards(half, CONVERSATIONS), rewards(load_classifier(folder), CONVERSATIONS), strict=True
    ):
        assert low == pytest.approx(full, rel=0.3, abs=0.5)
        assert low != torch.tensor(low).bfloat16().item()


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma"])
def test_a_decoder_scores_alike_where_texts_must_be_padded(written: Callable[..., Path], family: str) -> None:
    padding = open_model(written(family)).load("auto", torch.device("cpu"))
    assert isinstance(padding, Classifier)
    padding.layout = Layout(is_padded=True)

    together = rewards(Engine(padding), CONVERSATIONS)

    for (one,), (other,) in zip(together, rewards(load_classifier(written(family)), CONVERSATIONS), strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5)


def test_mean_pooling_of_modernbert_ignores_padding(written: Callable[..., Path]) -> None:
    folder = written("modernbert", classifier_pooling="mean")
    engine = load_classifier(folder)

    prompts = prompts_of(engine, CONVERSATIONS)

    for prompt, (reward,) in zip(prompts, rewards(engine, CONVERSATIONS), strict=True):
        assert [reward] == pytest.approx(
            tiny_classifiers.plain_logits(folder, list(prompt.token_ids)), rel=1e-5, abs=1e-5
        )


@pytest.mark.parametrize("family", ["llama", "bert", "modernbert"])
def test_config_fields_about_other_outputs_and_chunks_are_ignored(
    written: Callable[..., Path], tmp_path: Path, family: str
) -> None:
    wishes = {
        "return_dict": False,
        "output_hidden_states": "x",
        "output_attentions": True,
        "torchscript": True,
        "chunk_size_feed_forward": None,
    }

    wished = change_config(copied(written(family), tmp_path), **wishes)

    assert rewards(load_classifier(wished), CONVERSATIONS) == rewards(load_classifier(written(family)), CONVERSATIONS)


def test_a_decoder_is_read_at_the_last_token_that_is_not_padding_as_transformers_reads_it(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = written("gemma")
    newline = prompts_of(load_classifier(folder), CONVERSATIONS[:1])[0].token_ids[-1]

    padded = change_config(copied(folder, tmp_path), pad_token_id=newline)

    engine = load_classifier(padded)
    for prompt, (reward,) in zip(prompts_of(engine, CONVERSATIONS), rewards(engine, CONVERSATIONS), strict=True):
        plain = tiny_classifiers.plain_logits(padded, list(prompt.token_ids))
        assert [reward] == pytest.approx(plain, rel=1e-5, abs=1e-5)
    assert rewards(engine, CONVERSATIONS) != rewards(load_classifier(folder), CONVERSATIONS)


LABELS = ("toxic", "insult", "threat")


@pytest.mark.parametrize(
    ("problem_type", "expected"),
    [
        ("regression", lambda logits: logits),
        ("multi_label_classification", lambda logits: [1 / (1 + math.exp(-each)) for each in logits]),
        ("single_label_classification", lambda logits: torch.tensor(logits).softmax(0).tolist()),
    ],
)
@pytest.mark.parametrize("family", ["qwen2", "bert"])
def test_several_labels_are_what_the_problem_type_says(
    written: Callable[..., Path],
    tmp_path: Path,
    family: str,
    problem_type: str,
    expected: Callable[[list[float]], list[float]],
) -> None:
    folder = change_config(copied(written(family, LABELS), tmp_path), problem_type=problem_type)
    engine = load_classifier(folder)

    prompt = prompts_of(engine, CONVERSATIONS[:1])[0]

    assert engine.identity.objectives == LABELS
    assert rewards(engine, CONVERSATIONS[:1])[0] == pytest.approx(
        expected(tiny_classifiers.plain_logits(folder, list(prompt.token_ids))), rel=1e-5, abs=1e-5
    )


def test_one_label_is_the_overall_score_and_several_have_none(written: Callable[..., Path]) -> None:
    one, several = load_classifier(written("bert")), load_classifier(written("bert", LABELS), scale="softmax")

    (single,) = one.score(prompts_of(one, CONVERSATIONS[:1]))
    (many,) = several.score(prompts_of(several, CONVERSATIONS[:1]))

    assert isinstance(single, Scores)
    assert isinstance(many, Scores)
    assert single.weights == (1.0,)
    assert single.overall == single.rewards[0]
    assert many.weights == (0.0, 0.0, 0.0)
    assert many.overall is None


def test_labels_without_names_are_named_as_transformers_names_them(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = change_config(copied(written("bert", ("no", "yes")), tmp_path), id2label=..., label2id=...)

    assert load_classifier(folder).identity.objectives == ("LABEL_0", "LABEL_1")


def test_without_a_chat_template_the_judged_message_is_read_alone(written: Callable[..., Path]) -> None:
    engine = load_classifier(written("bert"))

    alone, last = prompts_of(engine, [[Turn("user", " hello ")], [Turn("user", "x"), Turn("assistant", "hello")]])

    assert engine.identity.framing == "message/2"
    assert alone == last


def test_with_a_chat_template_the_whole_conversation_is_read(written: Callable[..., Path]) -> None:
    engine = load_classifier(written("qwen2"))

    alone, last = prompts_of(engine, [[Turn("user", "hello")], [Turn("user", "x"), Turn("assistant", "hello")]])

    assert engine.identity.framing == "reply/2"
    assert alone.token_ids != last.token_ids
