"""The parent of several workers, with workers that are shell scripts."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from moderator.supervisor.supervisor import Supervisor
from moderator.supervisor.workers import Worker
from tests.waiting import await_condition

DRAINS = 'trap "touch drained-$ME; exit 0" TERM INT; touch ready-$ME; while :; do sleep 0.02; done'
DEAF = 'trap "" TERM; touch ready-$ME; while :; do sleep 0.02; done'


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def parent(*scripts: str, patience_s: float = 10.0) -> Supervisor:
    workers = [
        Worker("cpu", {"PATH": os.environ["PATH"], "ME": str(index), "SCRIPT": script})
        for index, script in enumerate(scripts)
    ]
    return Supervisor(workers, patience_s=patience_s, command=["sh", "-c", 'eval "$SCRIPT"'])


def when(*files: str, then: Callable[[], object]) -> None:
    """Act from another thread as soon as the files are there."""

    def act() -> None:
        await_condition(lambda: all(Path(file).exists() for file in files))
        then()

    threading.Thread(target=act, daemon=True).start()


def test_it_ends_with_0_when_all_workers_have() -> None:
    assert parent("exit 0", "exit 0").run() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_goes_on_to_every_worker(number: signal.Signals) -> None:
    when("ready-0", "ready-1", then=lambda: os.kill(os.getpid(), number))

    code = parent(DRAINS, DRAINS).run()

    assert code == 0
    assert Path("drained-0").exists()
    assert Path("drained-1").exists()


def test_a_worker_that_fails_ends_the_others_and_gives_the_exit_code() -> None:
    code = parent(DRAINS, "while ! test -e ready-0; do sleep 0.02; done; exit 4").run()

    assert code == 4
    assert Path("drained-0").exists()


def test_a_worker_that_is_killed_gives_128_and_the_signals_number() -> None:
    code = parent(DRAINS, "while ! test -e ready-0; do sleep 0.02; done; kill -9 $$").run()

    assert code == 128 + signal.SIGKILL
    assert Path("drained-0").exists()


def test_a_worker_that_ends_with_0_leaves_the_others_at_work() -> None:
    follows = "while ! test -e ended-0; do sleep 0.02; done; touch went-on; exit 0"

    code = parent("touch ended-0; exit 0", follows).run()

    assert code == 0
    assert Path("went-on").exists()


def test_of_several_failures_the_first_gives_the_exit_code() -> None:
    late = 'trap "exit 3" TERM; touch ready-0; while :; do sleep 0.02; done'

    assert parent(late, "while ! test -e ready-0; do sleep 0.02; done; exit 2").run() == 2


def test_a_failure_while_draining_does_not_cut_the_others_drain_short() -> None:
    drains_once = (
        'trap "test -e asked && touch cut-short; touch asked" TERM; touch ready-0;'
        "while ! test -e failed; do sleep 0.02; done; sleep 0.1; exit 0"
    )
    fails = 'trap "touch failed; exit 4" TERM; touch ready-1; while :; do sleep 0.02; done'
    when("ready-0", "ready-1", then=lambda: os.kill(os.getpid(), signal.SIGTERM))

    code = parent(drains_once, fails).run()

    assert code == 4
    assert not Path("cut-short").exists()


def test_a_worker_that_does_not_end_after_a_failure_is_killed() -> None:
    fails = "while ! test -e ready-0; do sleep 0.02; done; exit 4"

    assert parent(DEAF, fails, patience_s=0.1).run() == 4


def test_signals_are_heard_as_before_when_it_has_ended() -> None:
    before = signal.getsignal(signal.SIGTERM)

    parent("exit 0").run()

    assert signal.getsignal(signal.SIGTERM) == before
