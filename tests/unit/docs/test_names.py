"""What README, ARCHITECTURE and docs name exists: pages, headings, files, functions."""

import ast
import re
from pathlib import Path

import pytest

from tests.pages import PAGES, ROOT, anchors, inline_code, links

PLACES = ("", "moderator", "moderator/policy", "docs", "docker/kubernetes")
"""Folders that a path on a page may begin in."""
PATH = re.compile(r"(?:[\w.{}<>,*-]+/)+[\w.{},*-]*|[\w-]+\.(?:py|md|toml|yml|jsonl)")
FUNCTION = re.compile(r"([\w/]+\.py):(\w+(?:\.\w+)?)")
OUTSIDE = (
    "http/",
    "calibration/",
    "policy/rule",
    "topic/partition",
    "application/",
    "/moderator/",
    "reply/",
    "message/",
    "lists/",
)


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    local = [link for link in links(page) if not link.startswith("https://")]

    assert [link for link in local if not _leads_somewhere(page, link)] == []


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = [code.partition(":")[0] for code in inline_code(page) if _is_path(code.partition(":")[0])]

    assert [name for name in named if not _is_there(name)] == []


def _is_path(code: str) -> bool:
    return bool(PATH.fullmatch(code)) and "/" in code.rstrip("/") and not code.startswith(("/", "~", *OUTSIDE))


def _is_there(name: str) -> bool:
    return all(any((ROOT / place / each).exists() for place in PLACES) for each in _spelled_out(name))


def _spelled_out(name: str) -> list[str]:
    """Write `a/{b,c}.py` as `a/b.py` and `a/c.py`."""
    found = re.search(r"\{([^}]*)\}", name)
    if not found:
        return [name]
    return [each for part in found[1].split(",") for each in _spelled_out(name.replace(found[0], part, 1))]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_function_that_a_page_names_exists(page: Path) -> None:
    named = [found for code in inline_code(page) if (found := FUNCTION.fullmatch(code))]

    assert [found[0] for found in named if found[2] not in _names_in(found[1])] == []


def test_the_walks_of_the_architecture_name_functions() -> None:
    walks = [code for code in inline_code(ROOT / "ARCHITECTURE.md") if FUNCTION.fullmatch(code)]

    assert len(walks) > 8


def _names_in(path: str) -> set[str]:
    """Give the functions and classes of a file, methods as `Class.method`."""
    file = next(ROOT / place / path for place in PLACES if (ROOT / place / path).is_file())
    tree = ast.parse(file.read_text("utf-8"))
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    top = [node for node in tree.body if isinstance(node, defined)]
    methods = {
        f"{node.name}.{each.name}"
        for node in top
        if isinstance(node, ast.ClassDef)
        for each in node.body
        if isinstance(each, defined)
    }
    return {node.name for node in top} | methods


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    tables = re.findall(r"(?:^\|.*\n)+", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)

    assert len(lines) <= 130
    assert max(table.count("\n") - 2 for table in tables) <= 10
