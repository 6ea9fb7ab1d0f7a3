"""What decoders with a head of ours share: a network without its weights, and the pass up to the rows that are read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import torch
from transformers import AutoModel, PretrainedConfig, PreTrainedModel

from moderator.errors import ConfigurationError
from moderator.scoring.packing import Layout, Text
from moderator.scoring.runtime import attention
from moderator.scoring.runtime.bare import WithoutWeights
from moderator.scoring.runtime.hidden import last_layer
from moderator.scoring.runtime.passes import lay_out
from moderator.scoring.runtime.reference import plain_attention, reference_network

_PLAIN_LAYERS: Final = ("llama", "mistral", "qwen2", "qwen3", "gemma")
"""Families whose layers add attention and MLP to their input as they are; others scale them or normalise them again."""

_Network = TypeVar("_Network", bound=torch.nn.Module)


def without_weights(build: Callable[[], _Network], where: str) -> _Network:
    """Build a network without its weights; `attention.IMPLEMENTATION` is known to it.

    Raises:
        ConfigurationError: no such network can be built; the text names `where`, the file that describes it.
    """
    attention.register()
    try:
        with WithoutWeights():
            return build()
    except Exception as error:  # transformers computes with the file's numbers and raises whatever that raises
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{where}: no such network can be built: {reason}") from error


def decoder_of(config: PretrainedConfig, implementation: str = attention.IMPLEMENTATION) -> PreTrainedModel:
    """Build a decoder, with our attention or one of transformers'."""
    network: PreTrainedModel = AutoModel.from_config(config, attn_implementation=implementation)  # type: ignore[no-untyped-call]
    return network


def trim(network: torch.nn.Module) -> None:
    """Let the last layer of a decoder compute its MLP only for the rows that are read, where we know its layers.

    Of a model of two layers that is a third of all products, of one of eight a few per cent.
    """
    decoder = cast("Any", network)
    if decoder.config.model_type in _PLAIN_LAYERS:
        last = decoder.layers[-1]
        last.forward = _LastLayer(last)


class _LastLayer:
    """What a decoder's last layer does instead of its own `forward`."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def __call__(self, hidden: torch.Tensor, *, read_rows: torch.Tensor, **arguments: Any) -> torch.Tensor:
        """(b, t, hidden) to (1, m, hidden), given m indices into all b x t rows."""
        return last_layer(self._layer, hidden, read_rows, **arguments)[None]


def last_hidden(decoder: torch.nn.Module, texts: Sequence[Text], layout: Layout, device: torch.device) -> torch.Tensor:
    """Run n >= 1 texts through a decoder in one pass; (m, hidden): the last token of each read-out."""
    laid = lay_out(texts, layout, device)
    more: dict[str, Any] = {} if layout.is_padded else {"cu_seqlens": laid.cu_seqlens, "max_len": laid.max_len}
    is_trimmed = isinstance(cast("Any", decoder).layers[-1].forward, _LastLayer)
    if is_trimmed:
        more["read_rows"] = laid.last_rows
    output = decoder(input_ids=laid.input_ids, position_ids=laid.position_ids, use_cache=False, **more)
    hidden: torch.Tensor = output.last_hidden_state.flatten(0, 1)
    return hidden if is_trimmed else hidden[laid.last_rows]


def last_hidden_alone(
    fields: Mapping[str, Any], decoder: PreTrainedModel, texts: Sequence[Text], device: torch.device
) -> torch.Tensor:
    """Run each of n >= 1 texts alone through transformers' own decoder; (n, hidden): the last tokens.

    Args:
        fields: of `config.json`.
        decoder: whose weights it uses.
        texts: of one read-out each, at the last token.
        device: where `decoder` is.

    Raises:
        NoReferenceError, ConfigurationError: as `reference_network` does.
    """
    reference = reference_network(fields, lambda config: decoder_of(config, plain_attention(config)), decoder, device)
    alone = (reference(torch.tensor([text.token_ids], device=device)).last_hidden_state[0, -1] for text in texts)
    return torch.stack([*alone])
