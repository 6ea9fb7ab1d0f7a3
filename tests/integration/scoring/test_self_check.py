"""The checks at start notice what no list of special cases names."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from structlog.testing import capture_logs

from moderator.errors import ConfigurationError
from moderator.scoring.opening import open_model
from moderator.scoring.self_check.check import Check, check_checkpoint, check_model
from moderator.settings import ModelSettings
from tests.integration.scoring.classifiers import change_config, copied, error_of, load_classifier
from tests.models import tiny_armorm, tiny_classifiers
from tests.models.tiny_tokenizers import CHATML

CPU = torch.device("cpu")


def checked(folder: Path, **settings: Any) -> Check:
    return check_checkpoint(ModelSettings(path=str(folder), device="cpu", **settings))


def with_template(folder: Path, template: str) -> Path:
    (folder / "chat_template.jinja").write_text(template)
    return folder


@pytest.mark.parametrize("family", tiny_classifiers.FAMILIES)
def test_every_family_gives_what_transformers_gives(written: Callable[..., Path], family: str) -> None:
    with capture_logs() as lines:
        check = checked(written(family))

    assert check.ids_equal
    assert check.texts >= 20
    assert check.largest_difference is not None
    assert check.largest_difference < 1e-4
    [line] = [line for line in lines if line["event"] == "model_checked"]
    assert line.items() >= check.to_fields().items()


@pytest.mark.parametrize("family", tiny_classifiers.FAMILIES)
def test_every_family_may_read_bare_messages_whatever_its_tokenizer_puts_around_them(
    written: Callable[..., Path], family: str
) -> None:
    assert checked(written(family), reads="message").ids_equal


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_armorm_gives_what_transformers_backbone_gives(tmp_path: Path, dtype: str) -> None:
    check = checked(tiny_armorm.write_checkpoint(tmp_path / "tiny"), dtype=dtype)

    assert check.ids_equal
    assert check.largest_difference is not None


def test_the_practice_model_passes_within_two_seconds() -> None:
    opened = open_model("builtin")
    model = opened.load("auto", CPU)
    began_s = time.process_time()

    check = check_model(opened, model)

    assert (check.texts, check.ids_equal) == (27, True)
    assert time.process_time() - began_s < 2


@pytest.mark.parametrize(
    ("family", "unread"),
    [
        ("llama", {"is_causal": False}),
        ("mistral", {"sliding_window": 8}),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 0, "layer_types": ...}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}}),
        ("llama", {"rms_norm_eps": 0.5}),
        ("modernbert", {"local_attention": 128}),
        ("bert", {"hidden_act": "relu"}),
        ("gemma", {"rms_norm_eps": 0.5}),
        ("gemma2", {"attn_logit_softcapping": 50.0}),
        ("gemma2", {"sliding_window": 8}),
    ],
)
def test_a_field_that_we_would_not_read_is_noticed(
    written: Callable[..., Path], tmp_path: Path, family: str, unread: dict[str, Any]
) -> None:
    """A field is added after we have read the config: we score as if we knew nothing of it."""
    folder = copied(written(family), tmp_path)
    opened = open_model(folder)
    model = opened.load("auto", CPU)
    change_config(folder, **unread)

    with pytest.raises(
        ConfigurationError,
        match=rf"^{folder}: our attention does not give what transformers gives \(-?\d+\.\d+ against -?\d+\.\d+\)$",
    ):
        check_model(opened, model)


@pytest.mark.parametrize(
    ("template", "probe"),
    [
        (
            CHATML.replace("message['content']", "message['content'].replace('\\t', ' ')"),
            "'double  spaces   and\\ttabs'",
        ),
        (CHATML.replace("message['content']", "message['content'].replace('3.14', 'pi')"), "'1 22 333 4444 55555 3.14"),
        ("{% if messages | length > 4 %}long{% endif %}" + CHATML, None),
        (CHATML.replace("{% for", "{% if messages[1]['content'][:2] == 'x' %}!{% endif %}{% for"), "'x'"),
    ],
)
def test_a_conversation_that_its_template_would_write_otherwise_is_noticed(
    written: Callable[..., Path], tmp_path: Path, template: str, probe: str | None
) -> None:
    folder = with_template(copied(written("qwen2"), tmp_path), template)

    if probe is None:
        assert checked(folder).ids_equal  # the template depends on the number of turns, which we know
        return
    text = error_of(folder, check=True)
    assert text.startswith(f"{folder}: our tokens are not those of transformers' AutoTokenizer: for {probe}")
    assert ", token " in text


def test_a_template_that_asks_for_the_date_is_compared_on_the_same_day(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = with_template(copied(written("qwen2"), tmp_path), "{{ strftime_now('%d %b %Y') }}" + CHATML)

    assert checked(folder).ids_equal


def test_turns_that_a_template_refuses_are_not_compared(written: Callable[..., Path]) -> None:
    assert checked(written("gemma")).texts == checked(written("qwen2")).texts - 1


def test_a_tokenizer_that_transformers_cannot_read_by_itself_is_a_warning(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    folder = copied(written("bert"), tmp_path)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "MistralCommonBackend"}')

    with capture_logs() as lines:
        check = checked(folder)

    assert (check.texts, check.ids_equal) == (0, None)
    [line] = [line for line in lines if line["event"] == "tokens_not_compared"]
    assert "requires the mistral-common library" in line["reason"]


def test_a_large_model_is_not_run_a_second_time_on_a_cpu(written: Callable[..., Path]) -> None:
    opened = open_model(written("qwen2"))
    model = opened.load("auto", CPU)

    check = check_model(replace(opened, shapes={"model.embed_tokens.weight": torch.Size([2**20, 2**10])}), model)

    assert check.ids_equal
    assert check.largest_difference is None


def test_without_the_check_a_warning_says_so(written: Callable[..., Path]) -> None:
    with capture_logs() as lines:
        load_classifier(written("qwen2"), check=False)

    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["model_not_checked"]
