"""Commands whose standard streams are closed, full, or without a reader: they end with their own exit code."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from moderator.cli.app import main
from moderator.cli.files.standard_streams import guard_streams
from tests.unit.policy.folders import CHAT_SAFETY, a_folder

EndsWith = Callable[..., object]


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> EndsWith:
    """Run a command in a folder that holds two policy folders; give its exit code."""
    monkeypatch.chdir(tmp_path)
    a_folder(Path("policies"), CHAT_SAFETY)
    a_folder(Path("other"), CHAT_SAFETY.replace("0.30", "0.35"))

    def run(command: str, **streams: int | None) -> object:
        with ExitStack() as stack, monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["moderator", *command.split()])
            for name, descriptor in streams.items():
                opened = None if descriptor is None else stack.enter_context(os.fdopen(descriptor, "w"))
                patched.setattr(sys, name, opened)
            with pytest.raises(SystemExit) as ended:
                main()
        return ended.value.code

    return run


def no_reader() -> int:
    """A pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def a_full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "run --print-settings",
        "policy check",
        "policy check --about P021",
        "policy test --suggest",
        "policy explain --words chat-safety",
        "policy diff policies other",
        "policy schema --output -",
    ],
)
def test_a_reader_who_goes_ends_a_command_in_silence(
    command: str, ends_with: EndsWith, capsys: pytest.CaptureFixture[str]
) -> None:
    code = ends_with(command, stdout=no_reader())

    assert (code, capsys.readouterr().err) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("stderr", [no_reader, a_full_disk, lambda: None], ids=["unread", "full", "closed"])
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("policy check nowhere", 2),
        ("policy check --nonsense", 2),
        ("policy check --about P999", 2),
        ("score nowhere", 2),
        ("policy schema", 0),
    ],
)
def test_what_cannot_be_told_on_stderr_changes_no_exit_code(
    command: str, code: int, stderr: Callable[[], int | None], ends_with: EndsWith
) -> None:
    assert ends_with(command, stderr=stderr()) == code


def test_what_was_written_before_the_reader_went_does_not_fail_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with os.fdopen(no_reader(), "w") as stdout, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stdout)
        guard_streams()
        guarded = sys.stdout
        guarded.write("an answer\n")
        with pytest.raises(SystemExit):
            guarded.flush()

        guarded.flush()


def test_a_closed_stdout_changes_no_exit_code(ends_with: EndsWith) -> None:
    assert (ends_with("policy check", stdout=None), ends_with("policy test", stdout=None)) == (0, 1)


@pytest.mark.parametrize(
    "command",
    [
        "policy explain --decision -",
        "policy explain --event -",
        "policy backtest --baseline policies --candidate policies --events -",
    ],
)
def test_a_closed_stdin_is_told(command: str, ends_with: EndsWith, capsys: pytest.CaptureFixture[str]) -> None:
    code = ends_with(command, stdin=None)

    assert (code, capsys.readouterr().err) == (2, "error: there is no standard input to read: name a file\n")
