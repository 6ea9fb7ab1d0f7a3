"""`config.json` of ArmoRM: what it must say, and what its numbers change."""

from pathlib import Path
from typing import Any

import pytest
import torch

from moderator.scoring.armorm.armorm import ArmoRM
from tests.integration.scoring.checkpoint.damage import CHAT, change_config, opening_error_of
from tests.models import tiny_armorm

LONGROPE = {
    "type": "longrope",
    "factor": 2.0,
    "short_factor": [1.0] * 4,
    "long_factor": [2.0] * 4,
    "original_max_position_embeddings": 64,
}


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
    torch.testing.assert_close(loaded.network.model.rotary_emb.inv_freq, 500000.0**-exponents)
    assert torch.equal(loaded.score(CHAT).overall, armorm.score(CHAT).overall)


def test_another_rope_theta_gives_other_scores(copied: Path, armorm: ArmoRM) -> None:
    change_config(copied, rope_theta=10000.0)

    assert not torch.equal(tiny_armorm.load(copied).score(CHAT).overall, armorm.score(CHAT).overall)


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
        ({"is_causal": False}, "`is_causal` is false: this decoder sees both ways, which is not supported"),
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


def test_a_checkpoint_with_too_few_positions_for_a_message_is_named(copied: Path) -> None:
    change_config(copied, max_position_embeddings=20)

    assert opening_error_of(copied).startswith(
        f"{copied}: a text may have 20 tokens, too few to hold a message, which needs 53"
    )
