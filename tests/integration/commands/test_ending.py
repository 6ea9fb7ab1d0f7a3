"""How `run` ends: each test is a process that ends itself."""

import json
import os
import pty
import signal
import subprocess
import sys
from typing import Any

import pytest

from moderator import errors
from moderator.errors import ModeratorError
from tests.waiting import PATIENCE_S


def ended(*steps: str, **more: Any) -> subprocess.CompletedProcess[str]:
    lines = ("import os, signal, sys, threading, time", "from moderator.ending import *", *steps)
    command = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False, **more)


SELF = "os.kill(os.getpid(), signal.{})"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_before_anything_is_in_flight_the_first_signal_ends_it_with_0(name: str) -> None:
    process = ended("Signals().handle()", SELF.format(name), "time.sleep(10)", "print('not reached', file=sys.stderr)")

    line = json.loads(process.stderr)
    assert process.returncode == 0
    assert line.pop("uptime_s") >= 0
    assert line == {"event": "ended", "code": 0, "reason": "drained", "error": None}


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_the_second_signal_ends_it_with_128_and_its_number_and_says_nothing_else(name: str) -> None:
    process = ended(
        "signals = Signals()",
        "signals.handle()",
        "signals.drain_from_now_on()",
        SELF.format("SIGTERM"),
        "assert signals.stop.is_set()",
        SELF.format(name),
    )

    code = 128 + signal.Signals[name]
    assert process.returncode == code
    assert process.stderr == f'{{"event": "ended", "code": {code}, "reason": "second_signal"}}\n'


def test_a_hang_up_that_the_parent_ignores_stays_ignored() -> None:
    process = ended("signal.signal(signal.SIGHUP, signal.SIG_IGN)", "Signals().handle()", SELF.format("SIGHUP"))

    assert (process.returncode, process.stderr) == (0, "")


def test_the_last_line_stays_the_last_though_other_threads_write_on() -> None:
    process = ended(
        "def chatter():",
        "    while True: time.sleep(0.0005); os.write(2, b'chatter\\n')",
        "for _ in range(3): threading.Thread(target=chatter, daemon=True).start()",
        "end(4, 'twin', 'naïve')",
    )

    line = json.loads(process.stderr.splitlines()[-1])
    assert (line["code"], line["reason"], line["error"]) == (4, "twin", "naïve")


def test_without_stderr_it_ends_with_its_code_all_the_same() -> None:
    assert ended("os.close(2)", "end(3, 'unreachable', 'x')").returncode == 3


def test_on_a_terminal_it_is_plain_text() -> None:
    controller, terminal = pty.openpty()
    command = "from moderator.ending import end; end(3, 'unreachable', 'Kafka does not answer')"

    code = subprocess.run([sys.executable, "-c", command], stderr=terminal, timeout=PATIENCE_S, check=False).returncode
    shown = b""
    while shown.count(b"\n") < 2:  # the terminal gives what was written in as many parts as it likes
        shown += os.read(controller, 1_000)
    os.close(controller)
    os.close(terminal)

    assert code == 3
    first, second = shown.decode().splitlines()
    assert first == "error: Kafka does not answer"
    assert second.startswith("ended with exit code 3, unreachable, after ")


def test_every_error_that_stops_the_stream_has_a_reason_of_its_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.StoppedError)]
    reasons = [kind.end_reason for kind in kinds if kind is not errors.StoppedError]

    assert sorted(reasons) == [
        "dead_letter_limit",
        "drain_timeout",
        "group_refuses",
        "lost_events",
        "not_publishing",
        "right_lost",
        "twin",
        "undecodable_batch",
    ]
    assert errors.PolicyError.end_reason == errors.ConfigurationError.end_reason == "configuration"
    assert errors.BrokerUnavailableError.end_reason == "unreachable"
    assert errors.ScorerUnavailableError.end_reason == "device_lost"
    assert ModeratorError.end_reason == "crashed"
