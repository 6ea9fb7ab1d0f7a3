"""Real servers and processes for the tests that need them. What cannot start is a failure, never a skip.

A test that needs Kafka takes the fixture `kafka`, one broker for all tests of a run, and creates topics and a group
of its own with `some_topics(kafka.bootstrap_servers)`. One that stops or kills a broker starts a `LocalKafka`.

A test that needs Redis takes `redis_server`, which each test process has for itself. One that stops it starts
a `LocalRedis`.

A test that calls the command line uses `run_moderator`, `WarmReplica` or `WarmPopen` of `tests.warm.process`. A cold
start takes seconds: use `subprocess` only where the start itself is what the test is about.

The tests of a file run in one process; those of `faults/` and `integration/` run in any, unless they take a fixture of
their module or are among the many short ones of `integration/http` and `integration/scoring`. Where files share what
is expensive to start, a mark keeps them together:
`pytestmark = pytest.mark.xdist_group("broker behind a proxy")`.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from _pytest.nodeid import NodeId
from hypothesis import HealthCheck, Phase, settings

from moderator.demo.servers.java import require_kafka_tools
from moderator.demo.servers.redis import LocalRedis
from moderator.settings import KafkaSettings
from tests.kafka_stream import some_topics
from tests.servers.shared import KafkaKeeper, SharedKafka, ask_for_kafka
from tests.warm.command import warm_command

# machines are shared and noisy: no deadlines, and slow first draws are no failure; every run draws others
settings.register_profile("noisy-machine", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("noisy-machine")
# for mutants: what fails is enough, and to find its simplest form takes minutes each
settings.register_profile(
    "no-shrinking", settings.get_profile("noisy-machine"), phases=(Phase.explicit, Phase.reuse, Phase.generate)
)

# threads that wait for others leave the cores to the other test processes; libgomp reads it when torch is imported
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# below `nohup` the processes of the tests would ignore it too; one that is handled is not ignored in them
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

KEEPER = pytest.StashKey[KafkaKeeper]()
OPEN = pytest.StashKey[ExitStack]()
WORKER = (sys.executable, "-m", "tests.warm.worker")
SPREAD = ("tests/faults", "tests/integration")
"""Folders of tests that take seconds each."""
BY_FILE = ("tests/integration/http", "tests/integration/scoring")
"""Folders in them where each takes less, and what they share is dear."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--load-s", type=float, default=20.0, help="how long replicas are killed under load, in seconds")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OPEN] = ExitStack()
    if not hasattr(config, "workerinput"):
        config.stash[KEEPER] = KafkaKeeper()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: Sequence[Any]) -> None:
    """Start the test processes warm; not those that measure coverage, which begins before anything is imported."""
    if not config.pluginmanager.has_plugin("_cov"):
        folder = config.stash[OPEN].enter_context(tempfile.TemporaryDirectory())
        programs = config.stash[OPEN].enter_context(warm_command(Path(folder), "python", WORKER))
        for spec in specs:
            spec.python = str(programs / "python")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["kafka_keeper"] = node.config.stash[KEEPER].address


def pytest_unconfigure(config: pytest.Config) -> None:
    if keeper := config.stash.get(KEEPER, None):
        keeper.close()
    config.stash[OPEN].close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        for item in items:
            if group := _group(item):
                _run_with(item, group)


def _group(item: pytest.Item) -> str | None:
    """Name what runs in one process; None for a test that runs in any.

    By mark, or else by folder or file where a fixture is made once for these, or by file outside of `SPREAD`.
    """
    if mark := item.get_closest_marker("xdist_group"):
        return str(mark.args[0])
    scopes = {each.scope for fixtures in item._fixtureinfo.name2fixturedefs.values() for each in fixtures}  # type: ignore[attr-defined]
    file = item.path.relative_to(item.config.rootpath)
    if "package" in scopes:
        return file.parent.as_posix()
    is_alone = "module" not in scopes and _is_below(file, SPREAD) and not _is_below(file, BY_FILE)
    return None if is_alone else file.as_posix()


def _is_below(file: Path, folders: Sequence[str]) -> bool:
    return any(file.is_relative_to(folder) for folder in folders)


def _run_with(item: pytest.Item, group: str) -> None:
    """Write the group behind the test's id, where xdist's `loadgroup` looks for it.

    xdist 3.8 writes it to a field that pytest has no more since 9.2, and then groups nothing, silently:
    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """
    item._id = NodeId.parse(f"{item.nodeid}@{group}")
    assert item.nodeid.endswith(f"@{group}")


@pytest.fixture(scope="session")
def load_s(pytestconfig: pytest.Config) -> float:
    seconds: float = pytestconfig.getoption("--load-s")
    return seconds


@pytest.fixture(scope="session")
def kafka_tools() -> None:
    """What a broker needs; for every test that starts one of its own."""
    require_kafka_tools()


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> SharedKafka:
    """A broker that all tests share; those that stop or kill one start their own."""
    if hasattr(pytestconfig, "workerinput"):
        return ask_for_kafka(pytestconfig.workerinput["kafka_keeper"])
    return ask_for_kafka(pytestconfig.stash[KEEPER].address)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[LocalRedis]:
    """A Redis that the tests of one process share: some of them empty it."""
    with LocalRedis() as server:
        yield server


@pytest.fixture
def kafka_settings(kafka: SharedKafka) -> KafkaSettings:
    """Topics of three partitions and a group that this test has for itself."""
    return some_topics(kafka.bootstrap_servers)
