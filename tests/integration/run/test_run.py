"""`moderator run` as an operator starts it: a process of its own, a real Kafka and Redis, the built-in model."""

import json
import shutil
import signal
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from redis import Redis

from moderator.demo.examples import example_policies
from moderator.demo.replica import LocalReplica
from moderator.demo.servers.redis import LocalRedis
from moderator.settings import KafkaSettings
from tests.faults.caches import PATIENT_MS
from tests.faults.oracle import assert_each_event_came_out_once
from tests.generate import decision_schema
from tests.kafka_stream import await_committed, committed_offsets, kafka_variables, produce, some_names, some_topics
from tests.logs import logged
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S, await_condition
from tests.warm.process import WarmReplica, run_moderator

READY_S = 180
"""Who needs longer never gets ready: a start takes ten seconds, and on a busy machine forty."""


def variables(settings: KafkaSettings, **more: str) -> dict[str, str]:
    usual = {
        "MODERATOR_MODEL__PATH": "builtin",
        "MODERATOR_POLICIES__PATH": str(example_policies()),
        "MODERATOR_REDIS__DEADLINE_MS": str(PATIENT_MS),
    }
    return {**kafka_variables(settings), **usual, **more}


def some_events(count: int) -> list[bytes | None]:
    """One in ten cannot be read; one in three repeats what was said before; keys spread them over three partitions."""
    return [
        b"not json"
        if n % 10 == 0
        else orjson.dumps({"id": f"evt-{n}", "tenant": "acme", "text": f"text number {n % 40}"})
        for n in range(count)
    ]


def metric(replica: LocalReplica, name: str) -> float:
    page = urllib.request.urlopen(f"http://127.0.0.1:{replica.http_port}/metrics", timeout=PATIENCE_S).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(name))


def test_two_replicas_on_one_machine_share_the_events_and_drain(kafka: SharedKafka, redis_server: LocalRedis) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    environment = variables(settings, MODERATOR_REDIS__URL=redis_server.url)

    with WarmReplica(environment) as one, WarmReplica(environment) as two:
        assert one.await_ready(READY_S), one.last_lines()
        assert two.await_ready(READY_S), two.last_lines()
        produce(settings, some_events(300))
        await_committed(settings, [100, 100, 100])
        # a replica counts a moment after it has committed
        await_condition(lambda: {name: metric(one, name) + metric(two, name) for name in _COUNTED} == _COUNTED)
        codes = [stopped_by(replica, signal.SIGTERM) for replica in (one, two)]
        logs = logged(one) + logged(two)
        text = one.log.read_text() + two.log.read_text()

    records = assert_each_event_came_out_once(settings, [100, 100, 100])
    assert codes == [0, 0]
    public_shape = jsonschema.Draft202012Validator(decision_schema())
    for record in records:
        if record.topic != settings.dead_letter_topic:
            public_shape.validate(orjson.loads(record.value))
    assert Counter(record.topic for record in records)[settings.dead_letter_topic] == 30
    assert sum(line["events"] for line in logs if line["event"] == "window_published") == 300
    assert "text number" not in text
    assert _verdict(redis_server, "evt-7")["decision_id"] in {_decision_id(record) for record in records}
    with Redis.from_url(redis_server.url) as client:
        assert len(client.keys(f"moderator:verdict::{settings.events_topic}%2F*")) == 30


_COUNTED = {"moderator_decisions_total": 270, "moderator_dead_letters_total": 30}


def _verdict(redis_server: LocalRedis, event_id: str) -> Any:
    with Redis.from_url(redis_server.url) as client:
        return orjson.loads(client.get(f"moderator:verdict:acme:{event_id}"))


def _decision_id(record: Any) -> str | None:
    return dict(record.headers).get("ce_id", b"").decode() or None


def stopped_by(replica: LocalReplica, number: signal.Signals) -> int | None:
    replica.signal(number)
    return replica.wait(40)


@pytest.mark.long
def test_what_was_scored_before_costs_no_inference_after_a_policy_edit(
    kafka: SharedKafka, redis_server: LocalRedis, tmp_path: Path
) -> None:
    events = some_events(60)
    first, second = some_topics(kafka.bootstrap_servers), some_topics(kafka.bootstrap_servers)
    # the policies' own tests expect the shadow rules to be at work
    edited = Path(
        shutil.copytree(example_policies(), tmp_path / "policies", ignore=shutil.ignore_patterns("*.test.yaml"))
    )
    for file in edited.glob("*.yaml"):
        file.write_text(file.read_text().replace("mode: shadow", "mode: off"))
    snapshots = []

    for settings, policies in ((first, example_policies()), (second, edited)):
        produce(settings, events)
        environment = variables(settings, MODERATOR_REDIS__URL=redis_server.url, MODERATOR_POLICIES__PATH=str(policies))
        with WarmReplica(environment):
            await_committed(settings, [20, 20, 20], READY_S)
        records = assert_each_event_came_out_once(settings, [20, 20, 20])
        decisions = [orjson.loads(each.value) for each in records if each.topic != settings.dead_letter_topic]
        snapshots.append({decision["policy"]["snapshot"] for decision in decisions})

    assert {decision["cached"] for decision in decisions} == {True}
    assert snapshots[0] != snapshots[1]


