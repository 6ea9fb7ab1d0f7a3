"""What a module of a network is given: how the hidden state that a head reads is had, whatever computes it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
