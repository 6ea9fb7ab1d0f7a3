"""The exact text of every diagnostic that `policy check`, `policy test` and `run` can print.

Each case is one text file: the command, the files of the folder, the output. Where a case gives no `settings.yaml`
or `signals.yaml`, the ones next to the cases are used. The word after a file's name says how it is made, see `make`.
`$ moderator run` admits the folder as at a start, with the model of `model.json`.
"""

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from moderator.cli.policy import app
from moderator.errors import PolicyError
from moderator.objectives import ARMORM_OBJECTIVES
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import read_folder
from moderator.policy.syntax.codes import CODES
from tests.unit.policy.folders import CALIBRATION_FILE, a_calibration, a_model

CASES = sorted(Path(__file__).with_name("policy").glob("*.txt"))
SECTION = re.compile(r"^>>> (.+)\n", re.MULTILINE)
TIED = [round(rank / 1000, 1) for rank in range(1001)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_diagnostic_has_exactly_this_text(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command, files = read_case(case)
    expected = files.pop("output")
    lay_out(files, tmp_path / "policies")
    monkeypatch.chdir(tmp_path)

    printed, exit_code = run(command, files)

    assert re.sub(r"sha256:[0-9a-f]{64}", "sha256:...", printed) == expected
    assert exit_code == (0 if "\n0 errors" in f"\n{expected}" else 1)


def test_every_code_of_the_catalogue_has_its_text_here() -> None:
    shown = {code for case in CASES for code in re.findall(r"^\w+ (P\d+) ", case.read_text(), re.MULTILINE)}

    assert shown == set(CODES)


def test_a_case_is_named_after_a_code_that_it_shows() -> None:
    assert [case.stem for case in CASES if f" {case.stem[:4]} " not in case.read_text()] == []


def run(command: str, files: dict[str, str]) -> tuple[str, int]:
    """Give what is printed, and 0 or 1: whether there are errors."""
    try:
        if command == "$ moderator run":
            model = a_model(ARMORM_OBJECTIVES, **json.loads(files["model.json"]))
            accepted = Admission(model).admit(read_folder(Path("policies")))
            return "".join(f"{warning}\n" for warning in accepted.warnings) + "0 errors\n", 0
        arguments = shlex.split(command.removeprefix("$ moderator policy "))
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    except PolicyError as error:
        return f"{error}\n", 1
    return result.stdout, result.exit_code


def read_case(case: Path) -> tuple[str, dict[str, str]]:
    command, *sections = SECTION.split(case.read_text())
    return command.strip(), dict(zip(sections[::2], sections[1::2], strict=True))


def lay_out(files: dict[str, str], folder: Path) -> None:
    folder.mkdir()
    for header, text in with_defaults(files):
        name, _, kind = header.partition(" ")
        path = folder.parent / name if name.startswith(("model/", "model.json")) else folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path, kind, text)


def make(path: Path, kind: str, text: str) -> None:
    """Make what a case names: text, as many times as it says; bytes, in escapes; a link to the text; a pipe."""
    match kind:
        case "link":
            path.symlink_to(text.strip())
        case "pipe":
            os.mkfifo(path)
        case "bytes":
            path.write_bytes(text.encode().decode("unicode_escape").encode("latin-1"))
        case times:
            path.write_text(text * int(times or 1))


def with_defaults(files: dict[str, str]) -> Iterator[tuple[str, str]]:
    for default in ("settings.yaml", "signals.yaml"):
        if default not in files and f"no {default}" not in files:
            yield default, Path(__file__).with_name("policy").joinpath(default).read_text()
    calibration = a_calibration()
    yield (
        CALIBRATION_FILE,
        json.dumps(calibration | {"quantiles": calibration["quantiles"] | {"helpsteer-verbosity": TIED}}),
    )
    yield from ((name, text) for name, text in files.items() if not name.startswith("no "))
