"""`moderator run --devices` as an operator starts it: two workers on a real Kafka, with the built-in model."""

import json
import os
import signal
from pathlib import Path

import pytest

from moderator.demo.examples import example_policies
from moderator.demo.replica import LocalReplica
from tests.faults.oracle import assert_each_event_came_out_once
from tests.integration.run.test_run import READY_S, some_events, variables
from tests.kafka_stream import await_committed, committed_offsets, produce, some_topics
from tests.logs import said
from tests.servers.shared import SharedKafka
from tests.waiting import await_condition
from tests.warm.process import WarmParent, WarmReplica, run_moderator

TWO = ("--devices", "cpu,cpu")


def await_shared(replica: LocalReplica) -> None:
    """Wait until the workers have parted the three partitions between them."""

    def are_shared() -> bool:
        assert replica.exit_code is None, replica.last_lines()
        assigned = [line["partitions"] for line in said(replica, "partitions_assigned")]
        return len(list(filter(None, assigned))) >= 2  # one worker alone is given all of them at once

    await_condition(are_shared, READY_S)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGINT])
def test_two_workers_share_the_events_and_a_signal_drains_both(kafka: SharedKafka, number: signal.Signals) -> None:
    settings = some_topics(kafka.bootstrap_servers)

    with WarmParent(variables(settings, MODERATOR_HTTP__PORT="0"), TWO) as replica:
        await_shared(replica)
        produce(settings, some_events(300))
        await_committed(settings, [100, 100, 100])
        replica.signal(number)
        code = replica.wait(40)
        ended = [line["exit_code"] for line in said(replica, "worker_ended")]
        windows = said(replica, "window_published")

    assert code == 0
    assert ended == [0, 0]
    assert sum(line["events"] for line in windows) == 300
    assert_each_event_came_out_once(settings, [100, 100, 100])


@pytest.mark.long
def test_a_killed_worker_ends_the_other_and_what_it_left_is_moderated_by_the_next_start(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    environment = variables(settings, MODERATOR_HTTP__PORT="0", MODERATOR_KAFKA__INSTANCE_ID="host-a")

    with WarmParent(environment, TWO) as replica:
        await_shared(replica)
        produce(settings, some_events(3_000))
        await_condition(lambda: max(committed_offsets(settings)) > 0)
        os.kill(said(replica, "worker_started")[0]["pid"], signal.SIGKILL)
        code = replica.wait(60)
        ended = [line["exit_code"] for line in said(replica, "worker_ended")]
        last = said(replica, "ended")[-1]
    with WarmParent(environment, TWO) as replica:
        await_committed(settings, [1_000] * 3, READY_S)
        replica.signal(signal.SIGTERM)
        again = replica.wait(40)

    assert code == 128 + signal.SIGKILL
    assert (last["reason"], last["error"]) == (
        "crashed",
        "worker 0 (`cpu`) was killed by SIGKILL and could not say why",
    )
    assert ended == [128 + signal.SIGKILL, 0]
    assert again == 0
    assert_each_event_came_out_once(settings, [1_000] * 3)


def test_a_killed_parent_takes_its_workers_along(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers)

    with WarmReplica(variables(settings, MODERATOR_HTTP__PORT="0"), TWO) as replica:
        await_condition(lambda: len(said(replica, "worker_started")) == 2, READY_S)
        pids = [line["pid"] for line in said(replica, "worker_started")]
        replica.signal(signal.SIGKILL)
        replica.wait(10)
        await_condition(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids))


def test_what_is_wrong_with_the_settings_is_told_by_a_worker_and_ends_the_parent_with_2() -> None:
    ended = run_moderator("run", *TWO, "--model", "builtin", "--policies", "no-such-folder")

    assert ended.returncode == 2
    last = json.loads(ended.stderr.splitlines()[-1])
    assert (last["code"], last["reason"]) == (2, "configuration")
    assert last["error"].startswith("worker ")
    assert "no-such-folder" in last["error"]
    assert "no-such-folder" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.long
def test_a_worker_that_stops_itself_gives_code_reason_and_remedy_to_the_parent(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    produce(settings, [b"not json"] * 4_500)

    with WarmParent(variables(settings, MODERATOR_HTTP__PORT="0"), TWO) as replica:
        code = replica.wait(READY_S)
        last = said(replica, "ended")[-1]

    assert (code, last["code"], last["reason"]) == (4, 4, "dead_letter_limit")
    assert last["error"].startswith("worker ")


def test_a_server_that_no_worker_reaches_ends_the_parent_with_3() -> None:
    nowhere = {"MODERATOR_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "MODERATOR_KAFKA__START_TIMEOUT_S": "0.2"}
    ended = run_moderator("run", *TWO, "--model", "builtin", "--policies", str(example_policies()), **nowhere)

    last = json.loads(ended.stderr.splitlines()[-1])
    assert (ended.returncode, last["code"], last["reason"]) == (3, 3, "unreachable")
    assert "127.0.0.1:1" in last["error"]


@pytest.mark.parametrize("devices", ["all", "gpu", "0,0"])
def test_a_list_of_devices_that_cannot_be_is_told_before_anything_starts(devices: str) -> None:
    ended = run_moderator("run", "--devices", devices, "--model", "builtin", CUDA_VISIBLE_DEVICES="")

    assert ended.returncode == 2
    assert json.loads(ended.stderr.splitlines()[-1])["error"].startswith(f"`--devices {devices}`")
