"""The words of a policy folder, its settings and signals, whatever state its policies are in."""

from pathlib import Path

from moderator.errors import PolicyError
from moderator.policy.files.folder import decode_folder, read_files, stem_of
from moderator.policy.files.settings import read_settings
from moderator.policy.files.signals import read_signals
from moderator.policy.language.ast import FolderSettings, Signal
from moderator.policy.syntax.diagnostics import Diagnostics, error_text
from moderator.policy.syntax.yaml_tree import Node, read_tree

_FILES = ("settings", "signals")


def read_vocabulary(folder: Path) -> tuple[FolderSettings, tuple[Signal, ...]]:
    """Read settings.yaml and signals.yaml alone.

    Raises:
        PolicyError: there is no such folder, or one of the two is missing or wrong.
    """
    diagnostics = Diagnostics()
    trees = _trees(folder, diagnostics)
    settings = read_settings(trees["settings"], diagnostics) if "settings" in trees else None
    signals = read_signals(trees["signals"], diagnostics).signals if "signals" in trees else {}
    if diagnostics.errors or settings is None:
        raise PolicyError(error_text(f"cannot use settings.yaml and signals.yaml in `{folder}`", diagnostics.errors))
    return settings, tuple(signal for signal in signals.values() if signal is not None)


def _trees(folder: Path, diagnostics: Diagnostics) -> dict[str, Node]:
    files = {name: content for name, content in read_files(folder).items() if stem_of(name) in _FILES}
    texts = decode_folder(files, str(folder), diagnostics).files
    trees = {stem_of(file.name): tree for file in texts if (tree := read_tree(file, diagnostics)) is not None}
    for name in _FILES:
        if name not in trees and not any(stem_of(file) == name for file in files):
            diagnostics.error("P001", f"{name}.yaml", "this file is missing", "every policy folder has one")
    return trees
