"""Sequence classifiers of every family against transformers' own forward pass, one text at a time."""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from moderator.errors import ConfigurationError
from moderator.events import Scores, Turn
from moderator.scoring.classifier.classifier import Classifier
from moderator.scoring.engine import Engine, load_scorer
from moderator.scoring.opening import open_model
from moderator.scoring.packing import Layout
from moderator.settings import ModelSettings
from tests import tiny_classifiers

LINEAR = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "short_factor": [1.0, 1.0],
    "long_factor": [2.0, 2.0],
    "original_max_position_embeddings": 64,
}
FAMILIES = ("llama", "qwen2", "qwen3", "mistral", "gemma", "bert", "roberta", "modernbert")
CONVERSATIONS = [
    [Turn("user", text)]
    for text in ("hello", "how do i reset my password", "the fox " * 8, "you are an idiot", "x", "hello you")
] + [[Turn("user", "hello"), Turn("assistant", "how are you"), Turn("user", "the lazy dog")]]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Checkpoints to read, each written once; tests that change one copy it first."""
    known: dict[str, Path] = {}

    def write(family: str, labels: tuple[str, ...] = ("reward",), **changes: Any) -> Path:
        key = json.dumps([family, labels, changes])
        if key not in known:
            folder = tmp_path_factory.mktemp("classifiers") / f"tiny-{family}"
            known[key] = tiny_classifiers.write_classifier(folder, family, labels, **changes)
        return known[key]

    return write


def load(folder: Path, **settings: Any) -> Engine:
    return load_scorer(ModelSettings(path=str(folder), device="cpu", **settings))


def rewards(engine: Engine, conversations: Sequence[Sequence[Turn]]) -> list[tuple[float, ...]]:
    results = engine.score(engine.render(conversations))
    assert all(isinstance(result, Scores) for result in results)
    return [result.rewards for result in results if isinstance(result, Scores)]


def error_of(folder: Path, **settings: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        load(folder, **settings)
    text = str(raised.value)
    assert "\n" not in text
    return text


def change_config(folder: Path, **changes: Any) -> Path:
    fields = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({name: each for name, each in fields.items() if each is not ...}))
    return folder


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / folder.name))


# --- scores -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_scored_together_score_as_transformers_scores_each_alone(
    written: Callable[..., Path], family: str
) -> None:
    folder = written(family)
    engine = load(folder)

    prompts = engine.render(CONVERSATIONS)
    results = engine.score(prompts)

    for prompt, result in zip(prompts, results, strict=True):
        assert isinstance(result, Scores)
        assert result.rewards == pytest.approx(
            tiny_classifiers.plain_logits(folder, list(prompt.token_ids)), rel=1e-5, abs=1e-5
        )
    assert len({round(reward, 4) for (reward,) in rewards(engine, CONVERSATIONS)}) > 3


@pytest.mark.parametrize("family", ["gemma", "roberta"])
def test_a_classifier_warms_up(written: Callable[..., Path], family: str) -> None:
    load(written(family)).warm_up()


@pytest.mark.parametrize("family", ["qwen2", "bert", "roberta", "modernbert"])
def test_the_head_is_in_float32_under_a_backbone_in_bfloat16(written: Callable[..., Path], family: str) -> None:
    folder = written(family)

    half = load(folder, dtype="bfloat16")

    assert half.identity.dtype == "bfloat16"
    for (low,), (full,) in zip(rewards(half, CONVERSATIONS), rewards(load(folder), CONVERSATIONS), strict=True):
        assert low == pytest.approx(full, rel=0.3, abs=0.5)
        assert low != torch.tensor(low).bfloat16().item()


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma"])
def test_a_decoder_scores_alike_where_texts_must_be_padded(written: Callable[..., Path], family: str) -> None:
    padding = open_model(written(family)).load("auto", torch.device("cpu"))
    assert isinstance(padding, Classifier)
    padding.layout = Layout(is_padded=True)

    together = rewards(Engine(padding), CONVERSATIONS)

    for (one,), (other,) in zip(together, rewards(load(written(family)), CONVERSATIONS), strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5)


def test_mean_pooling_of_modernbert_ignores_padding(written: Callable[..., Path]) -> None:
    folder = written("modernbert", classifier_pooling="mean")
    engine = load(folder)

    prompts = engine.render(CONVERSATIONS)

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

    assert rewards(load(wished), CONVERSATIONS) == rewards(load(written(family)), CONVERSATIONS)


def test_a_decoder_is_read_at_its_last_token_even_where_that_is_the_padding_token(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = written("gemma")
    newline = load(folder).render(CONVERSATIONS[:1])[0].token_ids[-1]

    padded = change_config(copied(folder, tmp_path), pad_token_id=newline)

    assert rewards(load(padded), CONVERSATIONS) == rewards(load(folder), CONVERSATIONS)


# --- what the scores mean ---------------------------------------------------------------------------------------------


LABELS = ("toxic", "insult", "threat")


@pytest.mark.parametrize(
    ("problem_type", "expected"),
    [
        ("regression", lambda logits: logits),
        ("multi_label_classification", lambda logits: [1 / (1 + math.exp(-each)) for each in logits]),
        ("single_label_classification", lambda logits: torch.tensor(logits).softmax(0).tolist()),
        (None, lambda logits: torch.tensor(logits).softmax(0).tolist()),
    ],
)
@pytest.mark.parametrize("family", ["qwen2", "bert"])
def test_several_labels_are_what_the_problem_type_says(
    written: Callable[..., Path],
    tmp_path: Path,
    family: str,
    problem_type: str | None,
    expected: Callable[[list[float]], list[float]],
) -> None:
    folder = change_config(copied(written(family, LABELS), tmp_path), problem_type=problem_type)
    engine = load(folder)

    prompt = engine.render(CONVERSATIONS[:1])[0]

    assert engine.identity.objectives == LABELS
    assert rewards(engine, CONVERSATIONS[:1])[0] == pytest.approx(
        expected(tiny_classifiers.plain_logits(folder, list(prompt.token_ids))), rel=1e-5, abs=1e-5
    )


def test_one_label_is_the_overall_score_and_several_have_none(written: Callable[..., Path]) -> None:
    one, several = load(written("bert")), load(written("bert", LABELS))

    (single,) = one.score(one.render(CONVERSATIONS[:1]))
    (many,) = several.score(several.render(CONVERSATIONS[:1]))

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

    assert load(folder).identity.objectives == ("LABEL_0", "LABEL_1")


# --- what they read ---------------------------------------------------------------------------------------------------


def test_without_a_chat_template_the_judged_message_is_read_alone(written: Callable[..., Path]) -> None:
    engine = load(written("bert"))

    alone, last = engine.render([[Turn("user", " hello ")], [Turn("user", "x"), Turn("assistant", "hello")]])

    assert engine.identity.framing == "message/1"
    assert alone == last


def test_with_a_chat_template_the_whole_conversation_is_read(written: Callable[..., Path]) -> None:
    engine = load(written("qwen2"))

    alone, last = engine.render([[Turn("user", "hello")], [Turn("user", "x"), Turn("assistant", "hello")]])

    assert engine.identity.framing == "reply/1"
    assert alone.token_ids != last.token_ids


# --- files ------------------------------------------------------------------------------------------------------------


def test_buffers_that_old_releases_saved_are_ignored(written: Callable[..., Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    folder = copied(written("bert"), tmp_path)
    weights = load_file(folder / "model.safetensors") | {"bert.embeddings.position_ids": torch.arange(128)[None]}
    save_file(weights, folder / "model.safetensors")

    assert rewards(load(folder), CONVERSATIONS) == rewards(load(written("bert")), CONVERSATIONS)


def test_a_pooler_that_roberta_does_not_use_is_ignored(written: Callable[..., Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    folder = copied(written("roberta"), tmp_path)
    pooler = {"roberta.pooler.dense.weight": torch.ones(16, 16), "roberta.pooler.dense.bias": torch.ones(16)}
    save_file(load_file(folder / "model.safetensors") | pooler, folder / "model.safetensors")

    assert rewards(load(folder), CONVERSATIONS) == rewards(load(written("roberta")), CONVERSATIONS)


def test_padding_that_was_saved_with_a_tokenizer_is_ignored(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = copied(written("bert"), tmp_path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(length=64)
    tokenizer.enable_truncation(4)
    tokenizer.save(str(folder / "tokenizer.json"))

    prompts = load(folder).render(CONVERSATIONS)

    assert [each.token_ids for each in prompts] == [
        each.token_ids for each in load(written("bert")).render(CONVERSATIONS)
    ]


def test_code_in_the_folder_is_not_run(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = copied(written("llama"), tmp_path)
    (folder / "modeling_custom.py").write_text("raise SystemExit('ran')")
    change_config(folder, auto_map={"AutoModelForSequenceClassification": "modeling_custom.Own"})

    assert load(folder).identity.name == "tiny-llama"


@pytest.mark.parametrize("family", ["llama", "roberta"])
def test_a_missing_key_is_named(written: Callable[..., Path], tmp_path: Path, family: str) -> None:
    folder = change_config(copied(written(family), tmp_path), num_hidden_layers=3)

    assert "the weights lack `" in error_of(folder)
    assert "layers.2" in error_of(folder) or "layer.2" in error_of(folder)


def test_an_unexpected_key_is_named(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = change_config(copied(written("llama"), tmp_path), num_hidden_layers=1)

    assert "unexpected `model.layers.1." in error_of(folder)


def test_a_key_of_the_wrong_shape_is_named_with_both_shapes(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = change_config(copied(written("bert", LABELS), tmp_path), id2label={"0": "a"}, label2id={"a": 0})

    assert "`classifier.bias` has shape (3,), the model (1,)" in error_of(folder)


@pytest.mark.parametrize(
    ("family", "changes", "problem"),
    [
        ("llama", {"model_type": "gemma2"}, "`model_type` is `gemma2`; a classifier may be of llama, qwen2, qwen3,"),
        ("llama", {"model_type": ...}, "`model_type` is `None`"),
        ("llama", {"architectures": ["LlamaForCausalLM"]}, "`architectures` is `LlamaForCausalLM`: neither ArmoRM"),
        ("llama", {"quantization_config": {"bits": 4}}, "`quantization_config`: quantized checkpoints cannot"),
        ("llama", {"attn_logit_softcapping": 50.0}, "`attn_logit_softcapping` is `50.0`, which is not supported"),
        ("gemma", {"use_bidirectional_attention": True}, "`use_bidirectional_attention` is `True`"),
        ("llama", {"sliding_window": "x"}, "`sliding_window` must be a whole number from 1"),
        ("mistral", {"sliding_window": 64}, "`sliding_window` is 64: only full attention is supported; set"),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 32, "max_window_layers": 1, "layer_types": ...}, "32"),
        ("bert", {"hidden_size": ...}, "`hidden_size` is missing"),
        ("bert", {"hidden_size": "16"}, "`hidden_size` must be a whole number"),
        ("bert", {"num_attention_heads": 5}, "no such network can be built"),
        ("bert", {"hidden_act": "nope"}, "`hidden_act` is `nope`, which is not an activation"),
        ("modernbert", {"hidden_activation": "nope"}, "`hidden_activation` is `nope`, which is not an activation"),
        ("bert", {"pad_token_id": -5}, "`pad_token_id` is `-5`, which is not a token"),
        ("roberta", {"pad_token_id": None}, "`pad_token_id` is `None`, which is not a token"),
        ("bert", {"is_decoder": True}, "`is_decoder` is `True`, which is not supported"),
        ("bert", {"layer_norm_eps": "x"}, "config.json: Field 'layer_norm_eps' expected float"),
        ("bert", {"problem_type": []}, "`problem_type` is `[]`; it may be regression, multi_label_classification"),
        ("bert", {"problem_type": "ranking"}, "`problem_type` is `ranking`; it may be regression, multi_label_classi"),
        (
            "bert",
            {"problem_type": "single_label_classification"},
            "one label, whose probability would always be 1; say",
        ),
        ("bert", {"id2label": {"0": "a", "1": "a"}}, "`id2label` must give 2 different names, numbered from 0"),
        ("bert", {"id2label": {"1": "a"}}, "`id2label` must give 1 different names, numbered from 0"),
        ("bert", {"id2label": []}, "`id2label` must map numbers to names"),
        ("bert", {"vocab_size": 50}, "is beyond the model's `vocab_size` 50"),
        ("llama", {"rope_parameters": {"rope_type": "nope", "rope_theta": 1.0}}, "`rope_type` is `nope`, which"),
        ("llama", {"rope_parameters": LONGROPE}, "`rope_type` is `longrope`: its"),
        (
            "modernbert",
            {"rope_parameters": dict.fromkeys(("full_attention", "sliding_attention"), LONGROPE)},
            "`rope_type` is `longrope`: its",
        ),
        (
            "qwen2",
            {"rope_parameters": LINEAR | {"partial_rotary_factor": 0.5}},
            "give frequencies for heads of 2, but the model's are of 4",
        ),
        ("modernbert", {"head_dim": 0.5}, "give frequencies for heads of 2, but the model's are of 4"),
    ],
)
def test_what_cannot_be_loaded_is_named(
    written: Callable[..., Path], tmp_path: Path, family: str, changes: dict[str, Any], problem: str
) -> None:
    assert problem in error_of(change_config(copied(written(family), tmp_path), **changes))


@pytest.mark.parametrize("family", ["bert", "qwen2"])
def test_a_model_with_too_few_positions_for_a_message_is_named(
    written: Callable[..., Path], tmp_path: Path, family: str
) -> None:
    folder = change_config(copied(written(family), tmp_path), max_position_embeddings=5)

    assert error_of(folder).startswith(f"{folder}: a text may have 5 tokens, too few to hold a message, which needs ")


def test_a_window_as_long_as_the_longest_text_is_full_attention(written: Callable[..., Path], tmp_path: Path) -> None:
    folder = change_config(copied(written("mistral"), tmp_path), sliding_window=64)

    assert rewards(load(folder, max_input_tokens=64), CONVERSATIONS[:2]) == rewards(
        load(written("mistral"), max_input_tokens=64), CONVERSATIONS[:2]
    )


def test_a_roberta_has_two_positions_fewer_than_it_says(written: Callable[..., Path]) -> None:
    folder = written("roberta")

    assert load(folder).identity.max_input_tokens == 128
    assert "has only 128 positions" in error_of(folder, max_input_tokens=129)
