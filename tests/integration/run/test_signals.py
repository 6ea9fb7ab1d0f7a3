"""Signals to `moderator run` at every moment of its start, also as PID 1, where the kernel drops unhandled ones."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from moderator.demo.examples import example_policies
from moderator.settings import KafkaSettings
from tests.kafka_stream import kafka_variables, some_names, some_topics
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S, await_condition

FOREVER_S = 3_600
"""How long Kafka is waited for: who acts on a signal only afterwards does not end in time."""
AS_PID_1 = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
CAN_BE_PID_1 = subprocess.run([*AS_PID_1, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def variables(settings: KafkaSettings) -> dict[str, str]:
    ours = {"MODERATOR_MODEL__PATH": "builtin", "MODERATOR_POLICIES__PATH": str(example_policies())}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MODERATOR_")}
    return {**kept, **ours, **kafka_variables(settings), "MODERATOR_HTTP__PORT": "0"}


class Started:
    """`moderator run`, perhaps as PID 1 of its own process namespace."""

    def __init__(self, settings: KafkaSettings, folder: Path, *, is_pid_1: bool = False) -> None:
        self.log = folder / "log"
        command = [*(AS_PID_1 if is_pid_1 else []), sys.executable, "-m", "moderator", "run"]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(command, stderr=log, env=variables(settings), cwd=folder)
        self.replica = psutil.Process(self._process.pid)
        if is_pid_1:
            await_condition(lambda: bool(self.replica.children()))
            self.replica = self.replica.children()[0]

    def await_cpu(self, seconds: float) -> None:
        """Wait for CPU time, not for time: the machine may be busy. A fast one may need less until it awaits Kafka."""
        while sum(self.replica.cpu_times()[:2]) < seconds and not self._has_logged("kafka_unreachable"):
            assert self._process.poll() is None, "it ended by itself"
            time.sleep(0.005)

    def await_handling(self, number: signal.Signals) -> None:
        """Wait until a signal cannot be lost: before that neither Python nor the command is there."""
        await_condition(lambda: self._handles(signal.SIGTERM) and self._handles(number))

    def await_event(self, event: str) -> None:
        await_condition(lambda: self._has_logged(event))

    def _handles(self, number: signal.Signals) -> bool:
        lines = Path(f"/proc/{self.replica.pid}/status").read_text().splitlines()
        caught = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
        return bool(int(caught, 16) & 1 << number - 1)

    def _has_logged(self, event: str) -> bool:
        return f'"event": "{event}"' in self.log.read_text()

    def ended_by(self, number: signal.Signals) -> tuple[int, list[dict[str, object]]]:
        """Give the exit code and what was logged; it ends at once."""
        self.replica.send_signal(number)
        code = self._process.wait(PATIENCE_S)
        return code, [json.loads(line) for line in self.log.read_text().splitlines()]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def started(settings: KafkaSettings, folder: Path, *, is_pid_1: bool = False) -> Iterator[Started]:
    started = Started(settings, folder, is_pid_1=is_pid_1)
    try:
        yield started
    finally:
        started.kill()


@pytest.mark.parametrize(
    "place",
    [
        "any process",
        pytest.param(
            "PID 1", marks=pytest.mark.skipif(not CAN_BE_PID_1, reason="no right to make a process namespace")
        ),
    ],
)
@pytest.mark.parametrize(
    ("cpu_s", "number"),
    [(0.1, signal.SIGTERM), (0.3, signal.SIGHUP), (1.0, signal.SIGINT)],
)
def test_a_signal_soon_after_the_start_ends_it_with_0(
    cpu_s: float, number: signal.Signals, place: str, tmp_path: Path
) -> None:
    nowhere = some_names(bootstrap_servers="127.0.0.1:9", start_timeout_s=FOREVER_S)
    with started(nowhere, tmp_path, is_pid_1=place == "PID 1") as process:
        process.await_handling(number)
        process.await_cpu(cpu_s)

        code, lines = process.ended_by(number)

    assert code == 0
    assert (lines[-1]["event"], lines[-1]["reason"], lines[-1]["error"]) == ("ended", "drained", None)


def test_a_signal_while_torch_is_imported_and_the_model_loads_ends_it_with_0(
    kafka: SharedKafka, tmp_path: Path
) -> None:
    with started(some_topics(kafka.bootstrap_servers), tmp_path) as process:
        process.await_event("checks_passed")

        code, lines = process.ended_by(signal.SIGTERM)

    assert code == 0
    assert lines[-1]["reason"] == "drained"
    assert "started" not in {line["event"] for line in lines}


def test_a_signal_while_kafka_is_awaited_ends_it_with_0(tmp_path: Path) -> None:
    with started(some_names(bootstrap_servers="127.0.0.1:9", start_timeout_s=FOREVER_S), tmp_path) as process:
        process.await_event("kafka_unreachable")

        code, lines = process.ended_by(signal.SIGTERM)

    assert code == 0
    assert lines[-1]["reason"] == "drained"
