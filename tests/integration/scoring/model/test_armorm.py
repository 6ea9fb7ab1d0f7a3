from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from moderator.errors import ConfigurationError
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.scoring.armorm.armorm import ArmoRM
from moderator.scoring.armorm.network import ArmoRMNetwork
from moderator.scoring.checkpoint.configs.armorm import ArmoRMConfig
from tests.models import tiny_armorm
from tests.models.published_armorm import CHATS, assert_scores_equal, chat, reference, templated
from tests.models.tiny_tokenizers import armorm_tokenizer


def test_scores_follow_the_published_formulas(folder: Path, armorm: ArmoRM) -> None:
    output = armorm.score(CHATS)

    tokenizer = armorm_tokenizer()
    pattern = list(armorm.renderer.gate_pattern)
    weights = load_file(folder / "model.safetensors")
    expected = [reference(weights, templated(tokenizer, turns), pattern) for turns in CHATS[:8]]
    assert_scores_equal(output, expected)
    assert output.overall.std() > 0.05  # far beyond the tolerance, so equality says something


def test_packed_scores_equal_those_of_each_conversation_alone(armorm: ArmoRM) -> None:
    together = armorm.score(CHATS)

    alone = [armorm.score([turns]) for turns in CHATS]
    assert_scores_equal(together, [[part[0] for part in output] for output in alone])


def test_the_differentiable_pass_gives_the_packed_scores(armorm: ArmoRM) -> None:
    texts = armorm.renderer.render_as_given(
        [[(turn["role"], turn["content"]) for turn in turns] for turns in CHATS[:5]]
    )
    longest = max(len(text.token_ids) for text in texts)
    padded = torch.tensor([[*text.token_ids, *[0] * (longest - len(text.token_ids))] for text in texts])
    gate_rows = torch.tensor([at * longest + text.gate_row for at, text in enumerate(texts)])
    last_rows = torch.tensor([at * longest + len(text.token_ids) - 1 for at, text in enumerate(texts)])

    output = armorm.network(padded, gate_rows, last_rows)

    assert_scores_equal(armorm.score(CHATS[:5]), [[part[at] for part in output] for at in range(5)])


def test_the_trimmed_last_layer_gives_what_the_whole_one_would(armorm: ArmoRM) -> None:
    ids = torch.randint(0, 261, (3, 40))
    rows = torch.tensor([12, 39, 40, 79, 100, 119])

    with torch.inference_mode():
        trimmed = armorm.network(ids, rows, rows).rewards
        whole = armorm.network.model(ids, use_cache=False).last_hidden_state.flatten(0, 1)[rows]

    torch.testing.assert_close(trimmed, armorm.network.regression_layer(whole), atol=1e-6, rtol=0)


