"""Probes: folders that add objectives of their own to a backbone that they name; what their config says."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from moderator.errors import ConfigurationError
from moderator.objectives import BUILTIN

ARCHITECTURE: Final = "ModeratorProbe"
WEIGHTS: Final = "probe.safetensors"
BASE: Final = "base"
"""The folder within a probe's that holds a copy of its backbone."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*")
_FINGERPRINT: Final = re.compile(r"sha256:[0-9a-f]{64}")


class ProbeConfig(NamedTuple):
    """What the `config.json` of a probe says.

    Attributes:
        base: the backbone: `builtin`, a hub id, or a folder, relative to the probe's.
        base_fingerprint: of the backbone that it was fitted on.
        objectives: that it adds, in the order of its rows.
    """

    base: str
    base_fingerprint: str
    objectives: tuple[str, ...]

    def base_path(self, folder: Path) -> str:
        """Name the backbone as a model is named.

        Args:
            folder: the probe's.
        """
        beside = folder / self.base
        is_hub_id = "/" in self.base and not self.base.startswith((".", "/")) and not beside.exists()
        return self.base if self.base == BUILTIN or is_hub_id else str(beside.resolve())

    def to_fields(self) -> dict[str, object]:
        """Return the JSON object."""
        base = {"path": self.base, "fingerprint": self.base_fingerprint}
        return {"architectures": [ARCHITECTURE], "base": base, "objectives": list(self.objectives)}


def is_probe(config: Mapping[str, Any]) -> bool:
    """Check whether a `config.json` is that of a probe."""
    return config.get("architectures") == [ARCHITECTURE]


def probe_config(config: Mapping[str, Any], where: str) -> ProbeConfig:
    """Check the fields of a probe's `config.json`.

    Args:
        config: the JSON object.
        where: what errors name.

    Raises:
        ConfigurationError: one is missing or wrong; the text names it.
    """
    base, names = config.get("base"), config.get("objectives")
    if not isinstance(base, Mapping) or not isinstance(base.get("path"), str) or not base["path"]:
        raise ConfigurationError(f"{where}: `base.path` must name the backbone")
    if not isinstance(base.get("fingerprint"), str) or not _FINGERPRINT.fullmatch(base["fingerprint"]):
        raise ConfigurationError(f"{where}: `base.fingerprint` must be `sha256:` and 64 hex digits")
    if not isinstance(names, list) or not names or len(set(map(str, names))) != len(names):
        raise ConfigurationError(f"{where}: `objectives` must be a list of different names")
    for name in names:
        require_name(name, where)
    return ProbeConfig(base["path"], base["fingerprint"], tuple(names))


def require_name(name: object, where: str) -> None:
    """Refuse a name that an added objective may not have.

    Raises:
        ConfigurationError: it may not; the text names `where`.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{where}: `{name}` is no name of an objective: write a letter first, then a-z, 0-9, `_` and `-`"
        )


def added_to(base: Sequence[str], added: Sequence[str], where: str) -> tuple[str, ...]:
    """Give the backbone's objectives, then the added ones.

    Raises:
        ConfigurationError: the backbone has one of that name; the text names `where`.
    """
    twice = next((name for name in added if name in base), None)
    if twice is not None:
        raise ConfigurationError(f"{where}: the backbone has an objective `{twice}` already")
    return (*base, *added)
