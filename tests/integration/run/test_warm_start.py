"""A command that starts warm is what it is when it starts cold."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.warm.process import WarmPopen

STARTS = (subprocess.Popen, WarmPopen)
SEEN = """
import json, os, signal, sys
print(json.dumps({
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "main": [__name__, __file__],
    "environment": {name: value for name, value in os.environ.items() if name != "LC_CTYPE"},
    "folder": os.getcwd(), "parent": os.getppid(), "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
    "streams": [[each.encoding, each.errors, each.line_buffering] for each in (sys.stdin, sys.stdout, sys.stderr)],
    "signals": [str(signal.getsignal(number)) for number in signal.valid_signals()],
    "files": len(os.listdir("/proc/self/fd")), "threads": len(os.listdir("/proc/self/task")),
    "input": sys.stdin.read(),
}))
"""
ENDS = ("", "sys.exit(3)", "sys.exit('bye')", "raise ValueError('no')", "os.kill(os.getpid(), 15)", "os._exit(7)")


def outcome(start: type[subprocess.Popen[Any]], folder: Path, code: str, **options: Any) -> tuple[int, str, str]:
    (folder / "command.py").write_text(code)
    command, pipe = [sys.executable, "-m", "command", "--flag", "x"], subprocess.PIPE
    with start(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **options) as process:
        out, err = process.communicate("a line\n", 60)
    return process.returncode, out, err


@pytest.mark.parametrize("is_session", [True, False])
def test_it_finds_what_a_cold_start_finds(tmp_path: Path, *, is_session: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "HOME"} | {"SEEN": "yes"}

    cold, warm = (outcome(start, tmp_path, SEEN, env=environment, start_new_session=is_session) for start in STARTS)

    assert warm[0] == cold[0] == 0
    assert json.loads(warm[1]) == json.loads(cold[1])


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_as_a_cold_start_ends(tmp_path: Path, end: str) -> None:
    code = f"import atexit, os, sys\natexit.register(print, 'last')\nprint('first')\n{end}\n"

    (code_cold, out_cold, err_cold), (code_warm, out_warm, err_warm) = (
        outcome(start, tmp_path, code) for start in STARTS
    )

    assert (code_warm, out_warm) == (code_cold, out_cold)
    assert err_warm.splitlines()[-1:] == err_cold.splitlines()[-1:]


def test_what_is_read_only_at_the_start_of_torch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"`OMP_NUM_THREADS`.*start this command cold"):
        outcome(WarmPopen, tmp_path, "", env={"OMP_NUM_THREADS": "7"})


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one test process: xdist starts none")
def test_the_test_processes_of_xdist_start_warm(pytestconfig: pytest.Config) -> None:
    if pytestconfig.pluginmanager.has_plugin("_cov"):
        pytest.skip("coverage begins before anything is imported")

    assert sys.orig_argv[1:3] == ["-m", "tests.warm.worker"]