def test_every_parameter_learns() -> None:
    model = tiny_armorm.random_model(ArmoRMConfig.from_fields(tiny_armorm.fields()))

    model(
        torch.randint(0, 261, (4, 12)), torch.tensor([3, 16, 29, 42]), torch.tensor([9, 22, 35, 44])
    ).overall.sum().backward()

    unmoved = [
        name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert unmoved == []


@pytest.mark.parametrize("hidden_layers", [0, 1, 3])
def test_parameters_are_named_as_published(hidden_layers: int) -> None:
    config = ArmoRMConfig.from_fields(tiny_armorm.fields(gating_n_hidden=hidden_layers))

    shapes = {name: tuple(tensor.shape) for name, tensor in ArmoRMNetwork(config).state_dict().items()}

    heads = {name: shape for name, shape in shapes.items() if not name.startswith("model.")}
    gate = {f"gating.layers.{layer}.{part}" for layer in range(hidden_layers + 1) for part in ("weight", "bias")}
    assert heads.keys() == {"regression_layer.weight", "reward_transform_matrix", "gating.logit_scale"} | gate
    assert heads["regression_layer.weight"] == (19, 32)
    assert heads["reward_transform_matrix"] == (19, 19)
    assert heads["gating.logit_scale"] == (1,)
    assert heads[f"gating.layers.{hidden_layers}.weight"] == (19, 16 if hidden_layers else 32)


def test_output_is_float32_in_the_order_given(armorm: ArmoRM) -> None:
    forwards, backwards = armorm.score(CHATS), armorm.score(CHATS[::-1])

    assert [part.shape for part in forwards] == [(35, 19), (35, 19), (35, 19), (35,)]
    assert {part.dtype for part in forwards} == {torch.float32}
    torch.testing.assert_close(forwards.overall, backwards.overall.flip(0), atol=1e-5, rtol=0)


def test_no_conversations_are_no_scores(armorm: ArmoRM) -> None:
    assert [tuple(part.shape) for part in armorm.score([])] == [(0, 19), (0, 19), (0, 19), (0,)]


def test_weights_and_gating_add_up(armorm: ArmoRM) -> None:
    output = armorm.score(CHATS)

    torch.testing.assert_close(output.gating.sum(1), torch.full((35,), 1.3), atol=1e-5, rtol=0)
    torch.testing.assert_close((output.rewards * output.weights).sum(1), output.overall)


def test_what_is_given_is_rendered_without_framing(armorm: ArmoRM) -> None:
    with pytest.raises(ValueError, match="conversation 1: no assistant turn"):
        armorm.score([CHATS[0], [{"role": "user", "content": "hi"}]])


def test_a_conversation_longer_than_the_model_reads_is_scored(armorm: ArmoRM) -> None:
    output = armorm.score([chat("hi", "x" * 20_000), chat(*["word " * 300] * 40)])

    assert output.overall.isfinite().all()


def test_the_backbone_may_be_bfloat16_and_the_heads_stay_float32(folder: Path, armorm: ArmoRM) -> None:
    rounded = tiny_armorm.load(folder, dtype="bfloat16")

    heads = {p.dtype for name, p in rounded.network.named_parameters() if not name.startswith("model.")}
    assert rounded.dtype == torch.bfloat16
    assert heads == {torch.float32}
    assert rounded.score(CHATS).rewards.dtype == torch.float32
    assert 1e-5 < (rounded.score(CHATS).overall - armorm.score(CHATS).overall).abs().max() < 1.0


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16])
def test_a_checkpoint_in_half_precision_is_scored_in_what_this_cpu_is_fast_at(
    stored: torch.dtype, tmp_path: Path
) -> None:
    folder = tiny_armorm.write_checkpoint(tmp_path)
    weights = load_file(folder / "model.safetensors")
    save_file({name: tensor.to(stored) for name, tensor in weights.items()}, folder / "model.safetensors")

    is_fast = stored is torch.bfloat16 and torch.cpu._is_amx_tile_supported()
    assert tiny_armorm.load(folder).dtype == (torch.bfloat16 if is_fast else torch.float32)
    assert tiny_armorm.load(folder, dtype="float32").dtype == torch.float32
    assert tiny_armorm.load(folder, dtype=torch.bfloat16).dtype == torch.bfloat16


def test_trained_weights_load_exactly(folder: Path, armorm: ArmoRM) -> None:
    saved = load_file(folder / "model.safetensors")

    loaded = armorm.network.state_dict()

    assert loaded.keys() == saved.keys()
    assert all(torch.equal(loaded[name], saved[name]) for name in saved)


def test_the_published_config_has_the_nineteen_objectives(armorm: ArmoRM) -> None:
    assert armorm.config.objectives == ARMORM_OBJECTIVES
    assert armorm.config.gating_temperature == 10.0


@pytest.mark.parametrize(
    "arguments",
    [
        {"device": "gpu"},
        {"device": "cuda:99"},
        {"device": "meta"},
        {"device": "cpu", "dtype": "int8"},
        {"device": "cpu", "dtype": "half precision"},
    ],
)
def test_a_wrong_device_or_dtype_is_a_plain_error(folder: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="`"):
        ArmoRM.from_pretrained(folder, **arguments)


def test_more_input_tokens_than_positions_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="`max_input_tokens` is 9000, but the model has only 8192 positions"):
        tiny_armorm.load(folder, max_input_tokens=9000)


def test_the_limit_is_the_lesser_of_4096_and_the_models_positions(tmp_path: Path, armorm: ArmoRM) -> None:
    short = tiny_armorm.write_checkpoint(tmp_path, max_position_embeddings=512)

    assert armorm.renderer.max_tokens == 4096
    assert tiny_armorm.load(short).renderer.max_tokens == 512
