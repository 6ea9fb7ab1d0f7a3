"""Weights from safetensors files: every key is checked before the first byte of a tensor is read."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open

from moderator.errors import ConfigurationError
from moderator.scoring.checkpoint.files import INDEX, WEIGHTS, quantised, read_json

_SHOWN: Final = 3
_PICKLES: Final = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
_UNUSED: Final = re.compile(
    r".*\.(position_ids|token_type_ids|rotary_emb\.inv_freq|num_batches_tracked)|(\w+\.)?pooler\..*|lm_head\..*|cls\..*"
)
"""Tensors that networks compute themselves, or that are of a head for another task."""
_PACKED: Final = re.compile(r".*\.(qweight|qzeros|g_idx|weight_packed|weight_scale|weight_scale_inv|absmax|quant_map)")
_OLD_ENDINGS: Final = ((".LayerNorm.gamma", ".LayerNorm.weight"), (".LayerNorm.beta", ".LayerNorm.bias"))
_VALUE_HEAD: Final = "v_head."
_INTEGERS: Final = {"I8": "int8", "U8": "packed", "I32": "packed"}
_DTYPES: Final = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Weights:
    """The tensors of a checkpoint folder, by name; opened and checked, not yet read.

    Attributes:
        files: the safetensors files that hold them.
        passed_over: names of tensors in them that the network does not have, sorted.
    """

    def __init__(
        self, folder: Path, shapes: Mapping[str, torch.Size], renamed: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Find the files and compare their headers with the network's tensors.

        Args:
            folder: of the checkpoint.
            shapes: of the network's tensors, by name.
            renamed: the network's name of a tensor by the file's, where they differ.

        Raises:
            ConfigurationError: a file or key is missing, unexpected, damaged or of the wrong shape; the text names it.
        """
        self.dtypes: dict[str, torch.dtype] = {}
        self._shapes = shapes
        self._renamed = renamed
        self.passed_over: list[str] = []
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
        """Yield each tensor by its name in the network, mapped from the file: copy what you keep.

        Raises:
            ConfigurationError: a file changed or was damaged since it was opened.
        """
        for file in self.files:
            with _opened(file) as tensors:
                for name in tensors.keys():  # noqa: SIM118 - not a mapping
                    if (own := self._own(name)) in self._shapes:
                        yield own, tensors.get_tensor(name)

    def _check(self, file: Path, listed: set[str] | None) -> None:
        with _opened(file) as tensors:
            names = set(tensors.keys())
            _refuse_packed(file, names)
            own = {name: self._own(name) for name in sorted(names)}
            unused = [name for name in own if own[name] not in self._shapes and _UNUSED.fullmatch(name)]
            used = [name for name in own if name not in unused]
            twice = {name for name in used if own[name] != name and own[name] in names}
            unexpected = [
                name for name in used if name in twice or own[name] not in self._shapes or own[name] in self.dtypes
            ]
            if unexpected:
                raise ConfigurationError(f"{file}: unexpected {_few(unexpected)}{_merge(unexpected)}")
            if listed is not None and listed != names:
                raise ConfigurationError(f"{file}: {INDEX} disagrees with it about {_few(sorted(listed ^ names))}")
            self.passed_over = sorted([*self.passed_over, *unused])
            for name in used:
                self.dtypes[own[name]] = self._dtype(file, name, tensors.get_slice(name))

    def _own(self, name: str) -> str:
        """Return the network's name of a tensor in a file."""
        for old, new in _OLD_ENDINGS:
            if name.endswith(old):
                return name.removesuffix(old) + new
        return self._renamed.get(name, name)

    def _dtype(self, file: Path, name: str, tensor: Any) -> torch.dtype:
        found, wanted, dtype = tuple(tensor.get_shape()), tuple(self._shapes[self._own(name)]), tensor.get_dtype()
        if dtype not in _DTYPES:
            method = "float8" if dtype.startswith("F8") else _INTEGERS.get(dtype, "not floating point")
            raise quantised(f"{file}: `{name}` is of type {dtype}", method)
        if found != wanted:
            raise ConfigurationError(f"{file}: `{name}` has shape {found}, the model {wanted}")
        return _DTYPES[dtype]


def _refuse_packed(file: Path, names: Collection[str]) -> None:
    packed = min(filter(_PACKED.fullmatch, names), default=None)
    if packed is not None:
        method = "gptq or awq" if packed.endswith(("qweight", "qzeros", "g_idx")) else "packed"
        raise quantised(f"{file}: `{packed}`", method)


def _merge(unexpected: Sequence[str]) -> str:
    """Say what to do about the value head of a trainer."""
    has_value_head = any(name.startswith(_VALUE_HEAD) for name in unexpected)
    return ": a value head: merge it into score.weight" if has_value_head else ""


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
