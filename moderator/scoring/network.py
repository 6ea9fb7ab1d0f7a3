"""The network of a sequence classifier: built by transformers, filled from safetensors, its head in float32."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch.overrides import TorchFunctionMode
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from moderator.errors import ConfigurationError
from moderator.scoring import attention
from moderator.scoring.checkpoint import load_weights
from moderator.scoring.classifier_config import DECODERS, ClassifierConfig
from moderator.scoring.device import choose_dtype, prepare_device
from moderator.scoring.rotary import check_frequencies

_HEADS: Final = {
    **dict.fromkeys(DECODERS, ("score",)),
    "bert": ("bert.pooler", "classifier"),
    "roberta": ("classifier",),
    "modernbert": ("head", "classifier"),
}
"""What is computed in float32, in the order in which it is called."""


class _WithoutWeights(TorchFunctionMode):
    """Leaves weights, which are made by `torch.empty`, on the meta device; what is computed, such as positions, is."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        return func(*args, **(given | {"device": "meta"} if func is torch.empty else given))


def build_network(config: ClassifierConfig, where: str) -> PreTrainedModel:
    """Build the network without its weights.

    Raises:
        ConfigurationError: there can be no such network; the text names `where`, the file that describes it.
    """
    attention.register()
    implementation = "sdpa" if config.is_encoder else attention.IMPLEMENTATION
    try:
        with _WithoutWeights():
            network: PreTrainedModel = AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
                config.network, attn_implementation=implementation
            )
    except Exception as error:  # transformers computes with the file's numbers and raises whatever that raises
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{where}: no such network can be built: {reason}") from error
    check_frequencies(network, config.head_size, where)
    network.train(mode=False)
    return network


def load_network(
    folder: Path, config: ClassifierConfig, dtype: str | torch.dtype, device: torch.device
) -> tuple[PreTrainedModel, str]:
    """Build the network and fill it; give it and the checkpoint's fingerprint.

    Args:
        folder: of the checkpoint.
        config: what its `config.json` says.
        dtype: of the backbone; auto: see `choose_dtype`.
        device: where it is to run.

    Raises:
        ConfigurationError: a file or a key is missing, unexpected, damaged or misshapen, or the device too small.
    """
    network = build_network(config, str(folder / "config.json"))
    heads = _HEADS[config.network.model_type]
    in_head = tuple(f"{head}." for head in heads)

    def place(name: str, tensor: torch.Tensor, stored: torch.dtype) -> torch.Tensor:
        if not name.startswith(in_head):
            return tensor.to(device, choose_dtype(dtype, stored, device), copy=True)
        head = tensor.to(device, torch.float32, copy=True)
        if not torch.isfinite(head).all():
            raise ConfigurationError(f"{folder}: `{name}` holds a number that is not finite in float32")
        return head

    prepare_device(device)
    try:
        loaded = load_weights(folder, {name: each.shape for name, each in network.state_dict().items()}, place)
    except torch.OutOfMemoryError as error:
        raise ConfigurationError(f"device `{device}` has too little memory for {folder}") from error
    network.load_state_dict(loaded.tensors, assign=True)
    network.get_submodule(heads[0]).register_forward_pre_hook(_in_float32)
    return network.to(device).requires_grad_(requires_grad=False), loaded.fingerprint  # type: ignore[arg-type]


def _in_float32(_: torch.nn.Module, hidden: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    first, *rest = hidden
    return (first.float(), *rest)
