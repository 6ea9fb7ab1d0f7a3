"""`moderator demo` as a user starts it: its own process, an empty folder, everything real."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from moderator.demo.examples import MODEL_WITH_SPAM
from moderator.demo.samples import MALFORMED_COUNT, sample_events
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[3]
SUM = re.compile(r"(\d+) events in = (\d+) flag \+ (\d+) allow \+ (\d+) dead letters: each one exactly once")


class Demo:
    """A running demo, its lines so far, and everything it started."""

    def __init__(self, folder: Path, *arguments: str, path: str | None = None) -> None:
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._working = folder / "working"
        self._working.mkdir(exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.scratch),
            # what is set up for other purposes must not reach it
            "MODERATOR_KAFKA__GROUP_ID": "somebody-elses",
            "MODERATOR_REDIS__URL": "redis://127.0.0.1:1/0",
            **({} if path is None else {"PATH": path}),
        }
        self.errors = folder / "stderr"
        with self.errors.open("wb") as errors:
            self.process = psutil.Popen(
                [sys.executable, "-m", "moderator", "demo", *arguments],
                cwd=self._working,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            )
        self._stuck = threading.Timer(280, self.process.kill)
        self._stuck.start()
        self.lines: list[str] = []
        self._children: set[psutil.Process] = set()

    def read_until(self, beginning: str) -> str:
        """Read lines until one begins so, and give it."""
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._children |= set(self.process.children(recursive=True))
            if line.startswith(beginning):
                return self.lines[-1]
        raise AssertionError(f"`{beginning}` never came: {self.lines[-5:]} {self.errors.read_text()}")

    def end(self, number: signal.Signals | None = None) -> int:
        """Send a signal, if any, and give the exit code."""
        self._children |= set(self.process.children(recursive=True))
        if number is not None:
            self.process.send_signal(number)
        self.lines += self.process.stdout.read().splitlines()
        code: int = self.process.wait()
        self._stuck.cancel()
        return code

    def child(self, *words: str) -> psutil.Process:
        """Give the process it started whose command line ends so."""
        children = self.process.children(recursive=True)
        return next(child for child in children if child.cmdline()[-len(words) :] == list(words))

    def has_started(self, processes: int) -> bool:
        """Check whether so many processes were seen: without them, none could be left behind."""
        return len(self._children) >= processes

    @property
    def left_behind(self) -> list[object]:
        """Processes that still run, and files that are still there."""
        _, alive = psutil.wait_procs(self._children, timeout=PATIENCE_S)
        return [*alive, *self.scratch.glob("moderator-*")]  # torch and Java keep files of their own beside ours

    def kill(self) -> None:
        """Leave nothing to the next test."""
        self._stuck.cancel()
        for process in [self.process, *self._children]:
            if process.is_running():
                process.kill()


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[list[Demo]]:
    started: list[Demo] = []
    yield started
    for demo in started:
        demo.kill()


def start(demos: list[Demo], folder: Path, *arguments: str, path: str | None = None) -> Demo:
    demos.append(Demo(folder, *arguments, path=path))
    return demos[-1]


def test_the_demo_ends_by_itself_with_a_right_sum(demos: list[Demo], tmp_path: Path) -> None:
    demo = start(demos, tmp_path)
    samples = sample_events()

    code = demo.end()

    assert code == 0, demo.errors.read_text()
    counted = next(filter(None, map(SUM.match, demo.lines)))
    events, flagged, allowed, dead_letters = map(int, counted.groups())
    assert (events, dead_letters) == (len(samples), MALFORMED_COUNT)
    assert flagged > 0
    assert flagged + allowed + dead_letters == events
    assert sum(line.startswith(("flag ", "allow ", "dead letter ")) for line in demo.lines) == events
    assert any("practice model" in line for line in demo.lines)
    learned = json.loads((MODEL_WITH_SPAM / "report.json").read_text("utf-8"))["learned"]
    assert any(f"a probe added it, learned from {learned:,} short messages" in line for line in demo.lines)
    assert any(re.search(r"^flag medium .* spam/likely-spam ", line) for line in demo.lines)
    assert demo.errors.read_text() == ""
    assert demo.left_behind == []


@pytest.mark.long
def test_a_signal_in_the_middle_stops_everything(demos: list[Demo], tmp_path: Path) -> None:
    demo = start(demos, tmp_path)
    demo.read_until("allow")

    code = demo.end(signal.SIGTERM)

    assert code == 128 + signal.SIGTERM
    assert demo.has_started(3)
    assert demo.left_behind == []


@pytest.mark.long
def test_a_signal_while_servers_start_stops_those_that_run(demos: list[Demo], tmp_path: Path) -> None:
    demo = start(demos, tmp_path)
    demo.read_until("✓ Kafka")

    code = demo.end(signal.SIGHUP)

    assert code == 128 + signal.SIGHUP
    assert demo.has_started(1)
    assert demo.left_behind == []


@pytest.mark.long
def test_a_killed_demo_takes_its_servers_with_it(demos: list[Demo], tmp_path: Path) -> None:
    demo = start(demos, tmp_path)
    demo.read_until("✓ Redis")

    demo.end(signal.SIGKILL)

    assert demo.has_started(2)
    assert [left for left in demo.left_behind if isinstance(left, psutil.Process)] == []


@pytest.mark.long
def test_kept_it_goes_on_deciding_until_it_is_stopped(demos: list[Demo], tmp_path: Path) -> None:
    demo = start(demos, tmp_path, "--keep")
    console = demo.read_until("console  http://127.0.0.1:").split()[-1]
    shown_before = [line for line in demo.lines if line.startswith(("flag", "allow"))]
    metrics = demo.read_until("metrics").split()[-1]
    command = demo.read_until("  echo")

    with urllib.request.urlopen(metrics, timeout=PATIENCE_S) as answer:
        is_reachable = answer.status == 200
    subprocess.run(command, shell=True, check=True, capture_output=True, timeout=PATIENCE_S)
    demo.read_until("Ctrl-C")
    shown = demo.read_until("")
    with urllib.request.urlopen(f"{console}api/overview", timeout=PATIENCE_S) as answer:
        figures = json.load(answer)
    code = demo.end(signal.SIGINT)

    assert is_reachable
    assert shown_before == []
    assert sum(figures["verdicts"].values()) >= len(sample_events())
    assert figures["verdicts"]["dead_letter"] == MALFORMED_COUNT
    assert figures["source"]["state"] == "live"
    assert shown.startswith(("flag", "allow"))
    assert code == 0
    assert demo.left_behind == []


def test_without_java_it_says_what_to_install(demos: list[Demo], tmp_path: Path) -> None:
    demo = start(demos, tmp_path, path="")

    code = demo.end()

    assert code == 3
    assert demo.lines == []
    assert demo.errors.read_text().count("\n") == 1
    assert "apt-get install openjdk" in demo.errors.read_text()


@pytest.mark.long
def test_without_redis_it_goes_on_and_says_so(demos: list[Demo], tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("java", "mvn"):
        (programs / name).symlink_to(shutil.which(name) or "")
    demo = start(demos, tmp_path, path=str(programs))

    warning = demo.read_until("! no Redis")
    demo.read_until("allow")
    code = demo.end(signal.SIGINT)

    assert "cached in memory" in warning
    assert "redis-server" in warning
    assert code == 128 + signal.SIGINT


@pytest.mark.long
def test_a_moderator_that_dies_ends_the_demo_with_its_last_words(demos: list[Demo], tmp_path: Path) -> None:
    demo = start(demos, tmp_path)
    demo.read_until("✓ `moderator run`")

    demo.child("-m", "moderator", "run").kill()
    code = demo.end()

    assert code == 1
    assert "`moderator run` ended with exit code -9" in demo.errors.read_text()
    assert demo.left_behind == []


def test_a_wrong_policy_folder_is_a_wrong_configuration(demos: list[Demo], tmp_path: Path) -> None:
    policies = tmp_path / "working" / "policies"
    policies.mkdir(parents=True)
    (policies / "settings.yaml").write_text("format: 1\nnonsense: true\n")
    demo = start(demos, tmp_path)

    code = demo.end()

    assert code == 2
    assert "settings.yaml:2" in demo.errors.read_text()
    assert demo.left_behind == []
