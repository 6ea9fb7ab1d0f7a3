"""Policy edits while `moderator run` is at work on a real Kafka and Redis, as an operator makes them."""

import json
import signal
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from redis import Redis

from moderator.demo.replica import LocalReplica
from moderator.demo.servers.redis import LocalRedis
from moderator.settings import KafkaSettings
from moderator.stream.kafka.topics import create_topics
from tests.builders import POLICY_FILES, write_files
from tests.faults.oracle import assert_each_event_came_out_once
from tests.integration.run.test_run import READY_S, metric, stopped_by, variables
from tests.kafka_stream import await_committed, produce, some_names, some_topics
from tests.logs import said
from tests.servers.shared import SharedKafka
from tests.waiting import await_condition
from tests.warm.process import WarmReplica, run_moderator

TEXTS = 20
THREE_POLLS_S = 6.0


def files(limit: str = "0.02") -> dict[str, str]:
    """Policies under which nearly everything is allowed, or with a limit of 0.98 flagged."""
    return {**POLICY_FILES, "safety.yaml": POLICY_FILES["safety.yaml"].replace("0.30", limit)}


def some_events(first: int, count: int = 60) -> list[bytes | None]:
    return [orjson.dumps({"id": f"evt-{n}", "text": f"stupid number {n % TEXTS}"}) for n in range(first, first + count)]


def reloads(replica: LocalReplica) -> Callable[[], bool]:
    """Whether one more reload has been logged than now."""
    before = len(said(replica, "policies_reloaded"))
    return lambda: len(said(replica, "policies_reloaded")) > before


def decisions_by_partition(settings: KafkaSettings, each: list[int]) -> list[list[dict[str, Any]]]:
    records = assert_each_event_came_out_once(settings, each)
    decisions = [orjson.loads(record.value) for record in records]
    decisions.sort(key=lambda decision: (decision["event"]["partition"], decision["event"]["offset"]))
    return [list(group) for _, group in groupby(decisions, lambda decision: decision["event"]["partition"])]


