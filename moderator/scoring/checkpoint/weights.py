"""Weights from safetensors files: every key is checked before the first byte of a tensor is read."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.files import INDEX, WEIGHTS, read_json

_SHOWN: Final = 3
_PICKLES: Final = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
_UNUSED: Final = re.compile(r".*\.(position_ids|token_type_ids|rotary_emb\.inv_freq)|roberta\.pooler\.dense\.\w+")
"""Tensors that older releases of transformers also wrote: networks compute them, or do not use them."""
_DTYPES: Final = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Weights:
    """The tensors of a checkpoint folder, by name; opened and checked, not yet read.

    Attributes:
        files: the safetensors files that hold them.
    """

    def __init__(self, folder: Path, shapes: Mapping[str, torch.Size]) -> None:
        """Find the files and compare their headers with the network's tensors.

        Raises:
            ConfigurationError: a file or key is missing, unexpected, damaged or of the wrong shape; the text names it.
        """
        self.dtypes: dict[str, torch.dtype] = {}
        self._shapes = shapes
        keys = _keys_by_file(folder)
        self.files = list(keys)
        for file, listed in keys.items():
            self._check(file, listed)
        missing = [name for name in shapes if name not in self.dtypes]
        if missing:
            raise ConfigurationError(f"{folder}: the weights lack {_few(missing)}")

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of most tensors; heads may have another."""
        return Counter(self.dtypes.values()).most_common(1)[0][0]

    def read(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield each name and its tensor, mapped from the file: copy what you keep.

        Raises:
            ConfigurationError: a file changed or was damaged since it was opened.
        """
        for file in self.files:
            with _opened(file) as tensors:
                for name in filter(self._shapes.__contains__, tensors.keys()):
                    yield name, tensors.get_tensor(name)

    def _check(self, file: Path, listed: set[str] | None) -> None:
        with _opened(file) as tensors:
            names = set(tensors.keys())
            unused = {name for name in names if name not in self._shapes and _UNUSED.fullmatch(name)}
            unexpected = sorted(name for name in names - unused if name not in self._shapes or name in self.dtypes)
            if unexpected:
                raise ConfigurationError(f"{file}: unexpected {_few(unexpected)}")
            if listed is not None and listed != names:
                raise ConfigurationError(f"{file}: {INDEX} disagrees with it about {_few(sorted(listed ^ names))}")
            for name in sorted(names - unused):
                self.dtypes[name] = self._dtype(file, name, tensors.get_slice(name))

    def _dtype(self, file: Path, name: str, tensor: Any) -> torch.dtype:
        found, wanted = tuple(tensor.get_shape()), tuple(self._shapes[name])
        if found != wanted:
            raise ConfigurationError(f"{file}: `{name}` has shape {found}, the model {wanted}")
        if tensor.get_dtype() not in _DTYPES:
            raise ConfigurationError(f"{file}: `{name}` is of type {tensor.get_dtype()}; floating point is needed")
        return _DTYPES[tensor.get_dtype()]


def _keys_by_file(folder: Path) -> dict[Path, set[str] | None]:
    """Find the files, with the keys that the index lists for each; None if there is no index."""
    if (folder / WEIGHTS).is_file():
        return {folder / WEIGHTS: None}
    if (folder / INDEX).is_file():
        return _sharded(folder)
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        raise ConfigurationError(
            f"{folder}: holds only pickled weights (`{pickles[0]}`), which can run code; convert them to {WEIGHTS}"
        )
    raise ConfigurationError(f"{folder}: no {WEIGHTS} and no {INDEX}")


def _sharded(folder: Path) -> dict[Path, set[str] | None]:
    index = folder / INDEX
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise ConfigurationError(f"{index}: `weight_map` must map keys to files")
    keys: dict[Path, set[str] | None] = {}
    for name in sorted(set(places.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ConfigurationError(f"{index}: `{name}` is not the name of a safetensors file")
        if not (folder / name).is_file():
            raise ConfigurationError(f"{folder / name}: no such file, but {INDEX} names it")
        keys[folder / name] = {key for key, place in places.items() if place == name}
    return keys


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt", device="cpu") as tensors:
            yield tensors
    except (SafetensorError, OSError) as error:
        raise ConfigurationError(f"{file}: truncated or not a safetensors file; download it again") from error


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
