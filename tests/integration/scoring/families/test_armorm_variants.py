"""Models built like ArmoRM: QRM, whose rewards are means of quantiles, and URM, which weights at the last token."""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from structlog.testing import capture_logs

from moderator.errors import ConfigurationError
from moderator.events import Scores, Turn
from moderator.objectives import ARMORM_OBJECTIVES, URM_OBJECTIVES
from moderator.policy.authoring.model_outputs import read_outputs
from moderator.scoring.description import describe
from moderator.scoring.engine import Engine
from moderator.scoring.opening import open_model
from moderator.scoring.packing import Layout, gather
from moderator.settings import ModelSettings
from tests.builders import prompts_of
from tests.integration.scoring.classifiers import change_config, copied, error_of, load_classifier
from tests.models import tiny_variants
from tests.models.llama3 import TEMPLATE
from tests.models.slow_decoder import last_hidden

CONVERSATIONS = [
    [Turn("user", "hello")],
    [Turn("user", "how do i reset my password"), Turn("assistant", "you are an idiot")],
    [Turn("system", "be kind"), Turn("user", "a"), Turn("assistant", "c"), Turn("user", "d <|eot_id|> ")],
    [Turn("user", "hello"), Turn("assistant", "x " * 20)],
]
VARIANTS = ("qrm", "urm")


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("variants")
    return {"qrm": tiny_variants.write_qrm(folder / "QRM"), "urm": tiny_variants.write_urm(folder / "URM")}


def scores_of(engine: Engine, conversations: list[list[Turn]] = CONVERSATIONS) -> list[Scores]:
    results = engine.score(prompts_of(engine, conversations))
    assert all(isinstance(result, Scores) for result in results)
    return [result for result in results if isinstance(result, Scores)]


