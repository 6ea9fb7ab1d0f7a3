"""A network exactly as transformers builds it from a checkpoint's config, with its own masks, on weights at work."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from transformers import CONFIG_MAPPING, PretrainedConfig, PreTrainedModel

from moderator.errors import ConfigurationError
from moderator.scoring.runtime.bare import WithoutWeights

HOW_TO_RUN: Final = (
    *("architectures", "auto_map", "dtype", "torch_dtype", "model_type", "_name_or_path", "use_cache"),
    *("return_dict", "output_hidden_states", "output_attentions", "torchscript", "chunk_size_feed_forward"),
)
"""Fields of a config that name code, or that say how to run the network and not what it computes."""


_PADDING: Final = "pad_token_id"
_EAGER: Final = ("deberta-v2", "gemma2")
"""Families of which no fused kernel computes the logits: it would leave out relative positions, or the cap."""


class NoReferenceError(Exception):
    """transformers cannot build the network itself."""


def plain_attention(config: PretrainedConfig) -> str:
    """Name transformers' own attention for a network."""
    return "eager" if config.model_type in _EAGER else "sdpa"


def reference_network(
    fields: Mapping[str, Any],
    build: Callable[[PretrainedConfig], PreTrainedModel],
    shared: torch.nn.Module,
    device: torch.device,
    parts: tuple[str, ...] = (),
) -> PreTrainedModel:
    """Build the network from all fields of a config that say what it computes, also those that we do not read.

    Args:
        fields: of `config.json`.
        build: makes the network, without weights, from transformers' config.
        shared: the network at work, whose tensors the new one uses too.
        device: where `shared` is.
        parts: modules of `shared` that the new one takes as they are.

    Raises:
        NoReferenceError: transformers cannot build it; the text says why.
        ConfigurationError: its tensors have other names or shapes.
    """
    try:
        config = CONFIG_MAPPING[fields.get("model_type", "llama")].from_dict(_computed(fields), use_cache=False)
        with WithoutWeights():
            network = build(config)
    except Exception as error:  # transformers computes with the file's numbers and raises whatever that raises
        raise NoReferenceError(" ".join(str(error).split())) from error
    for part in parts:
        network.set_submodule(part, shared.get_submodule(part))
    try:
        network.load_state_dict(shared.state_dict(), assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"our network has other tensors than transformers' own: {reason}") from error
    network.train(mode=False)
    torch.nn.Module.to(network, device)  # what it computed itself
    return network


def _computed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields that say what the network computes."""
    known = {name: value for name, value in fields.items() if name not in HOW_TO_RUN}
    padding = known.get(_PADDING)
    if isinstance(padding, int) and padding not in range(int(known["vocab_size"])):
        # no text has it, and the embedding has no row for it
        known[_PADDING] = None
    return known
