"""A real browser for the tests of pages: Chromium without a window."""

import shutil
from typing import Literal

import pytest

Scheme = Literal["light", "dark"]


def ensure_chromium() -> str:
    """Give the path of Chromium. What is missing is a failure, never a skip."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("`chromium` is missing: install it (Debian, Ubuntu: `apt-get install chromium`)")
    return chromium
