"""The hidden states that heads read: how a decoder's last layer gives them, and what a module was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def last_layer(layer: Any, hidden: torch.Tensor, rows: torch.Tensor, **arguments: Any) -> torch.Tensor:
    """Run a decoder layer, its MLP only for the rows that are read: (b, t, hidden) to (m, hidden).

    Args:
        layer: adds attention and MLP to its input as they are, each after one norm.
        hidden: (b, t, hidden).
        rows: (m,), indices into all b x t rows.
        arguments: of its attention.
    """
    attended, _ = layer.self_attn(hidden_states=layer.input_layernorm(hidden), **arguments)
    read = (hidden + attended).flatten(0, 1)[rows]  # (m, hidden)
    read_out: torch.Tensor = read + layer.mlp(layer.post_attention_layernorm(read))
    return read_out


@contextmanager
def inputs_of(module: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """Collect the first argument of each call of a module, as its own hooks leave it."""
    seen: list[torch.Tensor] = []

    def keep(_: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        seen.append(arguments[0])

    handle = module.register_forward_pre_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()
