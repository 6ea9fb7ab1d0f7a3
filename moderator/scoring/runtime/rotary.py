"""Rotary positions: which of transformers' kinds are supported, and whether their frequencies fit the network."""

from typing import Final

import torch
from transformers import PretrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from moderator.errors import ConfigurationError

_KINDS: Final = ("default", *ROPE_INIT_FUNCTIONS)


def check_kind(config: PretrainedConfig, where: str) -> None:
    """Refuse a kind that transformers does not know, and the kind whose frequencies depend on a pass's longest text.

    Args:
        config: of the network, with rotary parameters for all layers or for each type of layer.
        where: names the file in errors.

    Raises:
        ConfigurationError: there is no such kind, or a text's scores would depend on what is scored with it.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    for kind in [
        each["rope_type"] for each in (rope, *rope.values()) if isinstance(each, dict) and "rope_type" in each
    ]:
        if kind == "longrope":
            raise ConfigurationError(
                f"{where}: `rope_type` is `longrope`: its frequencies would depend on what else is in a pass"
            )
        if kind not in _KINDS:
            raise ConfigurationError(f"{where}: `rope_type` is `{kind}`, which transformers does not know")


def check_frequencies(network: torch.nn.Module, head_size: int, where: str) -> None:
    """Check the frequencies of each rotary embedding, if there is one, against the width of the heads.

    Args:
        network: built; its frequencies must be computed, its weights need not be loaded.
        head_size: width of a head.
        where: names the file in errors.

    Raises:
        ConfigurationError: there are too few or too many, or some are not finite.
    """
    given = f"{where}: `head_dim`, `rope_parameters` or `rope_scaling` give frequencies"
    for name, buffer in network.named_buffers():
        if not name.endswith("inv_freq"):
            continue
        if 2 * len(buffer) != head_size:
            raise ConfigurationError(f"{given} for heads of {2 * len(buffer)}, but the model's are of {head_size}")
        if not torch.isfinite(buffer).all():
            raise ConfigurationError(f"{given} that are not finite")
