import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from moderator.cli.policy import app
from moderator.policy.authoring.sarif import sarif_log
from moderator.policy.syntax.diagnostics import Diagnostic, SourceFile, Span
from tests.unit.policy.folders import a_folder, a_policy, a_rule


def test_every_problem_is_a_result_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_folder(tmp_path / "my policies", a_policy(a_rule("safty: below 0.3"), a_rule("safety: below 30", name="b")))
    monkeypatch.chdir(tmp_path)

    ran = CliRunner().invoke(app, ["check", "my policies", "--format", "sarif"])

    assert ran.exit_code == 1
    (run,) = json.loads(ran.stdout)["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["P010", "P031"]
    assert [(one["ruleId"], one["ruleIndex"], one["level"]) for one in run["results"]] == [
        ("P010", 0, "error"),
        ("P031", 1, "error"),
    ]
    assert run["results"][0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "my%20policies/policy-0.yaml"},
        "region": {"startLine": 9, "startColumn": 7, "endColumn": 12},
    }


def test_a_clean_folder_gives_a_log_without_results(tmp_path: Path) -> None:
    log = sarif_log([], tmp_path)

    assert (log["version"], log["runs"][0]["results"]) == ("2.1.0", [])


def test_a_problem_of_a_whole_file_has_no_region() -> None:
    log = sarif_log([Diagnostic("error", "P003", "the file is UTF-16", "save it as UTF-8", "a.yaml", None)], Path("x"))

    assert log["runs"][0]["results"][0]["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "x/a.yaml"}}}
    ]


def test_a_name_that_is_no_text_is_escaped() -> None:
    name = b"\xff.yaml".decode("utf-8", "surrogateescape")
    span = Span(SourceFile(name, "", ("",)), 1, 1, 1)

    log = sarif_log([Diagnostic("error", "P004", "broken", "", name, span)], Path("/x"))

    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "file:///x/%FF.yaml"}
