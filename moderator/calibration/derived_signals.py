"""The derived signals of a policy folder, read from signals.yaml alone: its rules may still wait for a calibration."""

from pathlib import Path

from moderator.errors import PolicyError
from moderator.policy.files.folder import decode_folder, read_files, stem_of
from moderator.policy.files.signals import read_signals
from moderator.policy.language.ast import Signal
from moderator.policy.syntax.diagnostics import Diagnostics, error_text
from moderator.policy.syntax.yaml_tree import read_tree


def read_derived_signals(folder: Path) -> tuple[Signal, ...]:
    """Give the signals that are the lowest or highest of several, in the order written.

    Raises:
        PolicyError: the folder cannot be read, has no signals.yaml, or that has errors.
    """
    diagnostics = Diagnostics()
    files = decode_folder(read_files(folder), str(folder), diagnostics).files
    file = next((file for file in files if stem_of(file.name) == "signals"), None)
    if file is None:
        raise PolicyError(f"`{folder}` has no signals.yaml: name the policy folder that the calibration is for")
    tree = read_tree(file, diagnostics)
    signals = read_signals(tree, diagnostics).signals if tree is not None else {}
    errors = [error for error in diagnostics.errors if error.file == file.name]
    if errors:
        raise PolicyError(error_text(f"cannot use the signals in `{folder}`", errors))
    return tuple(signal for signal in signals.values() if signal is not None and signal.members)
