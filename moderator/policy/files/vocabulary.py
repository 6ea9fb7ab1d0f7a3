"""What a policy folder's settings.yaml and signals.yaml declare, whatever state its policies are in."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from moderator.errors import PolicyError
from moderator.policy.files.folder import Files, decode_folder, read_files, stem_of
from moderator.policy.files.settings import read_settings
from moderator.policy.files.signals.signals import SignalsFile, read_signals
from moderator.policy.files.texts import read_texts
from moderator.policy.language.ast import FolderSettings, Signal
from moderator.policy.syntax.diagnostics import Diagnostics, error_text
from moderator.policy.syntax.yaml_tree import Node, read_tree

Content = TypeVar("Content")


def read_vocabulary(folder: Path) -> tuple[FolderSettings, tuple[Signal, ...], tuple[str, ...]]:
    """Read settings.yaml, signals.yaml and texts.yaml alone; give the settings, the signals, and the texts' keys.

    Raises:
        PolicyError: there is no such folder, or one of the first two is missing, or one of the three is wrong.
    """
    files, diagnostics = read_files(folder), Diagnostics()
    settings = _read(files, "settings", read_settings, diagnostics)
    signals = _read(files, "signals", partial(_signals, files), diagnostics)
    has_texts = any(stem_of(name) == "texts" for name in files)
    texts = _read(files, "texts", read_texts, diagnostics) if has_texts else None
    if diagnostics.errors or settings is None or signals is None:
        raise PolicyError(error_text(f"cannot use settings.yaml and signals.yaml in `{folder}`", diagnostics.errors))
    return settings, signals.sound, tuple(texts.texts) if texts else ()


def read_derived_signals(folder: Path) -> tuple[Signal, ...]:
    """Read signals.yaml alone; give the signals that are the lowest or highest of several scores, in the order written.

    Raises:
        PolicyError: there is no such folder, or signals.yaml is missing or wrong.
    """
    diagnostics = Diagnostics()
    files = read_files(folder)
    signals = _read(files, "signals", partial(_signals, files), diagnostics)
    if diagnostics.errors or signals is None:
        raise PolicyError(error_text(f"cannot use the signals in `{folder}`", diagnostics.errors))
    return tuple(signal for signal in signals.sound if signal.members and signal.kind == "score")


def _signals(files: Files, tree: Node, diagnostics: Diagnostics) -> SignalsFile:
    return read_signals(tree, files, diagnostics)


def _read(
    files: Files, stem: str, read: Callable[[Node, Diagnostics], Content], diagnostics: Diagnostics
) -> Content | None:
    named = {name: content for name, content in files.items() if stem_of(name) == stem}
    if not named:
        diagnostics.error("P001", f"{stem}.yaml", "this file is missing", "every policy folder has one")
        return None
    texts = decode_folder(named, stem, diagnostics).files
    trees = (tree for file in texts if (tree := read_tree(file, diagnostics)) is not None)
    return next((read(tree, diagnostics) for tree in trees), None)
