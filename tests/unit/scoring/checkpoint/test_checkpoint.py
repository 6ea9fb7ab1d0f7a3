import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer

from moderator.errors import ConfigurationError
from moderator.scoring.armorm.network import ArmoRM
from moderator.scoring.checkpoint import checkpoint
from moderator.scoring.checkpoint.armorm_config import ArmoRMConfig
from moderator.scoring.opening import open_model
from moderator.settings import ModelSettings
from tests import tiny_armorm

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
LONGROPE = {
    "type": "longrope",
    "factor": 2.0,
    "short_factor": [1.0] * 4,
    "long_factor": [2.0] * 4,
    "original_max_position_embeddings": 64,
}
CHAT = [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello!"}]]


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A checkpoint to damage."""
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)


def change_config(folder: Path, **changes: Any) -> None:
    (folder / "config.json").write_text(json.dumps(tiny_armorm.fields(**changes)))


def shard(folder: Path) -> dict[str, str]:
    """Split the weights over two files with an index, as large checkpoints are."""
    weights = load_file(folder / WEIGHTS)
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, folder / file)
    (folder / WEIGHTS).unlink()
    places = {name: file for file, part in parts.items() for name in part}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return places


def add_token(folder: Path, text: str, *, special: bool) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    add = tokenizer.add_special_tokens if special else tokenizer.add_tokens
    add([AddedToken(text, special=special)])
    tokenizer.save(str(folder / "tokenizer.json"))


def error_of(folder: Path) -> str:
    """What stops the model from being loaded."""
    with pytest.raises(ConfigurationError) as raised:
        tiny_armorm.load(folder)
    text = str(raised.value)
    assert "\n" not in text
    return text


def opening_error_of(folder: Path) -> str:
    """What stops the model from being opened, which tells as much as loading does, weights aside."""
    with pytest.raises(ConfigurationError) as raised:
        open_model(folder)
    assert str(raised.value) == error_of(folder)
    return str(raised.value)


# --- what loads -------------------------------------------------------------------------------------------------------


def test_a_sharded_checkpoint_gives_the_scores_of_a_single_file(copied: Path, armorm: ArmoRM) -> None:
    shard(copied)

    sharded = tiny_armorm.load(copied)

    assert torch.equal(sharded.score(CHAT).overall, armorm.score(CHAT).overall)


def test_a_saved_model_loads_to_the_same_scores(tmp_path: Path) -> None:
    config = ArmoRMConfig.from_fields(
        tiny_armorm.fields(objectives=["beavertails-is_safe", "helpsteer-helpfulness"], num_objectives=2)
    )
    model = tiny_armorm.random_model(config)

    checkpoint.save_checkpoint(tmp_path / "new" / "folder", model, tiny_armorm.tokenizer(), config)

    loaded = tiny_armorm.load(tmp_path / "new" / "folder")
    assert loaded.config.objectives == ("beavertails-is_safe", "helpsteer-helpfulness")
    assert loaded.config.to_fields() == config.to_fields()
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in loaded.model.state_dict().items())


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_saved_files_are_as_readable_as_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        tiny_armorm.write_checkpoint(tmp_path / "new", tiny_armorm.tokenizer())
    finally:
        os.umask(before)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()}
    assert modes == dict.fromkeys(modes, mode)
    assert WEIGHTS in modes


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_theta": 500000.0, "rope_scaling": None},
        {"rope_theta": 500000, "rope_scaling": ...},
        {"rope_theta": ..., "rope_scaling": ..., "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
    ],
)
def test_the_rope_theta_in_effect_is_the_files(copied: Path, armorm: ArmoRM, rope: dict[str, Any]) -> None:
    change_config(copied, **rope)

    loaded = tiny_armorm.load(copied)

    exponents = torch.arange(0, 8, 2, dtype=torch.float32) / 8
    torch.testing.assert_close(loaded.model.model.rotary_emb.inv_freq, 500000.0**-exponents)
    assert torch.equal(loaded.score(CHAT).overall, armorm.score(CHAT).overall)


def test_another_rope_theta_gives_other_scores(copied: Path, armorm: ArmoRM) -> None:
    change_config(copied, rope_theta=10000.0)

    assert not torch.equal(tiny_armorm.load(copied).score(CHAT).overall, armorm.score(CHAT).overall)


def test_a_template_inside_the_tokenizer_config_is_found(copied: Path, armorm: ArmoRM) -> None:
    template = (copied / "chat_template.jinja").read_text()
    (copied / "chat_template.jinja").unlink()
    fields = {"bos_token": {"content": "<|begin_of_text|>"}, "chat_template": template}
    (copied / "tokenizer_config.json").write_text(json.dumps(fields))

    assert torch.equal(tiny_armorm.load(copied).score(CHAT).overall, armorm.score(CHAT).overall)


def test_code_in_the_folder_is_not_run(copied: Path) -> None:
    (copied / "modeling_custom.py").write_text("raise SystemExit('ran')")

    assert tiny_armorm.load(copied).name == "copied"


# --- fingerprint ------------------------------------------------------------------------------------------------------


def test_the_fingerprint_is_that_of_sha256sum(copied: Path) -> None:
    fingerprint = tiny_armorm.load(copied).fingerprint

    names = ["chat_template.jinja", "config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"]
    lines = "".join(f"{sha256((copied / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    assert fingerprint == f"sha256:{sha256(lines.encode()).hexdigest()}"


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
def test_any_change_to_a_file_that_is_read_changes_the_fingerprint(copied: Path, armorm: ArmoRM, name: str) -> None:
    content = json.loads((copied / name).read_text())
    (copied / name).write_text(json.dumps(content, indent=3))

    assert tiny_armorm.load(copied).fingerprint != armorm.fingerprint


def test_other_weights_have_another_fingerprint(copied: Path, armorm: ArmoRM) -> None:
    change_weights(copied, lambda weights: weights["regression_layer.weight"].mul_(1.5))

    assert tiny_armorm.load(copied).fingerprint != armorm.fingerprint


def test_files_that_are_not_read_leave_the_fingerprint_alone(copied: Path, armorm: ArmoRM) -> None:
    (copied / "README.md").write_text("about")

    assert tiny_armorm.load(copied).fingerprint == armorm.fingerprint


# --- what does not load: weights --------------------------------------------------------------------------------------


def test_a_missing_key_is_named(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.pop("gating.logit_scale"))

    assert "lack `gating.logit_scale`" in error_of(copied)


def test_an_unexpected_key_is_named(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.update({"lm_head.weight": torch.zeros(2)}))

    assert f"{WEIGHTS}: unexpected `lm_head.weight`" in error_of(copied)


def test_many_missing_keys_are_counted(copied: Path) -> None:
    change_config(copied, num_hidden_layers=3)

    assert "and 6 more" in error_of(copied)


def test_a_misshapen_key_is_named_with_both_shapes(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.update({"regression_layer.weight": torch.zeros(10, 32)}))

    assert "`regression_layer.weight` has shape (10, 32), the model (19, 32)" in error_of(copied)


def test_weights_that_are_not_floating_point_are_named(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.update({"model.norm.weight": torch.ones(32, dtype=torch.int8)}))

    assert "`model.norm.weight` is of type I8" in error_of(copied)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["regression_layer.weight", "gating.layers.2.bias", "reward_transform_matrix"])
def test_a_head_that_is_not_finite_is_named(copied: Path, name: str, value: float) -> None:
    change_weights(copied, lambda weights: weights[name].view(-1)[3].fill_(value))

    assert f"`{name}` holds a number that is not finite" in error_of(copied)


def test_a_head_too_large_for_float32_is_named(copied: Path) -> None:
    def enlarge(weights: dict[str, torch.Tensor]) -> None:
        weights["regression_layer.weight"] = weights["regression_layer.weight"].double()
        weights["regression_layer.weight"][0, 0] = 1e300

    change_weights(copied, enlarge)

    assert "`regression_layer.weight` holds a number that is not finite in float32" in error_of(copied)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_cut_weights_file_is_named(copied: Path, share: float) -> None:
    content = (copied / WEIGHTS).read_bytes()
    (copied / WEIGHTS).write_bytes(content[: int(len(content) * share)])

    assert f"{WEIGHTS}: cut short or not a safetensors file" in error_of(copied)


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", b"\xff" * 64])
def test_what_is_no_safetensors_file_is_named(copied: Path, content: bytes) -> None:
    (copied / WEIGHTS).write_bytes(content)

    assert f"{WEIGHTS}: cut short or not a safetensors file" in error_of(copied)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00004.bin", "consolidated.00.pth"])
def test_pickled_weights_are_refused(copied: Path, name: str) -> None:
    (copied / WEIGHTS).rename(copied / name)

    assert f"only pickled weights (`{name}`)" in error_of(copied)


def test_a_folder_without_weights_is_named(copied: Path) -> None:
    (copied / WEIGHTS).unlink()

    assert f"{copied}: no {WEIGHTS} and no {INDEX}" in error_of(copied)


def test_a_missing_shard_is_named(copied: Path) -> None:
    shard(copied)
    (copied / "model-00002-of-00002.safetensors").unlink()

    assert "model-00002-of-00002.safetensors: no such file" in error_of(copied)


def test_a_shard_that_lacks_what_the_index_says_is_named(copied: Path) -> None:
    shard(copied)
    part = copied / "model-00001-of-00002.safetensors"
    weights = load_file(part)
    weights.pop("gating.layers.0.bias")
    save_file(weights, part)

    assert "model-00001-of-00002.safetensors: " in error_of(copied)
    assert "`gating.layers.0.bias`" in error_of(copied)


def test_a_key_in_two_shards_is_named(copied: Path) -> None:
    shard(copied)
    part = copied / "model-00002-of-00002.safetensors"
    save_file({**load_file(part), "gating.layers.0.bias": torch.zeros(16)}, part)

    assert "model-00002-of-00002.safetensors: unexpected `gating.layers.0.bias`" in error_of(copied)


@pytest.mark.parametrize("name", ["../elsewhere.safetensors", "/etc/passwd", "pytorch_model.bin"])
def test_an_index_may_name_only_safetensors_files_of_its_folder(copied: Path, name: str) -> None:
    places = shard(copied)
    (copied / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(places, name)}))

    assert f"`{name}` is not the name of a safetensors file" in error_of(copied)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}'])
def test_a_damaged_index_is_named(copied: Path, content: str) -> None:
    shard(copied)
    (copied / INDEX).write_text(content)

    assert INDEX in error_of(copied)


# --- what does not load: words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()

    assert error_of(copied) == f"{copied / name}: no such file"


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"', "\ufeff{}", "[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_damaged_file_is_named(copied: Path, name: str, content: str) -> None:
    (copied / name).write_text(content)

    assert error_of(copied).startswith(str(copied / name))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"hidden_size": ...}, "`hidden_size` is missing"),
        ({"hidden_size": "32"}, "`hidden_size` must be a whole number from 1"),
        ({"num_hidden_layers": True}, "`num_hidden_layers` must be"),
        ({"vocab_size": 0}, "`vocab_size` must be"),
        ({"num_attention_heads": 5}, "not a multiple of the number of attention"),
        ({"hidden_size": 33}, "not a multiple of the number of attention"),
        ({"hidden_size": -32}, "`hidden_size` must be a whole number from 1"),
        ({"vocab_size": 10**30}, "`vocab_size` must be a whole number from 1 to 2147483647"),
        ({"num_key_value_heads": "2"}, "`num_key_value_heads` must be a whole number from 1"),
        ({"num_key_value_heads": 0}, "`num_key_value_heads` must be a whole number from 1"),
        ({"num_key_value_heads": -2}, "`num_key_value_heads` must be a whole number from 1"),
        ({"num_key_value_heads": 3}, "`num_key_value_heads` is 3; it must divide 4 heads"),
        ({"num_key_value_heads": 8}, "`num_key_value_heads` is 8; it must divide 4 heads"),
        ({"head_dim": 0}, "`head_dim` must be a whole number from 1"),
        ({"head_dim": "8"}, "`head_dim` must be a whole number from 1"),
        ({"head_dim": 7}, "`head_dim`"),
        ({"num_attention_heads": 32, "num_key_value_heads": 2}, "`head_dim` is 1; rotary positions need an even one"),
        ({"rms_norm_eps": float("nan")}, "`rms_norm_eps` must be a number above 0"),
        ({"rms_norm_eps": float("inf")}, "`rms_norm_eps` must be a number above 0"),
        ({"rms_norm_eps": -1e-5}, "`rms_norm_eps` must be a number above 0"),
        ({"rms_norm_eps": "small"}, "`rms_norm_eps` must be a number above 0"),
        ({"rms_norm_eps": None}, "`rms_norm_eps` must be a number above 0"),
        ({"attention_bias": "no"}, "attention_bias"),
        ({"hidden_act": ""}, "`hidden_act`"),
        ({"hidden_act": "magic"}, "`hidden_act` is `magic`"),
        ({"model_type": "mistral"}, "`model_type` is `mistral`"),
        ({"quantization_config": {"bits": 4}}, "`quantization_config`"),
        ({"rope_theta": ...}, "`rope_theta` is missing"),
        ({"rope_theta": -1}, "`rope_theta`"),
        ({"rope_theta": "big"}, "`rope_theta`"),
        ({"rope_theta": 10**400}, "`rope_theta`"),
        ({"rope_scaling": {"type": "magic"}}, "`rope_type` is `magic`, which transformers does not know"),
        ({"rope_scaling": LONGROPE}, "`rope_type` is `longrope`: its frequencies would depend on what"),
        (
            {"rope_scaling": {"type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}},
            "give frequencies for heads of 4, but the model's are of 8",
        ),
        ({"rope_scaling": {"type": "linear", "factor": 0}}, "`rope_scaling` give frequencies that are not finite"),
        ({"rope_scaling": {"type": "linear", "factor": "x"}}, "no such backbone can be built"),
        ({"gating_temperature": 10**400}, "`gating_temperature`"),
        ({"gating_temperature": 0}, "`gating_temperature`"),
        ({"gating_temperature": "hot"}, "`gating_temperature`"),
        ({"gating_n_hidden": -1}, "`gating_n_hidden`"),
        ({"num_objectives": 2}, "`objectives` is missing: name the 2 objectives"),
        ({"objectives": "all"}, "`objectives` must be a list of names"),
        ({"objectives": ["a", "b"]}, "`objectives` must be 19 different names"),
        ({"objectives": ["a", "a"], "num_objectives": 2}, "`objectives` must be 2 different names"),
    ],
)
def test_a_wrong_config_names_the_field(copied: Path, changes: dict[str, Any], problem: str) -> None:
    change_config(copied, **changes)

    text = opening_error_of(copied)

    assert text.startswith(str(copied / "config.json"))
    assert problem in text


@pytest.mark.parametrize(
    "template",
    [None, "", "  ", 7, [], ["x"], [None], [{"name": "rag", "template": "x"}], [{"name": "default", "template": 7}]],
)
def test_an_absent_chat_template_is_named(copied: Path, template: object) -> None:
    (copied / "chat_template.jinja").unlink()
    fields = {"bos_token": "<|begin_of_text|>", "chat_template": template}
    (copied / "tokenizer_config.json").write_text(json.dumps(fields))

    assert "no chat template" in error_of(copied)


def test_a_checkpoint_whose_chat_template_fails_is_named(copied: Path) -> None:
    (copied / "chat_template.jinja").write_text("{% for message in")

    assert opening_error_of(copied) == f"{copied}: the chat template fails: TemplateSyntaxError"


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}),  # panics when it is read
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAAAAAA"}),  # panics when it is used
        ("model", {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "b"}),
    ],
)
def test_a_tokenizer_that_its_library_chokes_on_is_named(copied: Path, part: str, broken: dict[str, object]) -> None:
    path = copied / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {part: broken}))

    assert opening_error_of(copied) == f"{path}: not a sound tokenizer; fetch it again"


def test_a_checkpoint_whose_tokenizer_is_not_llama_3s_is_named(copied: Path) -> None:
    tokenizer = (copied / "tokenizer.json").read_text().replace("<|end_header_id|>", "<|other|>")
    (copied / "tokenizer.json").write_text(tokenizer)

    text = opening_error_of(copied)

    assert text == f"{copied}: tokenizer.json has no token `<|end_header_id|>`, which Llama-3's chat template needs"


def test_a_checkpoint_with_too_few_positions_for_a_message_is_named(copied: Path) -> None:
    change_config(copied, max_position_embeddings=20)

    assert opening_error_of(copied).startswith(
        f"{copied}: a text may have 20 tokens, too few to hold a message, which needs 53"
    )


def test_a_chat_template_that_is_not_utf8_is_named(copied: Path) -> None:
    (copied / "chat_template.jinja").write_bytes(b"{{ '\xe9' }}")

    assert error_of(copied).startswith(f"{copied / 'chat_template.jinja'}: not UTF-8")


@pytest.mark.parametrize("token", [None, "", 7, ["x"], {"content": 7}, "<|new|>", {"content": "<|new|>"}, "\ud83d"])
def test_a_bos_token_that_the_tokenizer_lacks_is_named(copied: Path, token: object) -> None:
    (copied / "tokenizer_config.json").write_text(json.dumps({"bos_token": token}))

    assert error_of(copied).startswith(f"{copied / 'tokenizer_config.json'}: `bos_token`")


def test_a_tokenizer_of_another_model_is_named(copied: Path) -> None:
    change_config(copied, vocab_size=100)

    assert "tokenizer.json: token 260 is beyond the model's `vocab_size` 100" in error_of(copied)


def test_a_padding_token_beyond_the_embedding_is_never_read(copied: Path, armorm: ArmoRM) -> None:
    add_token(copied, "[PAD]", special=True)

    assert torch.equal(tiny_armorm.load(copied).score(CHAT).overall, armorm.score(CHAT).overall)


def test_lengths_that_whoever_saved_a_tokenizer_left_in_it_do_not_count(copied: Path) -> None:
    backend = Tokenizer.from_file(str(copied / "tokenizer.json"))
    backend.enable_truncation(4)
    backend.enable_padding(length=4)
    backend.save(str(copied / "tokenizer.json"))

    tokenizer = checkpoint.read_tokenizer(copied, vocab_size=261)

    assert [len(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)) for text in ("ab", "abcdef")] == [
        2,
        6,
    ]


def test_an_ordinary_token_beyond_the_embedding_is_named(copied: Path) -> None:
    add_token(copied, "moderator", special=False)

    assert "tokenizer.json: token 261 is beyond the model's `vocab_size` 261" in error_of(copied)


# --- where it is ------------------------------------------------------------------------------------------------------


def test_a_path_that_no_file_system_takes_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"model `a+`: cannot be read: File name too long"):
        checkpoint.locate("a" * 300)


@pytest.mark.parametrize("path", ["no-such-folder", "./no/such", "/no/such/folder", "a/b/c", "~/model", ""])
def test_a_folder_that_does_not_exist_is_named(path: str) -> None:
    with pytest.raises(ConfigurationError, match="no such folder, and not a hub id"):
        ArmoRM.from_pretrained(path)


def test_a_file_is_no_checkpoint(copied: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        ArmoRM.from_pretrained(copied / WEIGHTS)


def test_the_builtin_checkpoint_is_in_the_package() -> None:
    location = checkpoint.locate("builtin")

    assert location.is_builtin
    assert location.folder == Path(checkpoint.__file__).parents[1] / "builtin"


def test_an_unreachable_hub_is_a_plain_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(
        ConfigurationError, match="model `owner/name`: no such folder, and the model hub does not give it"
    ):
        ArmoRM.from_pretrained("owner/name")


@pytest.fixture
def downloaded(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--owner--Tiny-ArmoRM"
    shutil.copytree(folder, cached / "snapshots" / ("0" * 40))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0" * 40)
    return cached


@pytest.mark.usefixtures("downloaded")
def test_a_model_downloaded_earlier_loads_without_the_hub(armorm: ArmoRM) -> None:
    loaded = ArmoRM.from_pretrained("owner/Tiny-ArmoRM", device="cpu")

    assert loaded.name == "Tiny-ArmoRM"
    assert loaded.fingerprint == armorm.fingerprint


def test_the_weights_are_of_the_revision_that_was_opened(downloaded: Path, armorm: ArmoRM) -> None:
    opened = open_model("owner/Tiny-ArmoRM")
    (downloaded / "refs" / "main").write_text("1" * 40)

    loaded = opened.load(ModelSettings(), torch.device("cpu"))

    assert loaded.fingerprint == armorm.fingerprint


# --- as it is published -----------------------------------------------------------------------------------------------


def test_bfloat16_shards_with_a_template_in_the_tokenizer_config_load_as_published(copied: Path) -> None:
    change_weights(copied, lambda weights: weights.update({name: each.bfloat16() for name, each in weights.items()}))
    places = shard(copied)
    template = (copied / "chat_template.jinja").read_text()
    (copied / "chat_template.jinja").unlink()
    (copied / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "added_tokens_decoder": {"256": {"content": "<|begin_of_text|>", "special": True}},
                "bos_token": "<|begin_of_text|>",
                "chat_template": template,
                "eos_token": "<|eot_id|>",
                "model_input_names": ["input_ids", "attention_mask"],
                "model_max_length": 4096,
                "pad_token": "[PAD]",
                "tokenizer_class": "PreTrainedTokenizerFast",
            }
        )
    )
    (copied / "special_tokens_map.json").write_text(json.dumps({"pad_token": "[PAD]"}))

    loaded = tiny_armorm.load(copied, dtype="bfloat16")

    assert loaded.dtype == torch.bfloat16
    assert {tensor.dtype for name, tensor in loaded.model.state_dict().items() if not name.startswith("model.")} == {
        torch.float32
    }
    assert set(loaded.model.state_dict()) == set(places)
    assert loaded.score(CHAT).overall.isfinite().all()
