"""Weights from safetensors files, every key accounted for before the first byte of a tensor is read."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import torch
from safetensors import SafetensorError, safe_open

from moderator.errors import ConfigurationError

SINGLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
_PICKLES: Final = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
_DTYPES: Final = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Weights:
    """The tensors of a checkpoint folder, by name; opened and checked, not yet read.

    Attributes:
        files: the safetensors files that hold them.
    """

    def __init__(self, folder: Path, shapes: Mapping[str, torch.Size]) -> None:
        """Find the files and hold their headers against what the model has.

        Raises:
            ConfigurationError: a file or a key is missing, unexpected, damaged or of the wrong shape; the text names it.
        """
        place = _index(folder) if not (folder / SINGLE).is_file() and (folder / INDEX).is_file() else None
        self.files = [folder / name for name in sorted(set(place.values()))] if place else [_single(folder)]
        self.dtypes: dict[str, torch.dtype] = {}
        for file in self.files:
            self._check(
                file, shapes, None if place is None else {key for key, name in place.items() if name == file.name}
            )
        missing = [name for name in shapes if name not in self.dtypes]
        if missing:
            raise ConfigurationError(f"{folder}: the weights lack {_few(missing)}")

    def read(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Give each name and its tensor, mapped from the file: copy what you keep.

        Raises:
            ConfigurationError: a file changed or was damaged since it was opened.
        """
        for file in self.files:
            with _opened(file) as tensors:
                for name in tensors.keys():  # noqa: SIM118 - not a dict
                    yield name, tensors.get_tensor(name)

    def _check(self, file: Path, shapes: Mapping[str, torch.Size], listed: set[str] | None) -> None:
        with _opened(file) as tensors:
            names = list(tensors.keys())
            slices = {name: tensors.get_slice(name) for name in names}
            unexpected = [name for name in names if name not in shapes or name in self.dtypes]
            if unexpected:
                raise ConfigurationError(f"{file}: unexpected {_few(unexpected)}")
            if listed is not None and listed != set(names):
                raise ConfigurationError(f"{file}: {INDEX} disagrees with it about {_few(sorted(listed ^ set(names)))}")
            for name, tensor in slices.items():
                shape = tuple(tensor.get_shape())
                if shape != tuple(shapes[name]):
                    raise ConfigurationError(f"{file}: `{name}` has shape {shape}, the model {tuple(shapes[name])}")
                if tensor.get_dtype() not in _DTYPES:
                    raise ConfigurationError(
                        f"{file}: `{name}` is of type {tensor.get_dtype()}; floating point is needed"
                    )
                self.dtypes[name] = _DTYPES[tensor.get_dtype()]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ConfigurationError: no such file, or not a JSON object; the text names the file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: no such file") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid JSON") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: not a JSON object")
    return content


def _single(folder: Path) -> Path:
    if (folder / SINGLE).is_file():
        return folder / SINGLE
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        raise ConfigurationError(
            f"{folder}: holds only pickled weights (`{pickles[0]}`), which can run code; convert them to {SINGLE}"
        )
    raise ConfigurationError(f"{folder}: no {SINGLE} and no {INDEX}")


def _index(folder: Path) -> dict[str, str]:
    """Read which file holds which key."""
    place = read_json(folder / INDEX).get("weight_map")
    if not isinstance(place, dict) or not place or not all(isinstance(name, str) for name in place.values()):
        raise ConfigurationError(f"{folder / INDEX}: `weight_map` must map keys to files")
    for name in sorted(set(place.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ConfigurationError(f"{folder / INDEX}: `{name}` is not the name of a safetensors file")
        if not (folder / name).is_file():
            raise ConfigurationError(f"{folder / name}: no such file, but {INDEX} names it")
    return cast("dict[str, str]", place)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt", device="cpu") as tensors:
            yield tensors
    except (SafetensorError, OSError) as error:
        raise ConfigurationError(f"{file}: cut short or not a safetensors file; fetch it again") from error


def _few(names: Iterable[str]) -> str:
    shown, count = [], 0
    for count, name in enumerate(names, start=1):
        if count <= 3:  # noqa: PLR2004 - enough to see which
            shown.append(f"`{name}`")
    return ", ".join(shown) + (f" and {count - 3} more" if count > 3 else "")  # noqa: PLR2004
