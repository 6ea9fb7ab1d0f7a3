"""Which workers `--devices` starts, and what each has for itself."""

import os

import pytest

from moderator.errors import ConfigurationError
from moderator.settings import HttpSettings, KafkaSettings, Settings
from moderator.supervisor.workers import named_devices, plan_workers


@pytest.mark.parametrize(
    ("wanted", "devices"),
    [
        ("0,1", ["cuda:0", "cuda:1"]),
        ("3", ["cuda:3"]),
        ("cuda:1, cpu", ["cuda:1", "cpu"]),
        ("cpu,cpu", ["cpu", "cpu"]),
        ("mps", ["mps"]),
    ],
)
def test_a_list_names_one_device_a_worker(wanted: str, devices: list[str]) -> None:
    assert named_devices(wanted) == devices


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("", "`` is no device"),
        ("0,,1", "`` is no device"),
        ("gpu0", "`gpu0` is no device; say `all`, or a list such as `0,1` or `cuda:0,cpu`"),
        ("-1", "`-1` is no device"),
        ("\u0663", "`\u0663` is no device"),
        ("cuda:00,cuda:0", "names `cuda:0` twice"),
        ("0,cuda:0", "`--devices 0,cuda:0` names `cuda:0` twice; one worker fills a device"),
    ],
)
def test_what_is_not_a_list_of_devices_is_reported(wanted: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        named_devices(wanted)

    assert problem in str(raised.value)


def test_each_worker_has_a_device_a_port_and_an_instance_id_of_its_own() -> None:
    settings = Settings(http=HttpSettings(port=9000), kafka=KafkaSettings(instance_id="pod-a"))

    workers = plan_workers(["cuda:0", "cuda:1"], settings, {}, {"PATH": "/bin"})

    assert [worker.environment for worker in workers] == [
        {
            "PATH": "/bin",
            "MODERATOR_MODEL__DEVICE": f"cuda:{index}",
            "MODERATOR_HTTP__PORT": str(9000 + index),
            "MODERATOR_KAFKA__INSTANCE_ID": f"pod-a-{index}",
        }
        for index in range(2)
    ]


def test_flags_reach_the_workers_and_win_over_the_environment_in_any_letters() -> None:
    flags = {"model.path": "builtin", "redis.url": None}
    environ = {"moderator_model__path": "other", "MODERATOR_REDIS__URL": "redis://cache"}

    worker = plan_workers(["cuda:0"], Settings(), flags, environ)[0]

    assert worker.environment["MODERATOR_MODEL__PATH"] == "builtin"
    assert "moderator_model__path" not in worker.environment
    assert worker.environment["MODERATOR_REDIS__URL"] == "redis://cache"
    assert "MODERATOR_KAFKA__INSTANCE_ID" not in worker.environment


def test_any_free_port_stays_any_free_port() -> None:
    workers = plan_workers(["cpu", "cpu"], Settings(http=HttpSettings(port=0)), {}, {})

    assert [worker.environment["MODERATOR_HTTP__PORT"] for worker in workers] == ["0", "0"]


def test_a_port_beyond_the_last_is_told() -> None:
    settings = Settings(http=HttpSettings(port=65_535))

    with pytest.raises(ConfigurationError, match="worker 1 has no HTTP port: 65535 \\+ 1 is beyond 65535; lower"):
        plan_workers(["cpu", "cpu"], settings, {}, {})


def test_workers_on_the_cpu_share_its_cores() -> None:
    cores = len(os.sched_getaffinity(0))

    shared = plan_workers(["cpu"] * (2 * cores), Settings(), {}, {})[0]
    own = plan_workers(["cpu", "cpu"], Settings(), {}, {"OMP_NUM_THREADS": "7"})[0]

    assert shared.environment["OMP_NUM_THREADS"] == "1"
    assert own.environment["OMP_NUM_THREADS"] == "7"
