"""What `moderator model info` says about a checkpoint, and when a model is refused as too slow."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from moderator.errors import ConfigurationError
from moderator.scoring.description import Description, describe
from moderator.scoring.engine import load_scorer
from moderator.scoring.opening import open_model
from moderator.scoring.runtime.machine import present_devices
from moderator.scoring.throughput import flops_per_token, parameter_count
from moderator.settings import ModelSettings
from tests.models import tiny_armorm, tiny_classifiers
from tests.models.tiny_tokenizers import armorm_tokenizer

EIGHT_BILLION = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128257,
    "gating_hidden_dim": 1024,
}


def described(folder: Path) -> Description:
    return describe(str(folder), say=lambda _: None)


def test_a_model_is_described_line_by_line(folder: Path) -> None:
    text = "\n".join(described(folder).lines())

    assert "model         Tiny-ArmoRM\n" in text
    assert "architecture  LlamaForRewardModelWithGating\n" in text
    assert "objectives    19: helpsteer-helpfulness, " in text
    assert (
        "reads         the conversation by its chat template, the judged message as the assistant's reply (reply/2)"
        in text
    )
    assert f"fingerprint   {tiny_armorm.load(folder).fingerprint}\n" in text
    assert "stored        float32, " in text
    assert "positions     8,192; a text may have 4,096 tokens\n" in text
    assert "passages      a message of more than 4,096 tokens is read in at most 8 passages; the worst counts\n" in text
    assert "context       all turns before a message, all turns before an assistant's reply\n" in text
    assert "on cpu        float32, " in text
    assert "(an estimate, and a ceiling: tokens a second = " in text


def test_settings_and_the_checkpoint_say_what_is_read_of_an_event(tmp_path: Path) -> None:
    declared = {"passage_tokens": 48, "max_passages": 64, "context_turns": {"message": 0}}
    folder = tiny_armorm.write_checkpoint(tmp_path / "Declaring", moderator_reading=declared)
    settings = ModelSettings(path=str(folder), max_passages=1, reply_context_turns=1)

    lines = describe(str(folder), say=lambda _: None, settings=settings).lines()
    fields = described(folder).to_fields()

    assert "passages      none: of a message that does not fit, the head and the tail are read" in lines
    assert "context       no turns before a message, 1 turn before an assistant's reply" in lines
    assert fields["limits"] == {"passage_tokens": 48, "max_passages": 64, "message_turns": 0, "reply_turns": None}


def test_the_practice_model_is_named_as_such() -> None:
    description = describe("builtin", say=lambda _: None)

    assert (
        description.lines()[0] == "model         builtin, a practice model: its scores are for trying things out only"
    )
    assert description.to_fields()["is_practice"]


def test_the_json_object_says_the_same(tmp_path: Path) -> None:
    labels = ("toxic", "insult")
    folder = tiny_classifiers.write_classifier(
        tmp_path / "tiny-bert", "bert", labels, problem_type="multi_label_classification"
    )

    fields: dict[str, Any] = json.loads(json.dumps(described(folder).to_fields()))

    assert fields["name"] == "tiny-bert"
    assert not fields["is_practice"]
    assert fields["objectives"] == list(labels)
    assert fields["scale"] == "sigmoid"
    assert fields["framing"] == "message/2"
    assert fields["fingerprint"] == load_scorer(ModelSettings(path=str(folder), device="cpu")).identity.fingerprint
    assert fields["parameters"] == sum(each.numel() for each in load_file(folder / "model.safetensors").values())
    assert fields["positions"] == fields["max_input_tokens"] == 128
    assert [each["device"] for each in fields["devices"]] == [str(each) for each in present_devices()]
    (cpu,) = [each for each in fields["devices"] if each["device"] == "cpu"]
    assert cpu["memory_bytes"] == 4 * fields["parameters"]
    assert cpu["events_per_minute"] == pytest.approx(cpu["tokens_per_s"] * 60 / 150)


def test_the_arithmetic_is_that_of_the_published_model(tmp_path: Path) -> None:
    fields = tiny_armorm.fields(**EIGHT_BILLION)
    (tmp_path / "config.json").write_text(json.dumps(fields))
    armorm_tokenizer().save_pretrained(tmp_path)

    model = open_model(tmp_path)

    assert parameter_count(model) == pytest.approx(7.51e9, rel=1e-3)
    assert flops_per_token(model, 0) == pytest.approx(13.96e9 + 0.01e9, rel=2e-3)
    assert flops_per_token(model, 1000) - flops_per_token(model, 0) == pytest.approx(0.262e9, rel=1e-2)


def test_bidirectional_attention_costs_twice_as_much(tmp_path: Path) -> None:
    families = ("llama", "bert")
    folders = [tiny_classifiers.write_classifier(tmp_path / each, each, ("toxic", "insult")) for each in families]

    one_way, both_ways = (
        flops_per_token(model, 1000) - flops_per_token(model, 0) for model in map(open_model, map(str, folders))
    )

    assert both_ways == 2 * one_way > 0


def test_only_on_a_cpu_more_than_a_billion_parameters_are_marked_as_refused(folder: Path) -> None:
    measured = described(folder)
    (cpu,) = [device for device in measured.devices if device.device == "cpu"]
    devices = (cpu, replace(cpu, device="cuda:0"))

    large, small = (
        replace(measured, devices=devices, parameters=parameters).lines()
        for parameters in (1_000_000_001, 1_000_000_000)
    )

    refused = "refused unless `MODERATOR_MODEL__FORCE_CPU=true`"
    assert [line.split()[1] for line in large if refused in line] == ["cpu"]
    assert not any(refused in line for line in small)


def test_a_damaged_checkpoint_gives_the_same_error_as_loading_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(tiny_armorm.fields(num_hidden_layers=3)))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "model.safetensors"):
        (tmp_path / name).symlink_to(folder / name)

    with pytest.raises(ConfigurationError, match=r"the weights lack `model\.layers\.2\."):
        described(tmp_path)


def test_more_than_a_billion_parameters_are_refused_on_a_cpu_before_they_are_read(tmp_path: Path) -> None:
    large = tiny_classifiers.write_large(tmp_path / "large-llama")

    with pytest.raises(ConfigurationError) as raised:
        load_scorer(ModelSettings(path=str(large), device="cpu"))

    text = str(raised.value)
    assert text.startswith("model `large-llama` has 1.1 billion parameters: on this CPU at most about ")
    assert "events a minute (estimated, 150 tokens each); use a GPU or a smaller model, or set" in text
    assert text.endswith("`MODERATOR_MODEL__FORCE_CPU=true`")
