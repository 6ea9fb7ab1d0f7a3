"""The project's Markdown pages as the tests read them.

Behind the language of every fenced block stands how it is checked, which readers of the rendered page do not see:

    sh run [exit=N]   run in the page's own folder, one block after the other; it ends with 0, or with N
    sh parse          every line is a `moderator` command that the command line takes, or sets a variable that exists
    sh make           every line is a target of the Makefile
    yaml KIND         a policy, a rule, a condition, signals, settings, exemptions or tests: loads without an error
    yaml verdicts     a file that says what a guard may answer
    KIND file=NAME    written into the page's folder, for the commands after it
    json KIND         an event, a decision, a label, an error, a verdict or what was rejected: valid by its schema
    text output       what the `sh run` before it prints; … stands for anything
    text golden       one problem of the exact texts of `tests/golden`
    LANGUAGE client   a program that reads decisions from a real broker in `tests/integration/docs/test_consuming.py`
    sh send           likewise, one that sends an event
    yaml litellm      the guardrail of LiteLLM's proxy in `tests/integration/http/test_litellm_proxy.py`
    python ask|openai a program that asks over HTTP, in `tests/integration/docs/test_http.py`
    LANGUAGE skip: REASON   not checked
    mermaid           a flow chart whose arrows lead from and to declared nodes

A block that says nothing of this fails a test.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `line` counts from 1, `check` is what stands behind the language."""

    page: Path
    line: int
    language: str
    check: str
    text: str

    @property
    def kind(self) -> str:
        return self.check.split("=")[0].split(":")[0].split()[0] if self.check else ""

    def argument(self, name: str) -> str | None:
        found = re.search(rf"\b{name}=(\S+)", self.check)
        return found[1] if found else None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*pages: Path) -> list[Block]:
    return [block for page in pages or PAGES for block in _blocks_of(page)]


def links(page: Path) -> list[str]:
    """Give where the page's links and pictures lead, as written."""
    inline = [child for token in _tokens(page) for child in token.children or []]
    targets = [token.attrs.get("href") or token.attrs.get("src") for token in inline]
    return [str(target) for target in targets if target]


def inline_code(page: Path) -> list[str]:
    return [child.content for token in _tokens(page) for child in token.children or [] if child.type == "code_inline"]


def anchors(page: Path) -> set[str]:
    """Give the anchors of the page's headings, as code hosts make them."""
    tokens = _tokens(page)
    headings = [tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _blocks_of(page: Path) -> Iterator[Block]:
    for token in _tokens(page):
        if token.type in {"fence", "code_block"}:
            language, _, check = token.info.strip().partition(" ")
            yield Block(page, (token.map or [0])[0] + 1, language, check.strip(), token.content)


@cache
def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))
