"""Chromium, driven by Playwright: one browser and one page for all tests.

A page that is visited may not print an error, break the Content-Security-Policy, or ask another host for anything;
that is checked when the test ends.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect, sync_playwright

from moderator.console.console import Console
from moderator.supervisor.child import free_ports
from tests.browser.chromium import Scheme, ensure_chromium
from tests.browser.scenes import address_at, served
from tests.waiting import PATIENCE_S

expect.set_options(timeout=PATIENCE_S * 1_000)
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
_COLOURS = ("color-contrast",)
Looks = tuple[tuple[int, Scheme, Sequence[str]], ...]
LOOKS: Looks = ((1280, "light", RULES), (360, "dark", RULES))
OTHER_LOOKS: Looks = ((360, "light", _COLOURS), (1280, "dark", _COLOURS))  # structure does not depend on colours
_HOLD_FIRST = """(part) => {
  const request = window.fetch;
  let held = new Promise((done) => { window.giveHeld = done; });
  window.asked = window.answered = 0;
  window.fetch = async (path, options) => {
    if (!path.includes(part)) return request(path, options);
    const isLetGo = held;
    held = null;
    window.asked += 1;
    const answer = await request(path, options);
    const body = await answer.text();
    await isLetGo;
    // what the page does with the answer is done without a further task, and then it is counted
    answer.text = async () => body;
    answer.json = async () => JSON.parse(body);
    setTimeout(() => (window.answered += 1));
    return answer;
  };
}"""
_RUN_AXE = """async (rules) => {
  const found = await axe.run(document, {runOnly: rules});
  return found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}"""


def hold_first_answer(page: Page, part: str) -> None:
    """Hold the answer to the first request whose address has this part until `give_held_answer`."""
    page.evaluate(_HOLD_FIRST, part)


def await_asked(page: Page, count: int) -> None:
    """Await that so many of these requests were made."""
    page.wait_for_function("(count) => window.asked === count", arg=count)


def give_held_answer(page: Page) -> None:
    page.evaluate("giveHeld()")


def await_answered(page: Page, count: int) -> None:
    """Await that so many of these requests are answered, and that the page has done with the answers what it does."""
    page.wait_for_function("(count) => window.answered === count", arg=count)


class Visitor:
    """Opens consoles and files in one page of a browser, one after the other, and notes what a page may not do.

    A page costs a second to make, hence there is one for all tests; each leaves nothing in it for the next.

    Attributes:
        expected: parts of messages that a test provokes.
        messages: all that the browser has printed to its console.
    """

    def __init__(self, page: Page, port: int) -> None:
        self._page = page
        self._port = port
        self._served = ExitStack()
        self._faults: list[str] = []
        self.expected: list[str] = []
        self.messages: list[str] = []
        page.set_default_timeout(PATIENCE_S * 1_000)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self._faults.append(f"error: {error}"))
        page.on("request", self._note_request)
        page.on("dialog", self._note_dialog)

    def open(self, console: Console, path: str, *, width: int = 1280, scheme: Scheme = "light") -> Page:
        """Serve a console and open one of its pages; the one before is served no more."""
        self._leave()
        self._served.enter_context(served(console, self._port))
        return self._look(path, width, scheme)

    def open_file(self, file: Path, *, width: int = 1280, scheme: Scheme = "light") -> Page:
        self._leave()
        return self._look(file.as_uri(), width, scheme)

    def leave(self) -> None:
        """Forget all that a test has done."""
        self._leave()
        self._faults.clear()
        self.expected.clear()
        self.messages.clear()

    def _look(self, address: str, width: int, scheme: Scheme) -> Page:
        self._page.set_viewport_size({"width": width, "height": 900})
        self._page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        self._page.goto(address)
        return self._page

    def _leave(self) -> None:
        if self._page.url.startswith("http"):
            self._page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self._page.goto("about:blank")
        self._page.context.clear_cookies()
        self._served.close()

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
        self.messages.append(message.text)
        if message.type == "error":
            self._faults.append(f"console: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((address_at(self._port), "file:", "data:", "blob:")):
            self._faults.append(f"foreign request: {request.url}")

    def _note_dialog(self, dialog: Dialog) -> None:
        self._faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=ensure_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def visitor(chromium: Browser) -> Visitor:
    (port,) = free_ports(1)
    return Visitor(chromium.new_page(base_url=address_at(port)), port)


@pytest.fixture
def visit(visitor: Visitor) -> Iterator[Visitor]:
    yield visitor
    faults = visitor.faults()
    visitor.leave()
    assert faults == []


@pytest.fixture(params=[LOOKS, pytest.param(OTHER_LOOKS, marks=pytest.mark.long)], ids=["usual", "other colours"])
def looks(request: pytest.FixtureRequest, visit: Visitor) -> Any:
    """Look at an open page at two widths, light or dark: nothing for axe to find, and no sideways scrolling."""

    def look(page: Page) -> None:
        for width, scheme, rules in request.param:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overflow <= 0, f"{overflow} pixels too wide at {width}"
            assert visit.axe(page, rules) == [], f"{width} {scheme}"

    return look
