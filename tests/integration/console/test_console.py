"""`moderator console` as a user starts and stops it."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.unit.console.decisions import a_decision, encoded
from tests.waiting import PATIENCE_S, await_condition
from tests.warm.process import run_moderator


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_it_prints_its_address_serves_and_ends_with_0_at_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b"\n".join(encoded(a_decision(1), a_decision(2, flag=True))))
    command = [sys.executable, "-m", "moderator", "console", "--decisions", str(file), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        address = process.stdout.readline().removeprefix("console at ").strip()
        await_condition(lambda: held(address) == 2)  # it serves while it still reads
        process.send_signal(number)
        code = process.wait(PATIENCE_S)
        rest, logs = process.stdout.read(), process.stderr.read()

    assert address.startswith("http://127.0.0.1:")
    assert code == 0
    assert rest == ""
    assert all(json.loads(line) for line in logs.splitlines())


def held(address: str) -> int:
    with urllib.request.urlopen(f"{address}api/overview", timeout=PATIENCE_S) as answer:
        count: int = json.load(answer)["held"]
        return count


@pytest.mark.parametrize(
    ("arguments", "variables", "error"),
    [
        (["--decisions", "nothing.jsonl"], {}, "cannot read `nothing.jsonl`"),
        (["--decisions", "README.md", "--bootstrap-servers", "b:1"], {}, "exclude each other"),
        (["--scorer-url", "http://a:1", "--model", "builtin"], {}, "exclude each other"),
        (["--host", "0.0.0.0"], {}, "set `MODERATOR_CONSOLE__TOKEN`, or `MODERATOR_CONSOLE__USER_HEADER`"),
        (
            ["--decisions", "README.md", "--host", "198.51.100.1"],
            {"MODERATOR_CONSOLE__TOKEN": "x" * 16},
            "cannot listen",
        ),
        ([], {"MODERATOR_CONSOLE__TOKEN": "secret"}, "MODERATOR_CONSOLE__TOKEN"),
    ],
)
def test_a_wrong_configuration_ends_with_2_and_says_what_to_do(
    arguments: list[str], variables: dict[str, str], error: str
) -> None:
    ended = run_moderator("console", *arguments, **variables)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert error in ended.stderr
    assert "secret`" not in ended.stderr