def test_an_edit_while_events_flow_changes_verdicts_and_costs_no_event_and_no_inference(
    kafka: SharedKafka, redis_server: LocalRedis, tmp_path: Path
) -> None:
    Redis.from_url(redis_server.url).flushdb()  # other tests score some of these texts, too
    settings = some_topics(kafka.bootstrap_servers)
    folder = write_files(tmp_path / "policies", files())
    environment = variables(settings, MODERATOR_REDIS__URL=redis_server.url, MODERATOR_POLICIES__PATH=str(folder))
    sent = 0

    with WarmReplica(environment) as replica:
        assert replica.await_ready(READY_S), replica.last_lines()

        def goes_on() -> None:
            nonlocal sent
            produce(settings, some_events(sent))
            sent += 60

        def has_reloaded_meanwhile() -> bool:
            goes_on()
            return has_reloaded()

        goes_on()
        await_committed(settings, [20, 20, 20])
        scored = metric(replica, 'moderator_cache_lookups_total{outcome="miss"}')
        has_reloaded = reloads(replica)
        write_files(folder, files("0.98"))
        await_condition(has_reloaded_meanwhile)
        goes_on()
        await_committed(settings, [sent // 3] * 3)
        scored_anew = metric(replica, 'moderator_cache_lookups_total{outcome="miss"}') - scored
        code = stopped_by(replica, signal.SIGTERM)
        (reload,) = said(replica, "policies_reloaded")

    assert (code, scored, scored_anew) == (0, TEXTS, 0)
    assert reload["changes"] == ["changed safety/unsafe: safety below 0.02 -> below 0.98, can only flag more"]
    for decisions in decisions_by_partition(settings, [sent // 3] * 3):
        snapshots = [snapshot for snapshot, _ in groupby(decision["policy"]["snapshot"] for decision in decisions)]
        verdicts = {(decision["policy"]["snapshot"], decision["verdict"]) for decision in decisions}
        assert snapshots == [reload["before"], reload["snapshot"]]
        assert verdicts == {(reload["before"], "allow"), (reload["snapshot"], "flag")}


def test_a_broken_save_changes_nothing_and_a_swapped_link_is_taken_up_cases_37_and_38(
    kafka: SharedKafka, tmp_path: Path
) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    folder = tmp_path / "policies"
    releases = iter(range(9))

    def swap_in(content: dict[str, str]) -> None:
        release = f"..release-{next(releases)}"
        write_files(folder / release, content)
        (folder / "..data_tmp").symlink_to(release)
        (folder / "..data_tmp").replace(folder / "..data")

    swap_in(files())
    for name in POLICY_FILES:
        (folder / name).symlink_to(Path("..data") / name)

    environment = variables(
        settings, MODERATOR_POLICIES__PATH=str(folder), MODERATOR_POLICIES__MAX_STALE_S=str(THREE_POLLS_S)
    )
    with WarmReplica(environment) as replica:
        assert replica.await_ready(READY_S), replica.last_lines()
        swap_in({**files(), "safety.yaml": "policy: ["})
        await_condition(lambda: bool(said(replica, "policies_refused")))
        is_ok = metric(replica, "moderator_policy_reload_ok")
        await_condition(lambda: metric(replica, "moderator_policy_stale_seconds") > THREE_POLLS_S)
        is_ready = replica.await_ready(0.5)
        produce(settings, some_events(0))
        await_committed(settings, [20, 20, 20])
        swap_in(files("0.98"))
        await_condition(lambda: bool(said(replica, "policies_reloaded")))
        is_ok_again = metric(replica, "moderator_policy_reload_ok")
        assert replica.await_ready(READY_S)
        produce(settings, some_events(60))
        await_committed(settings, [40, 40, 40])
        snapshots_shown = metric(replica, "moderator_policy_snapshot_info{")

    assert (is_ok, is_ready, is_ok_again, snapshots_shown) == (0, False, 1, 1)
    for decisions in decisions_by_partition(settings, [40, 40, 40]):
        assert [decision["verdict"] for decision in decisions] == ["allow"] * 20 + ["flag"] * 20


def test_a_start_on_broken_policies_ends_with_2_unless_good_ones_were_kept(kafka: SharedKafka, tmp_path: Path) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    folder, state_dir = write_files(tmp_path / "policies", files()), tmp_path / "state"
    environment = variables(
        settings, MODERATOR_POLICIES__PATH=str(folder), MODERATOR_POLICIES__STATE_DIR=str(state_dir)
    )

    with WarmReplica(environment) as replica:
        await_condition((state_dir / "last_good").exists, READY_S)
        stopped_by(replica, signal.SIGTERM)
    (folder / "safety.yaml").write_text("policy: [")
    without = run_moderator(
        "run", **variables(settings, MODERATOR_POLICIES__PATH=str(folder), MODERATOR_HTTP__PORT="0")
    )
    produce(settings, some_events(0))
    with WarmReplica(environment) as replica:
        await_committed(settings, [20, 20, 20], READY_S)
        is_ok = metric(replica, "moderator_policy_reload_ok")
        (fallen_back,) = said(replica, "started_on_last_good_policies")

    assert without.returncode == 2, without.stderr
    assert "P004 safety.yaml:1:" in without.stderr
    assert is_ok == 0
    for decisions in decisions_by_partition(settings, [20, 20, 20]):
        assert {decision["policy"]["snapshot"] for decision in decisions} == {fallen_back["snapshot"]}


def test_a_failing_policy_test_ends_a_start_with_2(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "policies", files())
    (folder / "safety.test.yaml").write_text(
        "tests_for: safety\ntests:\n  - test: everything is flagged\n"
        "    given: {event: {speaker: user}, scores: {safety: 0.5}}\n    expect: {verdict: flag}\n"
    )

    ended = run_moderator("run", "--model", "builtin", "--policies", str(folder), MODERATOR_HTTP__PORT="0")

    assert ended.returncode == 2, ended.stderr
    error = json.loads(ended.stderr.splitlines()[-1])["error"]
    assert 'P075 safety.test.yaml:3:11 the test "everything is flagged" fails' in error


@pytest.fixture
def by_producers_time(kafka: SharedKafka) -> KafkaSettings:
    settings = some_names(bootstrap_servers=kafka.bootstrap_servers)
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    admin.create_topics([NewTopic(settings.events_topic, 3, 1, topic_configs={"message.timestamp.type": "CreateTime"})])
    admin.close()
    create_topics(settings, partitions=3, replication=1)
    return settings


def test_schedules_by_the_producers_clocks_end_a_start_with_2(by_producers_time: KafkaSettings, tmp_path: Path) -> None:
    scheduled = files()
    scheduled["safety.yaml"] = scheduled["safety.yaml"].replace("mode: live", "mode: live\n    until: 2099-01-01")
    folder = write_files(tmp_path / "policies", scheduled)

    ended = run_moderator(
        "run", **variables(by_producers_time, MODERATOR_POLICIES__PATH=str(folder), MODERATOR_HTTP__PORT="0")
    )

    assert ended.returncode == 2, ended.stderr
    assert "message.timestamp.type=LogAppendTime" in ended.stderr.splitlines()[-1]