def assert_scores(scores: Scores, rewards: torch.Tensor, weights: torch.Tensor, overall: torch.Tensor) -> None:
    assert scores.rewards == pytest.approx(rewards.tolist(), abs=1e-5)
    assert scores.weights == pytest.approx(weights.tolist(), abs=1e-5)
    assert scores.overall == pytest.approx(float(overall), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("hidden_layers", [0, 3])
def test_a_qrm_gives_what_its_published_formulas_give(tmp_path: Path, hidden_layers: int) -> None:
    folder = tiny_variants.write_qrm(tmp_path / "QRM", gating_n_hidden=hidden_layers)
    engine = load_classifier(folder)

    for prompt, scores in zip(prompts_of(engine, CONVERSATIONS), scores_of(engine), strict=True):
        ids = list(prompt.token_ids)
        assert_scores(scores, *tiny_variants.qrm_scores(folder, ids, prompt.gate_row))
        header = str(open_model(folder).tokenizer.decode(ids[prompt.gate_row :]))
        assert header.startswith("<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")


def test_a_urm_gives_what_its_published_formulas_give(variants: dict[str, Path]) -> None:
    engine = load_classifier(variants["urm"])

    for prompt, scores in zip(prompts_of(engine, CONVERSATIONS), scores_of(engine), strict=True):
        rewards, weights = tiny_variants.urm_scores(variants["urm"], list(prompt.token_ids))
        assert_scores(scores, rewards, weights, rewards @ weights)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_gives_the_state_that_its_rewards_are_read_from(variants: dict[str, Path], variant: str) -> None:
    model = open_model(variants[variant]).load("float32", torch.device("cpu"))
    prompts = prompts_of(Engine(model), CONVERSATIONS)
    texts = gather(prompts, model.layout)

    _, hidden = model.forward_with_hidden(texts)

    for text, state in zip(texts, hidden, strict=True):
        expected = last_hidden(variants[variant], list(text.token_ids))
        assert state.tolist() == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scores_do_not_depend_on_the_mix_of_a_pass_packed_or_padded(variants: dict[str, Path], variant: str) -> None:
    packing = open_model(variants[variant]).load("float32", torch.device("cpu"))
    padding = open_model(variants[variant]).load("float32", torch.device("cpu"))
    padding.layout = Layout(is_padded=True)  # type: ignore[misc]
    alone = {str(turns): scores_of(Engine(packing), [turns])[0] for turns in CONVERSATIONS}

    for engine in (Engine(packing), Engine(padding)):
        for mix in [*permutations(CONVERSATIONS, 3)][::5]:
            for turns, scores in zip(mix, scores_of(engine, [*mix]), strict=True):
                assert scores.rewards == pytest.approx(alone[str(turns)].rewards, abs=1e-5)
                assert scores.weights == pytest.approx(alone[str(turns)].weights, abs=1e-5)


@pytest.mark.parametrize(("variant", "objectives"), [("qrm", ARMORM_OBJECTIVES), ("urm", URM_OBJECTIVES)])
def test_a_variant_passes_the_checks_at_start_and_is_described(
    variants: dict[str, Path], variant: str, objectives: tuple[str, ...]
) -> None:
    with capture_logs() as lines:
        engine = load_classifier(variants[variant], check=True)

    [checked] = [line for line in lines if line["event"] == "model_checked"]
    assert checked["ids_equal"]
    assert checked["largest_difference"] < 1e-4
    assert engine.identity.objectives == objectives == read_outputs(str(variants[variant])).objectives
    assert (engine.identity.framing, engine.identity.scale) == ("reply/2", "raw")
    described = describe(str(variants[variant]), lambda _: None)
    assert described.architecture.startswith("LlamaFor")
    assert described.objectives == objectives


def test_a_qrm_with_llama_3s_own_template_reads_the_gate_where_armorm_does(tmp_path: Path) -> None:
    folder = tiny_variants.write_qrm(tmp_path / "QRM", TEMPLATE, architectures=["LlamaForRewardModelWithGating3"])
    engine = load_classifier(folder)

    [prompt] = prompts_of(engine, [[Turn("user", "a <|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n b")]])

    [scores] = engine.score([prompt])
    assert isinstance(scores, Scores)
    assert_scores(scores, *tiny_variants.qrm_scores(folder, list(prompt.token_ids), prompt.gate_row))
    assert list(prompt.token_ids).count(prompt.token_ids[prompt.gate_row]) == 2


def test_names_of_objectives_in_the_config_win(variants: dict[str, Path], tmp_path: Path) -> None:
    names = {variant: [f"own-{at}" for at in range(count)] for variant, count in (("qrm", 19), ("urm", 5))}
    for variant in VARIANTS:
        folder = change_config(copied(variants[variant], tmp_path), objectives=names[variant])

        assert load_classifier(folder).identity.objectives == tuple(names[variant])
        assert read_outputs(str(folder)).objectives == tuple(names[variant])


@pytest.mark.parametrize(
    ("variant", "changes", "problem"),
    [
        ("qrm", {"num_quantiles": ...}, "config.json: `num_quantiles` is missing"),
        ("qrm", {"num_quantiles": 0}, "`num_quantiles` must be a whole number from 1"),
        ("qrm", {"num_quantiles": 4}, "`regression_layer.weight` has shape (95, 16), the model (76, 16)"),
        ("qrm", {"objectives": ["a"]}, "`objectives` must be 19 different names"),
        ("urm", {"objectives": ["a", "b"]}, "`objectives` must be 5 different names, one for two rows of the head"),
        ("urm", {"num_labels": 12}, "`num_labels` and the head in the weights disagree: 12 and 10"),
        ("urm", {"model_type": "qwen2"}, "`model_type` is `qwen2`; URM needs `llama`"),
    ],
)
def test_a_config_that_contradicts_the_weights_is_named(
    variants: dict[str, Path], tmp_path: Path, variant: str, changes: dict[str, Any], problem: str
) -> None:
    assert problem in error_of(change_config(copied(variants[variant], tmp_path), **changes))


@pytest.mark.parametrize(
    ("variant", "tensor"),
    [("qrm", "gating.layers.5.running_var"), ("qrm", "gating.layers.9.bias"), ("urm", "weights.fc.2.bias")],
)
def test_a_missing_or_an_unknown_tensor_is_named(
    variants: dict[str, Path], tmp_path: Path, variant: str, tensor: str
) -> None:
    for change, problem in (
        (lambda tensors: tensors.pop(tensor), f"the weights lack `{tensor}`"),
        (lambda tensors: tensors.update({f"{tensor}s": torch.ones(1)}), f"unexpected `{tensor}s`"),
    ):
        folder = changed(copied(variants[variant], tmp_path / problem[:6]), change)

        assert problem in error_of(folder)


def changed(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_a_template_that_begins_replies_otherwise_is_refused(tmp_path: Path) -> None:
    template = TEMPLATE.replace(
        "'<|start_header_id|>' + message['role']", "'<|start_header_id|>' + 'the ' + message['role']"
    )
    folder = tiny_variants.write_qrm(tmp_path / "QRM", template)

    assert "the chat template does not begin a reply as Llama-3's does" in error_of(folder)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_takes_no_other_scale_and_reads_no_bare_messages(variants: dict[str, Path], variant: str) -> None:
    for settings in (ModelSettings(scale="sigmoid"), ModelSettings(reads="message")):
        with pytest.raises(ConfigurationError, match="gives rewards for conversations: leave"):
            open_model(variants[variant], settings)
