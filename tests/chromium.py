"""A real browser for the tests of pages: Chromium without a window, and without a network."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any, Literal

import pytest

Scheme = Literal["light", "dark"]

_TIMEOUT_S = 90.0
_SCHEMES: dict[Scheme, int] = {"dark": 0, "light": 1}
_NOWHERE = "127.0.0.1:9"
_MEASURED = "data-measured"


def ensure_chromium() -> str:
    """Give the path of Chromium. What is missing is a failure, never a skip."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("`chromium` is missing: install it (Debian, Ubuntu: `apt-get install chromium`)")
    return chromium


class Browser:
    """Opens one page at a time, each in a new profile."""

    def __init__(self, chromium: str, folder: Path) -> None:
        self._chromium = chromium
        self._folder = folder

    def messages(self, page: str) -> list[str]:
        """Open a page as it is; give what the browser prints to its console."""
        shown = self._open(page, "light", 1_200)
        return [line for line in shown.stderr.splitlines() if "CONSOLE" in line or "Refused" in line]

    def measure(self, page: str, script: str, *, scheme: Scheme = "light", width: int = 1_200) -> Any:
        """Open a copy of a page in which a script runs when all is loaded; give what this, an expression, comes to."""
        allowed = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        setting = f"document.documentElement.setAttribute('{_MEASURED}', JSON.stringify({script}))"
        copy = allowed.replace("</body>", f"<script>addEventListener('load', () => {setting})</script></body>")
        found = re.search(rf'{_MEASURED}="([^"]*)"', self._open(copy, scheme, width).stdout)
        assert found, "the script did not run"
        return json.loads(unescape(found[1]))

    def _open(self, page: str, scheme: Scheme, width: int) -> subprocess.CompletedProcess[str]:
        file = self._folder / "page.html"
        file.write_text(page, encoding="utf-8")
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--hide-scrollbars",
            f"--proxy-server={_NOWHERE}",
            f"--user-data-dir={self._folder / 'profile'}",
            f"--window-size={width},1000",
            f"--blink-settings=preferredColorScheme={_SCHEMES[scheme]}",
            "--dump-dom",
        ]
        command = [self._chromium, *options, file.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
