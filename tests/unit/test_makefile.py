"""The Makefile is what people and CI call."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKE = re.compile(r"(?:^|`|: )make ([a-z-]+)", re.MULTILINE)
PUBLIC = {
    "help",
    "demo",
    "test",
    "test-unit",
    "test-gpu",
    "test-long",
    "soak",
    "chaos",
    "coverage",
    "mutation",
    "lint",
    "lint-workflows",
    "format",
    "generate",
    "bench-stream",
    "bench-scoring",
    "bench-classifier",
    "bench-policy",
    "bench-backtest",
    "bench-gpu",
    "bench-http",
    "bench-job",
    "bench-latency",
    "bench-console",
    "clean",
}


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_make_alone_lists_every_target_with_its_meaning() -> None:
    shown = subprocess.run(["make", "-C", ROOT, "--no-print-directory"], capture_output=True, text=True, check=True)

    listed = dict(line.split(maxsplit=1) for line in shown.stdout.splitlines())

    assert listed.keys() == PUBLIC
    assert _targets() == PUBLIC


def test_ci_calls_targets_of_the_makefile_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    commands = [line for line in script.read_text("utf-8").splitlines() if line and not line.startswith("#")]

    called = [line.removeprefix("make ") for line in commands if line.startswith("make ")]

    assert os.access(script, os.X_OK)
    assert called == ["lint", "test"]
    assert set(commands) - {f"make {target}" for target in called} == {
        "set -euo pipefail",
        'cd "$(dirname "$0")/.."',
    }


def test_workflows_and_contributors_call_targets_that_exist() -> None:
    documents = [*(ROOT / ".github").rglob("*.yml"), *(ROOT / ".github").glob("*.md"), ROOT / "CONTRIBUTING.md"]

    called = {target for each in documents for target in MAKE.findall(each.read_text("utf-8"))}

    assert {"lint", "lint-workflows", "test", "test-unit"} <= called <= PUBLIC
