"""The supervisor, with workers that are shell scripts."""

import os
import signal
import sys
import threading
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from moderator.errors import DeadLetterLimitError, FencedError, NotPublishingError, ScorerUnavailableError
from moderator.supervisor.supervisor import Failure, Supervisor
from moderator.supervisor.workers import Worker
from tests.waiting import await_condition

DRAINS = 'trap "touch drained-$ME; exit 0" TERM INT; touch ready-$ME; while :; do sleep 0.02; done'
IGNORES_TERM = 'trap "" TERM; touch ready-$ME; while :; do sleep 0.02; done'


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def supervisor(*scripts: str, grace_s: float = 10.0) -> Supervisor:
    workers = [
        Worker("cpu", {"PATH": os.environ["PATH"], "ME": str(index), "SCRIPT": script})
        for index, script in enumerate(scripts)
    ]
    return Supervisor(workers, grace_s=grace_s, command=["sh", "-c", 'eval "$SCRIPT"'])


def exit_code(failure: Failure | None) -> int:
    return failure.code if failure else 0


def exist(*files: str) -> bool:
    return all(Path(file).exists() for file in files)


def has_ended(worker: int, logs: list[MutableMapping[str, Any]]) -> bool:
    return any(entry["event"] == "worker_ended" and entry["worker"] == worker for entry in logs)


def when(is_true: Callable[[], bool], *, then: Callable[[], object]) -> None:
    """Act from another thread as soon as a condition is true."""

    def act() -> None:
        await_condition(is_true)
        then()

    threading.Thread(target=act, daemon=True).start()


def test_it_ends_with_0_when_all_workers_have() -> None:
    assert supervisor("exit 0", "exit 0").run() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_forwarded_to_every_worker(number: signal.Signals) -> None:
    when(lambda: exist("ready-0", "ready-1"), then=lambda: os.kill(os.getpid(), number))

    code = exit_code(supervisor(DRAINS, DRAINS).run())

    assert code == 0
    assert exist("drained-0", "drained-1")


def test_a_worker_that_fails_ends_the_others_and_gives_the_exit_code() -> None:
    code = exit_code(supervisor(DRAINS, "while ! test -e ready-0; do sleep 0.02; done; exit 4").run())

    assert code == 4
    assert exist("drained-0")


def test_a_worker_that_is_killed_gives_128_and_the_signals_number() -> None:
    code = exit_code(supervisor(DRAINS, "while ! test -e ready-0; do sleep 0.02; done; kill -9 $$").run())

    assert code == 128 + signal.SIGKILL
    assert exist("drained-0")


def test_a_worker_that_ends_with_0_leaves_the_others_running() -> None:
    follows = "while ! test -e ended-0; do sleep 0.02; done; touch went-on; exit 0"

    code = exit_code(supervisor("touch ended-0; exit 0", follows).run())

    assert code == 0
    assert exist("went-on")


def test_of_several_failures_the_first_gives_the_exit_code() -> None:
    late = 'trap "exit 3" TERM; touch ready-0; while :; do sleep 0.02; done'

    assert exit_code(supervisor(late, "while ! test -e ready-0; do sleep 0.02; done; exit 2").run()) == 2


def test_a_failure_while_draining_does_not_cut_the_others_drain_short() -> None:
    # `trap` runs one command for two signals that come close together: it fails after the other has handled the first
    fails = 'trap "" TERM; touch ready-1; while ! test -e draining-0; do sleep 0.02; done; exit 4'
    drains = (
        'trap "test -e draining-0 && touch cut-short; touch draining-0" TERM; trap "ended=1" INT; touch ready-0;'
        'while test -z "$ended"; do sleep 0.02; done; exit 0'
    )
    when(lambda: exist("ready-0", "ready-1"), then=lambda: os.kill(os.getpid(), signal.SIGTERM))

    with capture_logs() as logs:
        # signals are sent in order: when SIGINT arrives, whatever the failure caused has arrived too
        when(lambda: has_ended(1, logs), then=lambda: os.kill(os.getpid(), signal.SIGINT))
        code = exit_code(supervisor(drains, fails).run())

    assert code == 4
    assert not exist("cut-short")


def test_a_worker_that_does_not_end_after_a_failure_is_killed() -> None:
    fails = "while ! test -e ready-0; do sleep 0.02; done; exit 4"

    assert exit_code(supervisor(IGNORES_TERM, fails, grace_s=0.1).run()) == 4


def test_signals_are_handled_as_before_when_it_has_ended() -> None:
    before = signal.getsignal(signal.SIGTERM)

    supervisor("exit 0").run()

    assert signal.getsignal(signal.SIGTERM) == before


def ends_itself(code: int, reason: str, error: str) -> str:
    words = f"from moderator.ending import end; end({code}, '{reason}', '{error}')"
    return f'exec "{sys.executable}" -c "{words}"'


REASONS = [
    *((2, reason) for reason in ("configuration", "usage")),
    (3, "unreachable"),
    *((4, each.end_reason) for each in (FencedError, ScorerUnavailableError, NotPublishingError, DeadLetterLimitError)),
    (4, "crashed"),
]


@pytest.mark.parametrize(("code", "reason"), REASONS)
def test_the_first_failures_reason_and_error_are_those_of_its_worker(code: int, reason: str) -> None:
    failure = supervisor(
        DRAINS, f"while ! test -e ready-0; do sleep 0.02; done; {ends_itself(code, reason, 'why')}"
    ).run()

    assert failure == (code, reason, "worker 1 (`cpu`): why")


def test_a_long_error_keeps_nobody_waiting() -> None:
    failure = supervisor(ends_itself(2, "configuration", "x").replace("'x'", "'ä' * 100_000")).run()

    assert failure
    assert failure.error == f"worker 0 (`cpu`): {'ä' * 4_000}"


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ("kill -9 $$", (137, "crashed", "worker 0 (`cpu`) was killed by SIGKILL and could not say why")),
        ("exit 4", (4, "crashed", "worker 0 (`cpu`) ended with exit code 4 and could not say why")),
        ("exit 1", (1, "crashed", "worker 0 (`cpu`) ended with exit code 1 and could not say why")),
    ],
)
def test_a_worker_that_says_nothing_has_crashed(script: str, failure: Failure) -> None:
    assert supervisor(script).run() == failure


def test_what_holds_the_pipe_open_after_a_worker_keeps_nobody_waiting() -> None:
    script = "sleep 30 & echo $! > sleeper; exit 4"

    failure = supervisor(script).run()
    os.kill(int(Path("sleeper").read_text()), signal.SIGKILL)

    assert exit_code(failure) == 4
