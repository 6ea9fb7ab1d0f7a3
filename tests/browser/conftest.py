"""Chromium, driven by Playwright: one browser for a test process, one profile for each test.

A page that is visited may not print an error, break the Content-Security-Policy, or ask another host for anything;
that is checked when the test ends.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from moderator.console.console import Console
from tests.browser.scenes import served
from tests.chromium import Scheme, ensure_chromium

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
_COLOURS = ("color-contrast",)
LOOKS: tuple[tuple[int, Scheme, Sequence[str]], ...] = (
    (1280, "light", RULES),
    (360, "dark", RULES),
    (360, "light", _COLOURS),  # structure does not depend on colours
    (1280, "dark", _COLOURS),
)
_RUN_AXE = """async (rules) => {
  const found = await axe.run(document, {runOnly: rules});
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}"""


class Visitor:
    """Opens consoles in a browser, and notes what a page may not do.

    Attributes:
        expected: parts of messages that a test provokes.
    """

    def __init__(self, browser: Browser, stack: ExitStack) -> None:
        self._browser = browser
        self._stack = stack
        self._hosts: set[str] = set()
        self._faults: list[str] = []
        self.expected: list[str] = []

    def open(self, console: Console, path: str, *, width: int = 1280, scheme: Scheme = "light") -> Page:
        """Serve a console and open one of its pages."""
        address = self._stack.enter_context(served(console))
        self._hosts.add(address)
        context = self._browser.new_context(
            base_url=address, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        self._stack.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self._faults.append(f"error: {error}"))
        page.on("request", self._note_request)
        page.goto(path)
        return page

    def axe(self, page: Page, rules: Sequence[str] = RULES) -> list[str]:
        """Give what axe-core finds; by default against WCAG 2.0 to 2.2, A and AA."""
        if not page.evaluate("Boolean(window.axe)"):
            page.evaluate(AXE)
        violations: list[str] = page.evaluate(_RUN_AXE, list(rules))
        return violations

    def faults(self) -> list[str]:
        """Give what no page may do."""
        return [fault for fault in self._faults if not any(part in fault for part in self.expected)]

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._faults.append(f"console: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((*self._hosts, "data:", "blob:")):
            self._faults.append(f"foreign request: {request.url}")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=ensure_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visitor]:
    with ExitStack() as stack:
        visitor = Visitor(chromium, stack)
        yield visitor
    assert visitor.faults() == []


@pytest.fixture
def looks(visit: Visitor) -> Any:
    """Look at an open page at two widths, light and dark: nothing for axe to find, and no sideways scrolling."""

    def look(page: Page) -> None:
        for width, scheme, rules in LOOKS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{overflow} pixels too wide at {width}"
            assert visit.axe(page, rules) == [], f"{width} {scheme}"

    return look
