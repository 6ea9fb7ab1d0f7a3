import json
import sys
from io import StringIO
from pathlib import Path

import pytest

from moderator.errors import ConfigurationError
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.policy.authoring.model_outputs import read_outputs
from tests.command import Command, command_line
from tests.unit.policy.folders import a_folder, a_policy, a_rule

EXAMPLES = Path(__file__).parents[4] / "policies"


@pytest.fixture
def moderator(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_line(monkeypatch, capsys, "policy")


def test_the_examples_pass_check_and_test(moderator: Command) -> None:
    check, test = moderator("check", EXAMPLES, "--strict"), moderator("test", EXAMPLES)

    assert (check.code, test.code) == (0, 0)
    assert "0 errors, 0 warnings" in check.out
    assert ", 0 failed, 0 errors" in test.out


def test_errors_exit_1_and_a_missing_folder_exits_2(tmp_path: Path, moderator: Command) -> None:
    folder = a_folder(tmp_path / "policies", a_policy(a_rule("safty: below 0.3")))

    wrong, missing = moderator("check", folder), moderator("test", tmp_path / "nowhere")

    assert (wrong.code, missing.code) == (1, 2)
    assert "P010" in wrong.out
    assert (missing.out, missing.err.count("\n")) == ("", 1)


def test_warnings_fail_only_where_that_is_asked_for(tmp_path: Path, moderator: Command) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule("safety: above 0.9")))

    assert (moderator("check", folder).code, moderator("check", folder, "--strict").code) == (0, 1)


def test_programs_read_json(tmp_path: Path, moderator: Command) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule("safty: below 0.3")))

    checked = json.loads(moderator("check", folder, "--format", "json").out)
    tested = json.loads(moderator("test", EXAMPLES, "--json").out)

    assert [(one["code"], one["file"], one["line"], one["column"]) for one in checked["problems"]] == [
        ("P010", "policy-0.yaml", 9, 7)
    ]
    assert {one["passed"] for one in tested["tests"]} == {True}


def test_a_code_is_explained(moderator: Command) -> None:
    known, unknown = moderator("check", "--about", "p021"), moderator("check", "--about", "P999")

    assert (known.code, known.out[:5]) == (0, "P021:")
    assert (unknown.code, unknown.out) == (2, "")


def test_the_signals_are_held_against_a_models_objectives(tmp_path: Path, moderator: Command) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"objectives": ["beavertails-is_safe"]}')

    result = moderator("check", EXAMPLES, "--model", model)

    assert result.code == 1
    assert "P060" in result.out


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_that_want_it_alone(
    tmp_path: Path, moderator: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = a_folder(tmp_path, a_policy(a_rule("safty: below 0.3")))
    piped = moderator("check", folder).out
    terminal, plain_terminal = Terminal(), Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", terminal)
    moderator("check", folder)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", plain_terminal)

    moderator("check", folder)

    assert terminal.getvalue().startswith("\033[31merror\033[0m P010 ")
    assert plain_terminal.getvalue() == piped
    assert "\033[" not in piped


def test_a_config_without_a_list_means_the_nineteen(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"num_objectives": 19}')

    assert read_outputs(str(tmp_path)).objectives == ARMORM_OBJECTIVES


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"num_objectives": 3}', '{"objectives": []}', '{"objectives": [1]}']
)
def test_a_config_that_does_not_name_its_objectives_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)

    with pytest.raises(ConfigurationError, match=r"config\.json"):
        read_outputs(str(tmp_path))


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read `nowhere/config\.json`"):
        read_outputs("nowhere")
