"""A call that names no command: the hint is on stderr, for a program may read stdout."""

import pytest
from typer.testing import CliRunner

from moderator.cli.app import app
from moderator.errors import ConfigurationError


@pytest.mark.parametrize("group", [[], ["dead-letters"], ["model"], ["policy"], ["topics"]], ids=" ".join)
def test_a_missing_command_is_told_on_stderr(group: list[str]) -> None:
    ended = CliRunner().invoke(app, group)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "Missing command" in ended.stderr
    assert "--help" in ended.stderr


def test_run_with_json_alone_starts_nothing() -> None:
    ended = CliRunner().invoke(app, ["run", "--json"])

    assert isinstance(ended.exception, ConfigurationError)
    assert "`--json` is about the answer of `--check`" in str(ended.exception)
