"""What is published: the archives hold all that users need and no more, and a type checker sees our types."""

import re
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
# an error that is ignored, but not reported, is an error too: both lines need the types of the package
CONSUMER = """\
from typing import assert_type

from moderator.events import Record

assert_type(Record("chat.events", 0, 7, None, None, b"{}").offset, int)
Record("chat.events", "first", 7, None, None, b"{}")  # type: ignore[arg-type]
"""


def _build(target: str, source: Path, folder: Path) -> Path:
    """Build one archive without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, capture_output=True, check=True)
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(_build("sdist", ROOT, folder / "archive")) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("moderator-*")
    return unpacked


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    """The wheel, built from the source archive, as it is for a release."""
    return _build("wheel", source, source.parent / "wheel")


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_the_example_policies_and_nothing_else(wheel: Path) -> None:
    package = {f"moderator/{name}" for name in _files(ROOT / "moderator")}
    policies = {f"moderator/demo/policies/{name}" for name in _files(ROOT / "policies")}

    packaged = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert packaged == package | policies
    assert packaged >= {
        "moderator/py.typed",
        "moderator/demo/builtin-with-spam/probe.safetensors",
        "moderator/demo/policies/armorm/signals.yaml",
        "moderator/scoring/builtin/model.safetensors",
        "moderator/stream/schemas/decision.schema.json",
    }


def test_the_source_archive_holds_the_tests_and_the_documents(source: Path) -> None:
    assert _files(source / "tests") == _files(ROOT / "tests")
    assert {path.name for path in source.glob("*.md")} == {path.name for path in ROOT.glob("*.md")}


@pytest.mark.long
def test_a_type_checker_outside_sees_the_types_of_the_package(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    ZipFile(wheel).extractall(packages)
    (tmp_path / "consumer.py").write_text(CONSUMER, "utf-8")

    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(environment / "bin" / "python")]
    checked = subprocess.run([*command, "consumer.py"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert checked.stdout == "Success: no issues found in 1 source file\n"


def test_the_changelog_names_the_version_that_is_built(wheel: Path) -> None:
    released = re.findall(r"^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert wheel.name == f"moderator-{released[0]}-py3-none-any.whl"
