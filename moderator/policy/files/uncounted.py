"""Files that look as if they were part of a policy folder and are not: an ending too many, or a folder too deep."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from moderator.policy.files.folder import CALIBRATIONS, EXTENSIONS
from moderator.policy.syntax.diagnostics import Diagnostic, Diagnostics

_ENDINGS: Final = (*EXTENSIONS, ".json")
_MOST_ENTRIES: Final = 1_000
"""A folder of policies holds fewer: what was mounted by mistake is not searched to its end."""
_SETTINGS: Final = "settings.yaml"


def uncounted_names(folder: Path) -> tuple[str, ...]:
    """Give the names of files that do not count, such as `x.yaml.txt` and `new/x.yaml`, sorted; never fails.

    Hidden names are left out, and so are subfolders with a `settings.yaml`: these are policy folders of their own.
    """
    return tuple(sorted(_names(folder)))


def uncounted_warnings(names: tuple[str, ...]) -> list[Diagnostic]:
    """Give a warning for each file that does not count."""
    diagnostics = Diagnostics()
    for name in names:
        is_deep = "/" in name
        fix = "move it up" if is_deep else "end it in .yaml"
        diagnostics.warning("P008", name, "this file does not count", f"{fix}, or move it out of the folder")
    return diagnostics.all


def _names(folder: Path) -> Iterator[str]:
    visited = 0
    for place, subfolders, files in os.walk(folder):
        where = Path(place).relative_to(folder)
        is_top = where == Path()
        subfolders[:] = [name for name in sorted(subfolders) if _is_searched(Path(place), name, is_top=is_top)]
        for name in sorted(files):
            visited += 1
            if visited > _MOST_ENTRIES:
                return
            if not name.startswith(".") and _looks_like_policy(name, is_top=is_top):
                yield (where / name).as_posix()


def _is_searched(place: Path, name: str, *, is_top: bool) -> bool:
    if name.startswith(".") or (is_top and f"{name}/" == CALIBRATIONS):
        return False
    return not (place / name / _SETTINGS).is_file()


def _looks_like_policy(name: str, *, is_top: bool) -> bool:
    lower = name.lower()
    if not is_top:
        return lower.endswith(EXTENSIONS)
    return any(ending in lower for ending in _ENDINGS) and not lower.endswith(EXTENSIONS)
