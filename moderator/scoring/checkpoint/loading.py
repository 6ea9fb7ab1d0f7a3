"""Read a checkpoint's weights into a network, on the device where it will run."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import torch

from moderator.errors import ConfigurationError
from moderator.observability.logging import get_logger
from moderator.scoring.checkpoint.fingerprint import fingerprint
from moderator.scoring.checkpoint.weights import Weights
from moderator.scoring.runtime.device import choose_dtype, prepare_device

log = get_logger(__name__)


def load_weights(
    network: torch.nn.Module,
    folder: Path,
    heads: tuple[str, ...],
    dtype: str | torch.dtype,
    device: torch.device,
    *,
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Read a network's weights onto the device, and hash the files at the same time.

    Args:
        network: without weights.
        folder: of the checkpoint.
        heads: tensors whose names begin with one of these are kept in float32.
        dtype: of all others; auto: see `choose_dtype`.
        device: where the network will run.
        renamed: the network's name of a tensor by the file's, where they differ.

    Returns:
        The checkpoint's fingerprint: `sha256:` and 64 hex digits.

    Raises:
        ConfigurationError: a file or a key is missing, unexpected, damaged or of the wrong shape, or the device has too
            little memory.
    """
    weights = Weights(folder, {name: each.shape for name, each in network.state_dict().items()}, renamed)
    if weights.passed_over:
        log.info("tensors_passed_over", folder=str(folder), tensors=weights.passed_over)
    backbone = choose_dtype(dtype, weights.dtype, device)

    def place(name: str, tensor: torch.Tensor) -> torch.Tensor:
        if not name.startswith(heads):
            return tensor.to(device, backbone, copy=True)
        head = tensor.to(device, torch.float32, copy=True)
        if not torch.isfinite(head).all():  # float64 may hold what float32 cannot
            raise ConfigurationError(f"{folder}: `{name}` holds a number that is not finite in float32")
        return head

    prepare_device(device)
    try:
        with ThreadPoolExecutor(max_workers=1) as pool:
            hashed = pool.submit(fingerprint, folder, weights.files)
            network.load_state_dict({name: place(name, tensor) for name, tensor in weights.read()}, assign=True)
    except torch.OutOfMemoryError as error:
        raise ConfigurationError(f"device `{device}` has too little memory for {folder}") from error
    network.to(device).requires_grad_(requires_grad=False)
    return hashed.result()
