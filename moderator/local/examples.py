"""Where the example policies lie: in the package when it was installed, beside it in a checkout."""

from pathlib import Path

_PACKAGED = Path(__file__).with_name("policies")
_CHECKOUT = Path(__file__).parents[2] / "policies"


def example_policies() -> Path:
    """Give the folder of the example policies."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
