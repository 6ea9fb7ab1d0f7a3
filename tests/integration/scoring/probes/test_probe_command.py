"""`moderator model probe` on the practice model, as its user calls it: files in, a folder out that loads as a model."""

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.pages import ROOT
from tests.warm.process import run_moderator

OFFERS = ["buy now and win", "cheap watches at", "click here for a free", "earn cash with"]
WORDS = ["phone", "prize", "car", "holiday", "garden", "kitchen", "ticket", "coffee"]
TALK = ["see you at the", "thanks for the", "my mother likes the", "where is the"]
BACKBONE = ROOT / "moderator" / "scoring" / "builtin"


def rows(objective: str = "spam") -> list[dict[str, Any]]:
    return [
        {"text": f"{start} {word} {number}", "labels": {objective: label}}
        for label, starts in ((1, OFFERS), (0, TALK))
        for start in starts
        for number, word in enumerate(WORDS)
    ]


def written(folder: Path, lines: list[Any]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def fit(
    folder: Path, *more: str, lines: list[Any] | None = None, model: str = "builtin", to: str = "spam"
) -> CompletedProcess[str]:
    labels = written(folder, rows() if lines is None else lines)
    given = ["--model", model, "--labels", str(labels), "--output", str(folder / to), *more]
    return run_moderator("model", "probe", *given)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with a probe for spam, its page and labels; and what was printed."""
    folder = tmp_path_factory.mktemp("fitted")
    ended = fit(folder, "--json", "--html", str(folder / "report.html"))
    assert ended.returncode == 0, ended.stderr
    return folder, json.loads(ended.stdout)


def test_the_report_has_every_figure_of_the_rows_that_were_held_out(fitted: tuple[Path, dict[str, Any]]) -> None:
    folder, report = fitted

    spam = report["objectives"]["spam"]

    assert (report["rows"], spam["rows"], spam["ones"]) == (64, 64, 32)
    assert spam["learned"] + spam["held_out"] == 64
    assert spam["auc_low"] <= spam["auc"] <= spam["auc_high"]
    assert spam["auc"] > 0.9
    assert [point["rows"] for point in spam["learning_curve"]][-1] == spam["learned"]
    assert [limit["limit"] for limit in spam["limits"]] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert sum(each["rows"] for each in spam["reliability"]["bins"]) == spam["held_out"]
    assert spam["baseline"]["auc"] is not None
    assert json.loads((folder / "spam" / "report.json").read_text()) == report
    assert "# Probe for spam" in (folder / "spam" / "REPORT.md").read_text()
    page = (folder / "report.html").read_text()
    for name in ("objective", "auc", "reliability", "limits", "learning-curve", "baseline"):
        assert f"data-testid={name}" in page
    assert "://" not in page


def test_the_folder_is_a_model_whose_new_objective_tells_the_labels_apart(fitted: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = fitted
    given = ["--model", str(folder / "spam"), "--labels", str(folder / "labels.jsonl"), "--require", "spam:auc=0.95"]

    assert run_moderator("model", "evaluate", *given).returncode == 0


def test_the_same_file_and_seed_give_the_same_bytes(fitted: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, report = fitted

    again = fit(tmp_path)

    assert "SPAM: BESIDE WORDS ALONE" in again.stdout
    first, second = (path / "spam" / "probe.safetensors" for path in (folder, tmp_path))
    assert first.read_bytes() == second.read_bytes()
    assert json.loads((tmp_path / "spam" / "report.json").read_text()) == report


def test_a_copied_backbone_goes_with_the_folder(tmp_path: Path) -> None:
    backbone = Path(shutil.copytree(BACKBONE, tmp_path / "backbone"))
    copied = fit(tmp_path, "--copy", model=str(backbone))
    shutil.rmtree(backbone)

    assert copied.returncode == 0, copied.stderr
    assert run_moderator("model", "info", str(tmp_path / "spam"), "--check").returncode == 0


def test_long_rows_and_texts_that_are_held_out_elsewhere_are_left_out_and_counted(tmp_path: Path) -> None:
    long = {"text": "buy now and win " * 200, "labels": {"spam": 1}}
    twice = [row | {"conversation_id": f"c{at}{number}"} for at, row in enumerate(rows()) for number in range(2)]

    ended = fit(tmp_path, "--json", lines=[*twice, long])

    report = json.loads(ended.stdout)
    assert report["rows"] == 129
    assert report["left_out"]["in_passages"] == 1
    assert report["left_out"]["repeated"] > 0
    assert report["learned"] + report["held_out"] + sum(report["left_out"].values()) == 129


def test_too_few_labels_of_a_side_are_named_with_exit_code_1_and_nothing_is_written(tmp_path: Path) -> None:
    ended = fit(tmp_path, lines=[*rows(), *rows("selling")[:40]])

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "selling: 32 rows labelled 1 and 8 labelled 0; 20 of each are needed"
    assert not (tmp_path / "spam").exists()


@pytest.mark.parametrize(
    ("lines", "more", "problem"),
    [
        (["{", {"text": "x", "labels": {"spam": 2}}], [], "labels.jsonl:2: `labels.spam` must be a number from 0 to 1"),
        (rows("beavertails-is_safe"), [], "the backbone has an objective `beavertails-is_safe` already"),
        (rows("Spam"), [], "`Spam` is no name of an objective"),
        (rows(), ["--alpha", "none"], "write `auto` or a number above 0"),
        (rows(), ["--copy"], "the practice model is in every installation"),
    ],
)
def test_a_wrong_wish_is_said_with_exit_code_2_and_nothing_is_written(
    tmp_path: Path, lines: list[Any], more: list[str], problem: str
) -> None:
    ended = fit(tmp_path, *more, lines=lines)

    assert ended.returncode == 2
    assert problem in ended.stderr
    assert not (tmp_path / "spam").exists()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "spam").mkdir()
    (tmp_path / "spam" / "notes.txt").write_text("mine")

    refused = fit(tmp_path)

    assert refused.returncode == 2
    assert "holds something that is no probe" in refused.stderr


def test_a_probe_is_no_backbone(fitted: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    refused = fit(tmp_path, model=str(fitted[0] / "spam"), lines=rows("selling"))

    assert refused.returncode == 2
    assert "is a probe itself: name its backbone `builtin`" in refused.stderr
