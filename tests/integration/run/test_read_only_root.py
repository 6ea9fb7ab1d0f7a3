"""A root file system that cannot be written, as in a hardened container: what a start needs besides."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.run.test_run import variables
from tests.kafka_stream import some_names

READ_ONLY = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
REMOUNT = "mount -o remount,bind,ro / && "
CAN_REMOUNT = subprocess.run([*READ_ONLY, f"{REMOUNT}true"], stderr=subprocess.DEVNULL, check=False).returncode == 0

pytestmark = pytest.mark.skipif(not CAN_REMOUNT, reason="no right to mount in a namespace of its own")


def checked(prepare: str, *, tmpdir: str) -> dict[str, str]:
    """Give the state of each check of a start that may write nothing but what `prepare` mounts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MODERATOR_")}
    settings = some_names(bootstrap_servers="127.0.0.1:9", start_timeout_s=1)
    environment = {**kept, **variables(settings), "TMPDIR": tmpdir, "PYTHONDONTWRITEBYTECODE": "1"}
    command = f"{REMOUNT}{prepare}cd / && exec {sys.executable} -m moderator run --check"
    ended = subprocess.run([*READ_ONLY, command], capture_output=True, text=True, env=environment, check=False)
    lines = [line.split(maxsplit=2) for line in ended.stdout.splitlines()]
    states = {name: state for state, name, _ in lines}
    assert states.pop("kafka") == "unreachable", ended.stderr
    assert states["temporary_folder"] == "ok" or "`TMPDIR`" in ended.stdout
    return states


def test_without_a_folder_for_temporary_files_the_check_names_tmpdir_and_does_not_crash() -> None:
    states = checked("", tmpdir="")

    assert (states["temporary_folder"], states["model"]) == ("wrong", "skipped")


def test_with_one_writable_folder_everything_else_may_be_read_only(tmp_path: Path) -> None:
    states = checked(f"mount -t tmpfs none {tmp_path} && ", tmpdir=str(tmp_path))

    assert (states["temporary_folder"], states["model"], states["device"]) == ("ok", "ok", "ok")
