"""Files that look as if they were part of a policy folder and are not: an ending too many, or a folder too deep."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from moderator.policy.files.folder import CALIBRATIONS, EXTENSIONS, LISTS, Files
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
        fix = "move it up" if "/" in name else "end it in .yaml"
        fix = "end it in .txt" if name.startswith(LISTS) and not name.lower().endswith(EXTENSIONS) else fix
        diagnostics.warning("P008", name, "this file does not count", f"{fix}, or move it out of the folder")
    return diagnostics.all


def unnamed_list_warnings(files: Files, named: Collection[str]) -> list[Diagnostic]:
    """Give a warning for each list among the files that no signal names."""
    diagnostics = Diagnostics()
    for name in files:
        if name.startswith(LISTS) and name not in named:
            fix = f"name it in signals.yaml: from_text: {{words: {name}}}, or move it out of the folder"
            diagnostics.warning("P008", name, "no signal names this list", fix)
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
            is_list = f"{where.as_posix()}/" == LISTS and not name.endswith(".txt")
            if not name.startswith(".") and (is_list or _looks_like_policy(name, is_top=is_top)):
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
