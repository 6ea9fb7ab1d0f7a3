"""Where the example policies are: in the package when it was installed, next to it in a checkout."""

import shutil
from pathlib import Path
from typing import Final

_PACKAGED = Path(__file__).with_name("policies")
_CHECKOUT = Path(__file__).parents[2]

MODEL_WITH_SPAM: Final = Path(__file__).with_name("builtin-with-spam")
"""The practice model and a probe that adds the objective `spam`; `python -m tests.spam.fit` made it."""


def example_policies() -> Path:
    """Give the folder of the example policies."""
    source = source_folder()
    return _PACKAGED if source is None else source / "policies"


def default_policies() -> Path:
    """Give `./policies` where there is such a folder, else the examples."""
    own = Path("policies")
    return own if own.is_dir() else example_policies()


def demo_policies(folder: Path) -> Path:
    """Give `./policies` where it is not the examples, else a copy of these with the policy for `spam`.

    Args:
        folder: an empty one, for the copy.
    """
    policies = default_policies().absolute()
    if not policies.samefile(example_policies()):
        return policies
    spam = policies / "spam"
    _copy(spam, folder, also_in_tests="safety: 1, helpfulness: 4")
    _copy(policies, folder, also_in_tests="spam: 0")  # its settings stay, and have all that those of the other have
    (folder / "signals.yaml").write_text(f"signals:\n{_signals(policies)}\n{_signals(spam)}", "utf-8")
    return folder


def shows_spam(policies: Path) -> bool:
    """Whether these are the demo's: somebody's own usually do not use what the probe gives."""
    return (policies / "spam.yaml").is_file()


def source_folder() -> Path | None:
    """Give the checkout's top folder; None when we were installed from a wheel."""
    return None if _PACKAGED.is_dir() else _CHECKOUT


def _copy(policies: Path, folder: Path, *, also_in_tests: str) -> None:
    """Copy a policy folder; its tests are given the scores that they must name beside the other's signals."""
    left_out = shutil.ignore_patterns(".schema", "armorm", "spam")
    shutil.copytree(policies, folder, ignore=left_out, dirs_exist_ok=True)
    for tests in policies.glob("*.test.yaml"):
        text = tests.read_text("utf-8").replace("scores: {", f"scores: {{{also_in_tests}, ")
        (folder / tests.name).write_text(text, "utf-8")


def _signals(policies: Path) -> str:
    return (policies / "signals.yaml").read_text("utf-8").partition("\nsignals:\n")[2]
