"""`moderator model evaluate` on the practice model, as its user calls it."""

import json
from pathlib import Path

import pytest

from tests.pages import ROOT
from tests.warm.process import run_moderator

TEXTS = {
    1: ["Good morning everyone!", "See you on Thursday at three.", "Thanks a lot for your help."],
    0: ["You are a worthless idiot.", "I will find you and kill you tonight.", "Shut up, you stupid bitch."],
}


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    rows = [
        {"text": f"{text} {number}", "locale": "en", "labels": {"beavertails-is_safe": safe}}
        for safe, texts in TEXTS.items()
        for text in texts
        for number in range(4)
    ]
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_the_figures_of_a_labelled_file_are_those_of_the_rules(labels: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    given = ["--labels", str(labels), "--policies", str(ROOT / "policies"), "--by", "locale", "--context", "0,all"]

    people = run_moderator("model", "evaluate", *given, "--html", str(page))
    programs = run_moderator("model", "evaluate", *given, "--json", "--require", "beavertails-is_safe:auc=0.9")

    assert (people.returncode, programs.returncode) == (0, 0), people.stderr + programs.stderr
    report = json.loads(programs.stdout)
    safety = report["objectives"]["beavertails-is_safe"]
    assert (report["rows"], report["unscored"], safety["rows"], safety["ones"]) == (24, 0, 24, 12)
    assert 0.9 <= safety["auc_low"] <= safety["auc"] <= safety["auc_high"] <= 1
    [limit] = [each for each in safety["limits"] if each["from"] == "message-safety/unsafe-message"]
    assert limit["limit"] == 0.3
    assert limit["precision"] > 0.9
    assert safety["groups"]["locale=en"]["rows"] == 24
    assert [row["turns"] for row in report["context"]] == ["0", "all"]
    assert {row["mean_difference"] for row in report["context"]} == {0.0}
    assert "message-safety/unsafe-message" in people.stdout
    assert 'data-testid="objective"' in page.read_text().replace("data-testid=objective", 'data-testid="objective"')


def test_what_is_required_and_missed_is_said_with_exit_code_1(labels: Path) -> None:
    rows = [json.loads(line) for line in labels.read_text().splitlines()]
    for row in rows:
        row["labels"] = {name: 1 - label for name, label in row["labels"].items()}
    labels.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    required = ["--require", "beavertails-is_safe:auc=0.5", "--require", "beavertails-is_safe:average_precision=0.1"]

    ended = run_moderator("model", "evaluate", "--labels", str(labels), *required)

    [line] = [line for line in ended.stderr.splitlines() if "required" in line]
    assert ended.returncode == 1
    assert line.startswith("beavertails-is_safe: auc is 0.")
    assert line.endswith(", required 0.5")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["--limit", "spam"], "write OBJECTIVE=NUMBER, such as `spam=0.5`"),
        (["--require", "spam=1"], "write OBJECTIVE:auc=NUMBER"),
        (["--context", "few"], "write numbers of turns and `all`"),
        (["--require", "spam:auc=0.5"], "no event is labelled for it"),
        (["--by", "mood"], "there is no such field"),
    ],
)
def test_a_wrong_wish_is_one_line_with_exit_code_2(labels: Path, given: list[str], problem: str) -> None:
    ended = run_moderator("model", "evaluate", "--labels", str(labels), *given)

    assert ended.returncode == 2
    assert problem in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
