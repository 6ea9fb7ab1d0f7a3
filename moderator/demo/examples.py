"""Where the example policies are: in the package when it was installed, next to it in a checkout."""

from pathlib import Path

_PACKAGED = Path(__file__).with_name("policies")
_CHECKOUT = Path(__file__).parents[2]


def example_policies() -> Path:
    """Give the folder of the example policies."""
    source = source_folder()
    return _PACKAGED if source is None else source / "policies"


def default_policies() -> Path:
    """Give `./policies` where there is such a folder, else the examples."""
    own = Path("policies")
    return own if own.is_dir() else example_policies()


def source_folder() -> Path | None:
    """Give the checkout's top folder; None when we were installed from a wheel."""
    return None if _PACKAGED.is_dir() else _CHECKOUT