def test_it_decides_without_redis_and_uses_it_again_when_it_is_back(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, delivery="at_least_once")
    with LocalRedis() as redis, WarmReplica(variables(settings, MODERATOR_REDIS__URL=redis.url)) as replica:
        redis.kill()
        assert replica.await_ready(READY_S), replica.last_lines()
        produce(settings, some_events(30))
        await_committed(settings, [10, 10, 10])
        redis.start()

        def is_kept() -> bool:
            produce(settings, some_events(3))
            with Redis.from_url(redis.url) as client:
                return bool(client.keys("moderator:verdict:*"))

        await_condition(is_kept)


def test_a_kafka_that_does_not_answer_at_start_ends_it_with_3() -> None:
    settings = some_names(bootstrap_servers="127.0.0.1:9")

    ended = run_moderator("run", **variables(settings, MODERATOR_KAFKA__START_TIMEOUT_S="3", MODERATOR_HTTP__PORT="0"))

    assert ended.returncode == 3, ended.stderr
    last = json.loads(ended.stderr.splitlines()[-1])
    assert (last["event"], last["code"], last["reason"]) == ("ended", 3, "unreachable")
    assert "127.0.0.1:9" in last["error"]
    assert '"event": "kafka_unreachable"' in ended.stderr
    assert "Traceback" not in ended.stderr


def test_missing_topics_end_it_with_2_and_the_command_that_makes_them(kafka: SharedKafka) -> None:
    settings = some_names(bootstrap_servers=kafka.bootstrap_servers)

    ended = run_moderator("run", **variables(settings, MODERATOR_HTTP__PORT="0"))

    assert ended.returncode == 2, ended.stderr
    assert "moderator topics create" in ended.stderr
    assert settings.events_topic in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["run"], {}, ["--model"]),
        (["run", "--model", "builtin"], {"MODERATOR_KAFKA__GROUP": "x"}, ["MODERATOR_KAFKA__GROUP"]),
        (["run", "--model", "builtin", "--policies", "no-such-folder"], {}, ["no-such-folder"]),
        (["run", "--model", "builtin"], {"MODERATOR_HTTP__PORT": "-1"}, ["MODERATOR_HTTP__PORT"]),
    ],
)
def test_a_wrong_configuration_ends_it_with_2_before_anything_is_loaded(
    arguments: list[str], environment: dict[str, str], named: list[str]
) -> None:
    ended = run_moderator(*arguments, **environment)

    assert ended.returncode == 2, ended.stderr
    assert all(name in ended.stderr for name in named)
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_the_settings_in_effect_are_shown_with_secrets_masked() -> None:
    ended = run_moderator(
        "run",
        "--print-settings",
        "--redis-url",
        "redis://:hunter2@redis:6379/0",
        MODERATOR_KAFKA__SASL_PASSWORD="hunter2",
        MODERATOR_KAFKA__SASL_USERNAME="me",
        MODERATOR_KAFKA__SASL_MECHANISM="PLAIN",
        MODERATOR_KAFKA__SECURITY_PROTOCOL="SASL_SSL",
    )

    assert ended.returncode == 0, ended.stderr
    assert "MODERATOR_KAFKA__SASL_USERNAME=me" in ended.stdout
    assert "MODERATOR_KAFKA__GROUP_ID=moderator" in ended.stdout
    assert "hunter2" not in ended.stdout + ended.stderr


def test_too_many_dead_letters_stop_it_with_4_and_nothing_of_that_window_is_published(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    produce(settings, [b"not json"] * 1_500, partitions=1)

    ended = run_moderator("run", **variables(settings, MODERATOR_HTTP__PORT="0"))

    assert ended.returncode == 4, ended.stderr
    last = json.loads(ended.stderr.splitlines()[-1])
    assert (last["event"], last["code"], last["reason"]) == ("ended", 4, "dead_letter_limit")
    assert "max_ratio" in last["error"]
    assert_each_event_came_out_once(settings, committed_offsets(settings, 1))
    assert committed_offsets(settings, 1)[0] < 1_000
