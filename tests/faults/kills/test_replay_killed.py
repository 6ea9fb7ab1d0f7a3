"""A replay that is killed at each step and goes on: its topic holds one record for each record of the range."""

import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from moderator.errors import FencedError
from moderator.replays.letters import Selection
from moderator.replays.resending import Resending, resend
from moderator.settings import KafkaSettings
from moderator.stream.kafka.ranges.decision_range import TimeRange
from moderator.stream.kafka.replaying.run import Run
from tests.faults.conftest import Behind
from tests.faults.kafka_proxy import Api, Fault, Side
from tests.faults.killable import Replica
from tests.faults.kills.test_kill_at_each_step import PER_PARTITION, produce_some
from tests.integration.replays.test_dead_letters import a_bad_record, set_aside
from tests.kafka_stream import create_topic, kafka_variables, read_committed
from tests.waiting import PATIENCE_S, await_condition
from tests.warm.process import MODERATOR, ROOT, WarmPopen

pytestmark = pytest.mark.xdist_group("broker behind a proxy")

FIRST_POSITIONS: list[tuple[Api, Side]] = [
    (Api.ADD_OFFSETS, "request"),
    (Api.TXN_OFFSET_COMMIT, "response"),
    (Api.END_TXN, "request"),
    (Api.END_TXN, "response"),
]
WINDOWS: list[tuple[Api, Side]] = [
    (Api.ADD_PARTITIONS, "request"),
    (Api.PRODUCE, "request"),
    (Api.PRODUCE, "response"),
    (Api.ADD_OFFSETS, "response"),
    (Api.TXN_OFFSET_COMMIT, "request"),
    (Api.END_TXN, "request"),
    (Api.END_TXN, "response"),
]
SOME_STEPS: list[tuple[Api, Side]] = [
    (Api.END_TXN, "request"),  # of the first positions
    (Api.PRODUCE, "response"),
    (Api.END_TXN, "response"),
]


def replayed(settings: KafkaSettings, topic: str) -> Counter[str]:
    return Counter(dict(record.headers)["replay_of"].decode() for record in read_committed(settings, topic))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(SOME_STEPS, id="some"),
        pytest.param(FIRST_POSITIONS + WINDOWS, id="each", marks=pytest.mark.long),
    ],
)
def test_a_replay_killed_at_its_steps_writes_each_record_once(
    behind: Behind, tmp_path: Path, steps: Sequence[tuple[Api, Side]]
) -> None:
    settings, direct = behind.some_topics()
    topic = f"{settings.group_id}-replayed"
    create_topic(direct, topic, 2)
    produce_some(direct)
    small: dict[str, Any] = {"TO_TOPIC": topic, "MODERATOR_WINDOW__MAX_EVENTS": "7"}
    process = Replica(settings, tmp_path, None, module="tests.faults.replaying", **small)

    for step, side in steps:
        fault = Fault(step, side, "drop")
        behind.proxy.inject(fault)
        process.start()
        assert fault.happened.wait(PATIENCE_S), process.log.read_text()
        process.kill()
    process.start()
    assert process.child
    await_condition(lambda: process.child is not None and process.child.exit_code is not None)

    assert process.child.exit_code == 0, process.log.read_text()
    events = settings.events_topic
    wanted = [f"{events}/{number}/{offset}" for number in range(3) for offset in range(PER_PARTITION)]
    assert replayed(direct, topic) == Counter(wanted)


def letters_again(settings: KafkaSettings) -> Resending:
    return Resending("again", settings.events_topic, Selection(), TimeRange(), None, 3, None)


@pytest.mark.parametrize(
    ("step", "side"),
    [
        pytest.param(Api.END_TXN, "request", marks=pytest.mark.long),
        (Api.END_TXN, "response"),
        pytest.param(Api.TXN_OFFSET_COMMIT, "response", marks=pytest.mark.long),
        pytest.param(Api.PRODUCE, "response", marks=pytest.mark.long),
    ],
)
def test_a_step_without_an_answer_is_settled_and_goes_on(behind: Behind, step: Api, side: Side) -> None:
    settings, direct = behind.some_topics()
    set_aside(direct, *(("bad_json", a_bad_record(offset)) for offset in range(8)))
    resending, fault = letters_again(settings), Fault(step, side, "drop")

    def inject(run: Run) -> Callable[[int], None]:
        behind.proxy.inject(fault)  # the first positions are written
        return lambda _: None

    counts = resend(settings, resending, limit_bytes=10**6, is_dry=False, stop=threading.Event(), show_progress=inject)

    assert fault.happened.is_set()
    assert counts == {"replayed": 8}
    letters = settings.dead_letter_topic
    assert replayed(direct, settings.events_topic) == Counter(f"{letters}/0/{at}" for at in range(8))


def test_of_two_processes_with_one_run_the_later_makes_it_and_the_other_ends(kafka_settings: KafkaSettings) -> None:
    set_aside(kafka_settings, *(("bad_json", a_bad_record(offset)) for offset in range(8)))
    resending, stop = letters_again(kafka_settings), threading.Event()
    later: list[Counter[str]] = []

    def another_begins(run: Run) -> Callable[[int], None]:
        given = {"limit_bytes": 10**6, "is_dry": False, "stop": stop}
        later.append(resend(kafka_settings, resending, show_progress=lambda _: lambda _: None, **given))  # type: ignore[arg-type]
        return lambda _: None

    with pytest.raises(FencedError, match="another process makes the run `again`"):
        resend(kafka_settings, resending, limit_bytes=10**6, is_dry=False, stop=stop, show_progress=another_begins)

    assert later == [{"replayed": 8}]
    letters = kafka_settings.dead_letter_topic
    assert replayed(kafka_settings, kafka_settings.events_topic) == Counter(f"{letters}/0/{at}" for at in range(8))


def test_ctrl_c_ends_a_replay_after_its_step_and_it_goes_on(kafka_settings: KafkaSettings) -> None:
    letters_count = int(2 * PATIENCE_S)  # at one a second it is not through when it is stopped
    set_aside(kafka_settings, *(("bad_json", a_bad_record(offset)) for offset in range(letters_count)))
    command = [*MODERATOR, "dead-letters", "replay", "--all", "--id", "paused"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **kafka_variables(kafka_settings)}

    with WarmPopen([*command, "--rate", "1"], stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as slow:
        await_condition(lambda: bool(replayed(kafka_settings, kafka_settings.events_topic)))
        slow.send_signal(signal.SIGINT)
        _, first = slow.communicate(timeout=PATIENCE_S)
    before = replayed(kafka_settings, kafka_settings.events_topic).total()
    with WarmPopen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as quick:
        _, second = quick.communicate(timeout=PATIENCE_S)

    assert (slow.returncode, quick.returncode) == (130, 0), first + second
    assert f"{before} selected = {before} replayed + 0 skipped" in first
    assert f"`paused` goes on; offsets left: {letters_count - before}" in second
    letters = kafka_settings.dead_letter_topic
    wanted = Counter(f"{letters}/0/{at}" for at in range(letters_count))
    assert replayed(kafka_settings, kafka_settings.events_topic) == wanted
