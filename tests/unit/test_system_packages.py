"""What the Makefile installs before a target that needs it; apt-get and the programs are stand-ins."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "system_packages.sh"
TOOLS = ("bash", "flock", "cut", "sort", "tail")
NEW_JAVA, OLD_JAVA = "21.0.5", "1.8.0_402"


class Machine:
    """A PATH of its own: the tools that the script calls, and whatever a test adds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "log"
        self.add("id", "echo 0")
        self.add("apt-get", f'echo "$@" >> {self._log}')
        self.add("apt-cache", "echo 'openjdk-17-jre-headless - Java'; echo 'openjdk-21-jre-headless - Java'")
        for tool in TOOLS:
            (folder / tool).symlink_to(f"/usr/bin/{tool}")

    def add(self, program: str, script: str = ":") -> None:
        (self._folder / program).write_text(f"#!/bin/bash\n{script}\n")
        (self._folder / program).chmod(0o755)

    def remove(self, program: str) -> None:
        (self._folder / program).unlink()

    def add_java(self, version: str) -> None:
        self.add("java", f"echo 'openjdk version \"{version}\" 2024-10-15' >&2")

    def run(self, *programs: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PATH": str(self._folder)}
        return subprocess.run([SCRIPT, *programs], env=environment, capture_output=True, text=True, check=False)

    def installed(self, *programs: str) -> list[str]:
        """Run the script and give what it asked apt-get to install."""
        assert self.run(*programs).returncode == 0
        calls = self._log.read_text().splitlines() if self._log.exists() else []
        words = [word for call in calls if " install " in call for word in call.split()]
        return words[words.index("--no-install-recommends") + 1 :] if words else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_only_what_is_missing_is_installed(machine: Machine) -> None:
    machine.add("mvn")

    assert machine.installed("mvn", "redis-server", "chromium") == ["redis-server", "chromium", "fonts-dejavu-core"]


def test_the_newest_known_java_is_installed(machine: Machine) -> None:
    assert machine.installed("java") == ["openjdk-21-jre-headless"]


@pytest.mark.parametrize(("version", "expected"), [(OLD_JAVA, ["openjdk-21-jre-headless"]), (NEW_JAVA, [])])
def test_a_java_that_is_too_old_counts_as_missing(machine: Machine, version: str, expected: list[str]) -> None:
    machine.add_java(version)

    assert machine.installed("java") == expected


def test_nothing_is_installed_where_the_user_is_not_root(machine: Machine) -> None:
    machine.add("id", "echo 1000")

    assert machine.installed("redis-server") == []


def test_nothing_fails_where_there_is_no_apt_get(machine: Machine) -> None:
    machine.remove("apt-get")

    assert machine.run("redis-server").returncode == 0


def test_an_installation_that_fails_is_reported_and_stops_nothing(machine: Machine) -> None:
    machine.add("apt-get", "echo 'no route to host' >&2; exit 100")

    done = machine.run("redis-server")

    assert done.returncode == 0
    assert "no route to host" in done.stderr
    assert done.stderr.endswith("apt-get could not install: redis-server\n")
