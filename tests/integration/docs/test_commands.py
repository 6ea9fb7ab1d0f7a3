"""The commands of the pages are run as a reader types them, in the order of the page, and print what the page shows."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.pages import PAGES, ROOT, Block, blocks
from tests.warm.command import warm_command

RUN_PAGES = [page for page in PAGES if any(block.kind == "run" for block in blocks(page))]
README = ROOT / "README.md"
CONSUMING = ROOT / "docs" / "consuming.md"
PLACE = {"topic", "partition", "offset", "timestamp"}
TIME = {"decided_at", "timing_ms"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the pages' commands use of a checkout."""
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    sample = tmp_path / "moderator" / "demo" / "sample_events.jsonl"
    sample.parent.mkdir(parents=True)
    shutil.copy(ROOT / "moderator" / "demo" / "sample_events.jsonl", sample)
    return tmp_path


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, checkout: Path) -> None:
    printed = ""
    for block in blocks(page):
        if block.argument("file"):
            (checkout / str(block.argument("file"))).write_text(block.text, "utf-8")
        elif block.kind == "run":
            printed = _run(block, checkout)
        elif block.kind == "output":
            assert re.fullmatch(_pattern(block.text), printed), f"{block}: printed was\n{printed}"


def test_the_decisions_shown_are_what_comes_out_of_the_event_of_the_readme(checkout: Path) -> None:
    (event,) = (json.loads(block.text) for block in blocks(README) if block.kind == "event")
    (short,) = (json.loads(block.text) for block in blocks(README) if block.kind == "part-of-decision")
    (long,) = (json.loads(block.text) for block in blocks(CONSUMING) if block.kind == "decision")
    (checkout / "event.jsonl").write_text(json.dumps(event), "utf-8")

    ran = _bash(["-c", "moderator score event.jsonl --policies policies 2>/dev/null"], checkout)

    decision = json.loads(ran.stdout)
    assert _is_part(short, decision)
    assert long.keys() == decision.keys()
    assert _is_part(_without_place_time_and_unicode(long), decision)


def _without_place_time_and_unicode(decision: dict[str, Any]) -> dict[str, Any]:
    of_event = {name: value for name, value in decision["event"].items() if name not in PLACE}
    of_policy = {name: value for name, value in decision["policy"].items() if name != "text"}  # Python's Unicode
    return {name: value for name, value in decision.items() if name not in TIME} | {
        "event": of_event,
        "policy": of_policy,
    }


def _run(block: Block, folder: Path) -> str:
    ran = _bash(["-e", "-o", "pipefail", "-c", block.text], folder)
    assert ran.returncode == int(block.argument("exit") or 0), f"{block}: {ran.stdout}"
    return ran.stdout


def _bash(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run bash where `moderator` is on the path and nothing is set up by the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MODERATOR_")}
    with tempfile.TemporaryDirectory() as beside, warm_command(Path(beside)) as programs:
        return subprocess.run(
            ["bash", *arguments],
            cwd=folder,
            env=kept | {"PATH": f"{programs}{os.pathsep}{kept['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def _pattern(shown: str) -> str:
    """Make … stand for anything, over several lines too."""
    return "(?s:" + ".*".join(map(re.escape, shown.rstrip("\n").split("…"))) + ")\n?"


def _is_part(part: Any, whole: Any) -> bool:
    """Whether everything that is shown is there; of a list each item in some place, numbers to 1e-4."""
    if isinstance(part, dict):
        return all(key in whole and _is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return all(any(_is_part(item, other) for other in whole) for item in part)
    return bool(part == pytest.approx(whole, abs=1e-4))
