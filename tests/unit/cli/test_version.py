import platform
import re
from pathlib import Path

from typer.testing import CliRunner

from moderator.cli.app import app
from moderator.cli.version import version_line


def test_the_version_is_printed_without_a_command() -> None:
    ended = CliRunner().invoke(app, ["--version"])

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert re.fullmatch(r"moderator \d+\.\d+\.\d+ \(\w+, Python \d+\.\d+\.\d+\S*\)\n", ended.stdout)


def test_the_revision_is_what_the_build_wrote(tmp_path: Path) -> None:
    written = tmp_path / "REVISION"
    written.write_text("2e3f356\n")

    assert f"(2e3f356, Python {platform.python_version()})" in version_line(written)


def test_without_a_build_the_revision_is_unknown(tmp_path: Path) -> None:
    assert "(unknown, Python " in version_line(tmp_path / "REVISION")
