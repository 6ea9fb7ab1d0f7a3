"""Build networks without their weights, and with everything that they compute from their config."""

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class WithoutWeights(TorchFunctionMode):
    """Puts weights, which `torch.empty` makes, on the meta device; computed tensors, such as positions, are real."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        return func(*args, **(given | {"device": "meta"} if func is torch.empty else given))
