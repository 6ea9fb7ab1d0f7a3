"""The servers of demo and tests: whole jars, quick restarts, and no process left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from moderator.demo.servers import jars
from moderator.demo.servers.redis import LocalRedis
from moderator.errors import BrokerUnavailableError
from moderator.supervisor.child import is_open
from tests.waiting import PATIENCE_S, await_condition

ROOT = Path(__file__).parents[3]
OWNER = """
import signal, time
from moderator.demo.servers.redis import LocalRedis
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in a shell's background
with LocalRedis() as redis:
    print(redis._child.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGKILL, id="SIGKILL"),
        pytest.param(signal.SIGTERM, id="SIGTERM", marks=pytest.mark.long),
        pytest.param(signal.SIGINT, id="SIGINT", marks=pytest.mark.long),
    ],
)
def test_a_server_dies_with_the_process_that_started_it(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        server = psutil.Process(int(owner.stdout.readline()))

        owner.send_signal(number)
        owner.wait(PATIENCE_S)

    _, alive = psutil.wait_procs([server], timeout=PATIENCE_S)
    assert alive == []


def test_a_server_comes_back_on_its_port() -> None:
    with LocalRedis() as redis:
        url = redis.url
        redis.kill()
        assert not is_open(redis.port)

        redis.start()

        assert (redis.url, is_open(redis.port)) == (url, True)


def test_a_paused_server_takes_connections_and_answers_when_it_goes_on() -> None:
    with LocalRedis() as redis:
        redis.pause()
        assert not redis._answers()

        redis.resume()

        await_condition(redis._answers)


def fake_maven(folder: Path, script: str) -> None:
    maven = folder / "mvn"
    maven.write_text(f"#!/bin/sh\n{script}\n")
    maven.chmod(0o755)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path


FETCH = 'for a in "$@"; do case $a in -DoutputDirectory=*) d=${a#*=};; esac; done; mkdir -p "$d"; touch "$d/a.jar"'


def test_jars_are_fetched_once(bin_folder: Path) -> None:
    fake_maven(bin_folder, f"{FETCH}; echo run >> {bin_folder}/runs")

    first, second = jars.kafka_jars(), jars.kafka_jars()

    assert first == second
    assert [jar.name for jar in first.iterdir()] == ["a.jar"]
    assert (bin_folder / "runs").read_text() == "run\n"


def test_a_download_that_breaks_off_leaves_nothing_behind_and_says_why(bin_folder: Path) -> None:
    fake_maven(bin_folder, f"{FETCH}; echo '[ERROR] Could not resolve: no route to host'; exit 1")

    with pytest.raises(BrokerUnavailableError, match="no route to host; it needs to reach a Maven repository"):
        jars.kafka_jars()

    assert list(jars.cache_folder().iterdir()) == []


def test_two_processes_that_fetch_at_once_get_the_same_whole_folder(bin_folder: Path) -> None:
    fake_maven(bin_folder, f"{FETCH}; sleep 0.3")
    command = [
        sys.executable,
        "-c",
        "from moderator.demo.servers.jars import kafka_jars; print(list(kafka_jars().iterdir()))",
    ]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]

    found = {process.communicate(timeout=PATIENCE_S)[0] for process in both}

    assert len(found) == 1
    assert "a.jar" in found.pop()
    assert [folder.name for folder in jars.cache_folder().iterdir()] == [f"kafka-{jars.kafka_version()}"]
