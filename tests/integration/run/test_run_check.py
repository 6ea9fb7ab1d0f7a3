"""`moderator run --check` on real servers: each wrong thing is found, nothing is changed, a replica works on."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from redis import Redis

from moderator.demo.servers.redis import LocalRedis
from moderator.settings import KafkaSettings
from moderator.wiring.start_checks import ORDER
from tests.integration.run.test_run import READY_S, some_events, variables
from tests.kafka_stream import await_committed, committed_offsets, produce, some_names, some_topics
from tests.servers.shared import SharedKafka
from tests.warm.process import WarmReplica, run_moderator

FOR_ARMORM = Path(__file__).parents[3] / "policies" / "armorm"
NOWHERE = "127.0.0.1:9"


class Checked(NamedTuple):
    code: int
    states: dict[str, str]
    details: dict[str, str]


def checked(settings: KafkaSettings, **more: str) -> Checked:
    ended = run_moderator(
        "run", "--check", "--json", **variables(settings, MODERATOR_KAFKA__START_TIMEOUT_S="2", **more)
    )
    answer: dict[str, Any] = json.loads(ended.stdout)
    checks = {each["check"]: each for each in answer["checks"]}
    states = {name: each["state"] for name, each in checks.items()}
    assert list(checks) == ["settings", *ORDER]
    assert answer["ok"] == (set(states.values()) == {"ok"})
    return Checked(
        ended.returncode, states, {name: f"{each['detail']}; {each['hint']}" for name, each in checks.items()}
    )


def not_ok(answer: Checked) -> dict[str, str]:
    return {name: state for name, state in answer.states.items() if state != "ok"}


def test_where_all_is_right_it_ends_with_0_and_changes_nothing(kafka: SharedKafka, redis_server: LocalRedis) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    produce(settings, some_events(30))

    answer = checked(settings, MODERATOR_REDIS__URL=redis_server.url)

    assert (answer.code, not_ok(answer)) == (0, {}), answer
    assert committed_offsets(settings) == [0, 0, 0]
    with Redis.from_url(redis_server.url) as client:
        assert client.keys("moderator:score:check*") == []


def test_beside_a_running_replica_it_neither_joins_nor_fences(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, instance_id="the-only-one")
    with WarmReplica(variables(settings)) as replica:
        assert replica.await_ready(READY_S), replica.last_lines()
        produce(settings, some_events(30))
        await_committed(settings, [10, 10, 10])

        answer = checked(settings)
        produce(settings, some_events(30))

        await_committed(settings, [20, 20, 20])
        assert replica.exit_code is None
        rebalances = replica.log.read_text().count('"partitions_assigned"')
    assert (answer.code, not_ok(answer)) == (0, {}), answer
    assert rebalances == 1


def test_a_wrong_port_is_unreachable_and_what_depends_on_it_is_skipped() -> None:
    answer = checked(some_names(bootstrap_servers=NOWHERE))

    assert answer.code == 3
    assert not_ok(answer) == {
        "kafka": "unreachable",
        **dict.fromkeys(
            (name for name in ORDER if name in {"topics", "rights", "record_limits", "positions"}), "skipped"
        ),
    }
    assert NOWHERE in answer.details["kafka"]


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_a_host_that_is_none_of_this_machine_s_is_wrong(host: str) -> None:
    answer = checked(some_names(bootstrap_servers=NOWHERE), MODERATOR_HTTP__HOST=host)

    assert (answer.code, answer.states["http"]) == (2, "wrong")
    assert f"cannot listen on `{host}`" in answer.details["http"]
    assert "`MODERATOR_HTTP__HOST`" in answer.details["http"]


def test_every_wrong_thing_is_reported_though_an_earlier_one_is_wrong(kafka: SharedKafka) -> None:
    settings = some_names(bootstrap_servers=kafka.bootstrap_servers)

    answer = checked(
        settings,
        MODERATOR_POLICIES__PATH="no-such-folder",
        MODERATOR_REDIS__URL="redis://127.0.0.1:9/0",
        MODERATOR_MODEL__PATH="no-such-model",
    )

    assert answer.code == 2
    assert answer.states["settings"] == answer.states["kafka"] == answer.states["temporary_folder"] == "ok"
    assert answer.states["policies"] == answer.states["topics"] == answer.states["model"] == "wrong"
    assert answer.states["policy_tests"] == answer.states["record_limits"] == answer.states["device"] == "skipped"
    assert answer.states["rights"] == answer.states["positions"] == "skipped"
    assert answer.states["redis"] == "unreachable"
    assert settings.events_topic in answer.details["topics"]
    assert "moderator topics create" in answer.details["topics"]


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("redis://:wrong-secret@127.0.0.1:{port}/0", "WRONGPASS"),
        pytest.param("redis://127.0.0.1:{port}/0", "NOAUTH", marks=pytest.mark.long),
    ],
)
def test_a_wrong_password_of_redis_ends_a_start_before_the_model_is_read(
    address: str, named: str, kafka: SharedKafka
) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    with LocalRedis() as redis:
        with Redis.from_url(redis.url) as client:
            client.config_set("requirepass", "right-secret")
        url = address.format(port=redis.port)

        answer = checked(settings, MODERATOR_REDIS__URL=url)
        started = run_moderator("run", **variables(settings, MODERATOR_REDIS__URL=url, MODERATOR_HTTP__PORT="0"))

    assert (answer.code, not_ok(answer)) == (2, {"redis": "wrong"})
    assert named in answer.details["redis"]
    last = json.loads(started.stderr.splitlines()[-1])
    assert (started.returncode, last["reason"]) == (2, "configuration")
    assert named in last["error"]
    assert "model_loading" not in started.stderr
    assert "secret" not in started.stderr + str(answer)


def test_missing_topics_end_a_start_before_the_model_is_read(kafka: SharedKafka) -> None:
    settings = some_names(bootstrap_servers=kafka.bootstrap_servers)

    started = run_moderator("run", **variables(settings, MODERATOR_HTTP__PORT="0"))

    assert started.returncode == 2
    assert settings.events_topic in json.loads(started.stderr.splitlines()[-1])["error"]
    assert "model_loading" not in started.stderr


def test_policies_that_need_what_the_model_lacks_end_a_start_before_the_weights_are_read(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    wrong = {"MODERATOR_POLICIES__PATH": str(FOR_ARMORM)}

    answer = checked(settings, **wrong)
    started = run_moderator("run", **variables(settings, MODERATOR_HTTP__PORT="0", **wrong))

    assert (answer.code, not_ok(answer)) == (2, {"model": "wrong", "device": "skipped"})
    assert "P060" in answer.details["model"]
    assert started.returncode == 2
    assert "P060" in json.loads(started.stderr.splitlines()[-1])["error"]
    assert "model_loading" not in started.stderr
