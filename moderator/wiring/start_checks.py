"""What is checked before the weights are read: `run` ends at the first failure, `run --check` reports all of them.

What takes minutes comes last: a wrong topic, a missing right or a wrong password must not be found after a long load.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final, Self

from moderator.cache import check_address, check_redis
from moderator.errors import PolicyError
from moderator.http.server import check_host
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import read_folder
from moderator.policy.live.snapshot_store import SnapshotStore
from moderator.policy.loader import load_policies
from moderator.settings import Settings
from moderator.stream.kafka.rights import require_rights
from moderator.stream.kafka.source_and_sink import describe_start
from moderator.stream.kafka.topics import Topics, connected, read_topics, require_topics
from moderator.wiring.parts import require_temporary_folder

OF_POLICIES: Final = ("policies", "policy_tests")
OF_SERVERS: Final = ("kafka", "topics", "rights", "record_limits", "positions", "redis")
ORDER: Final = (*OF_POLICIES, "temporary_folder", "http", *OF_SERVERS, "model", "device")
NEEDS: Final[Mapping[str, str]] = {
    "policy_tests": "policies",
    "topics": "kafka",
    "rights": "topics",  # the brokers name no rights on a topic that is missing
    "record_limits": "topics",
    "positions": "rights",
    "model": "temporary_folder",  # torch cannot be imported without one
    "device": "model",
}
"""The check without which another cannot be made."""


class StartChecks:
    """The checks by name; a context, which closes what they have opened.

    Args:
        settings: those of the start.
        sleep: waits between two attempts to reach Kafka, in seconds.

    Attributes:
        topics: what `topics` has found; None before.
    """

    def __init__(self, settings: Settings, sleep: Callable[[float], object] = time.sleep) -> None:
        self._settings = settings
        self._sleep = sleep
        self._open = ExitStack()
        self._admin: Any
        self.topics: Topics | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def make(self, check: str) -> str:
        """Make one check; give what was found, in a few words.

        Raises:
            ConfigurationError: something is wrong.
            BrokerUnavailableError, CacheUnavailableError: a server does not answer.
        """
        found: str = getattr(self, f"_check_{check}")()
        return found

    def _check_policies(self) -> str:
        state_dir = self._settings.policies.state_dir
        if state_dir is not None:
            SnapshotStore(state_dir).check()
        folder = read_folder(self._settings.policies.path)
        if isinstance(folder.files, Exception):
            raise folder.files
        return f"rules in `{folder.folder}`: {load_policies(folder.files, folder.folder).rule_count}"

    def _check_policy_tests(self) -> str:
        accepted = Admission().admit(read_folder(self._settings.policies.path))
        return f"they pass; snapshot {accepted.policies.snapshot}"

    def _check_temporary_folder(self) -> str:
        return f"`{require_temporary_folder()}` can be written"

    def _check_http(self) -> str:
        host = self._settings.http.host
        check_host(host)
        return f"`{host}` can be listened on; whether the port is free is not tried"

    def _check_kafka(self) -> str:
        kafka = self._settings.kafka
        self._admin = self._open.enter_context(connected(kafka, self._sleep))
        return f"`{kafka.bootstrap_servers}` answers"

    def _check_topics(self) -> str:
        kafka = self._settings.kafka
        partitions = require_topics(self._admin, kafka)
        self.topics = read_topics(self._admin, kafka, partitions)
        return f"partitions of `{kafka.events_topic}`: {partitions}; the output topics exist"

    def _check_rights(self) -> str:
        require_rights(self._admin, self._settings.kafka)
        return "all that are needed"

    def _check_record_limits(self) -> str:
        assert self.topics is not None
        limits = self.topics.limits_bytes.items()
        return ", ".join(f"`{topic}` takes records of {limit:,} bytes" for topic, limit in limits)

    def _check_positions(self) -> str:
        return describe_start(self._settings.kafka)

    def _check_redis(self) -> str:
        if self._settings.redis.url is None:
            return "none is named: scores are cached in memory, verdicts nowhere"
        check_address(self._settings.redis)
        check_redis(self._settings.redis)
        return "answers, and takes what the caches write"

    def _check_model(self) -> str:
        from moderator.scoring.engine import check_model  # noqa: PLC0415 - torch alone takes seconds

        outputs, size_bytes = check_model(self._settings.model)
        has_brokers_time = self.topics is None or self.topics.has_brokers_time
        self._check_policies_suit(Admission(outputs=outputs, has_brokers_time=has_brokers_time))
        return f"`{outputs.name}`, {len(outputs.objectives)} objectives, {size_bytes:,} bytes of weights"

    def _check_device(self) -> str:
        from moderator.scoring.engine import check_device  # noqa: PLC0415 - torch alone takes seconds

        return check_device(self._settings.model)

    def _check_policies_suit(self, admission: Admission) -> None:
        """Check the policies against the model and the topic; those that are refused anyway have their own check."""
        try:
            accepted = Admission().admit(read_folder(self._settings.policies.path))
        except PolicyError:
            return
        admission.check(accepted)
