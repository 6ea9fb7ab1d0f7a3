"""The playground, its API and `policy backtest` give the same figures, whatever the edit."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from moderator.cli.app import app
from moderator.policy import load_policies
from moderator.settings import PoliciesSettings, Settings
from tests.unit.backtest.decisions import recorded, write_lines
from tests.unit.console.decisions import a_browser, a_console
from tests.unit.policy.folders import POLICY, a_folder, a_policy, a_rule

EDITS = [*range(15), *(pytest.param(number, marks=pytest.mark.long) for number in range(15, 50))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_folder(
        tmp_path_factory.mktemp("figures") / "now",
        a_policy(
            a_rule("safety: below 0.30"),
            a_rule("all: [{helpfulness: below 1.5}, {safety: below 0.60}]", name="useless"),
            a_rule("usefulness: below 1.0", name="watched", mode="shadow"),
            a_rule("honesty: in the lowest 20%", name="dishonest", more="except: [{tenant: acme}]"),
        ),
    )


@pytest.fixture(scope="module")
def decisions(folder: Path) -> list[bytes]:
    policies, draw = load_policies(folder), random.Random(7)
    return [
        recorded(
            policies,
            *(round(draw.random(), 6) for _ in range(4)),
            id=f"evt-{nth}",
            tenant=draw.choice(["acme", "beta", "gamma"]),
            user=f"u-{nth % 17}",
        )
        for nth in range(150)
    ]


@pytest.fixture(scope="module")
def client(folder: Path, decisions: list[bytes]) -> TestClient:
    settings = Settings(policies=PoliciesSettings(path=folder))
    return a_browser(a_console(values=decisions, settings=settings))


@pytest.mark.parametrize("number", EDITS)
def test_a_random_edit_has_the_figures_of_a_backtest(
    number: int, folder: Path, decisions: list[bytes], client: TestClient, tmp_path: Path
) -> None:
    edit = some_edit((folder / POLICY).read_text(), random.Random(number))
    candidate = tmp_path / "candidate"
    candidate.mkdir()
    for path in folder.glob("*.yaml"):
        (candidate / path.name).write_text(edit if path.name == POLICY else path.read_text())
    (candidate / "calibration").symlink_to(folder / "calibration")

    flips = client.post("/api/flips", json={"files": {POLICY: edit}})
    backtest = backtest_of(folder, candidate, write_lines(tmp_path / "decisions.jsonl", decisions))

    assert flips.status_code == 200, flips.text
    for part in ("flips", "rules", "fidelity", "groups"):
        assert flips.json()[part] == backtest[part]
    for side in ("baseline", "candidate"):
        assert flips.json()[side]["snapshot"] == backtest[side]["snapshot"]
    assert (flips.json()["stale"], flips.json()["undecided"]) == (backtest["stale"], backtest["undecided"])
    shown = client.post("/parts/playground/flips", json={"files": {POLICY: edit}}).text
    cells = re.findall(r'data-before="(\w+)" data-after="(\w+)" data-count="(\d+)"', shown)
    assert {f"{before}_{after}": int(count) for before, after, count in cells} == backtest["flips"]
    rules = re.findall(r'data-testid="flip-rule" data-rule="([^"]+)" data-gained="(\d+)" data-lost="(\d+)"', shown)
    assert {rule: (int(gained), int(lost)) for rule, gained, lost in rules} == {
        rule["rule"]: (rule["flips"]["allow_flag"], rule["flips"]["flag_allow"]) for rule in backtest["rules"]
    }


def backtest_of(baseline: Path, candidate: Path, events: Path) -> Any:
    folders = ["--baseline", str(baseline), "--candidate", str(candidate)]
    result = CliRunner().invoke(app, ["policy", "backtest", *folders, "--events", str(events), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def some_edit(text: str, draw: random.Random) -> str:
    """Change limits, modes and shares, add a rule, or drop an exception; at least one of these."""
    edited = re.sub(r"below (\d\.\d+)", lambda found: f"below {draw.uniform(0.05, 0.95):.2f}", text)
    edited = re.sub(r"lowest \d+%", lambda _: f"lowest {draw.randint(1, 50)}%", edited)
    edited = re.sub(r"mode: \w+", lambda _: f"mode: {draw.choice(['live', 'live', 'shadow', 'off'])}", edited)
    if draw.random() < 0.3:
        edited += a_rule(f"correctness: at least {draw.uniform(1, 3):.2f}", name="added", mode="live")
    if draw.random() < 0.3:
        edited = re.sub(r" +except: .*\n", "", edited)
    return edited if "mode: live" in edited else edited.replace("mode: shadow", "mode: live", 1)
