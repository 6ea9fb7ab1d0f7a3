"""A replica as a process of its own, to be killed at any moment and started again under the same name."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from moderator.settings import KafkaSettings
from tests.builders import POLICY_FILES, write_files
from tests.kafka_stream import kafka_variables
from tests.warm.process import WarmChild

SCORING_BEGAN = "scoring_began"
"""What a replica logs when it begins to score a window."""


DIES_OF = "dies of"
"""How an event's text begins that ends the replica with the signal that it names."""


class Replica:
    """A `moderator` process that can be killed and started again under the same name."""

    def __init__(
        self,
        settings: KafkaSettings,
        folder: Path,
        name: str | None,
        *,
        scoring_s: float = 0.03,
        module: str = "tests.faults.replica",
        **variables: str,
    ) -> None:
        self._module = module
        self._policies = write_files(folder / "policies", POLICY_FILES)  # few, as it is started many times
        self._settings = settings
        self.log = folder / f"replica-{name or id(self)}.log"
        self._name = name
        self._scoring_s = scoring_s
        self._variables = variables
        self.child: WarmChild | None = None

    def start(self) -> None:
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "MODERATOR_POLICIES__PATH": str(self._policies),
            "SCORING_S": str(self._scoring_s),
            **kafka_variables(self._settings),
        }
        if self._name:
            environment["MODERATOR_KAFKA__INSTANCE_ID"] = self._name
        environment |= self._variables
        self.child = WarmChild([sys.executable, "-m", self._module], log=self.log, env=environment)

    def kill(self) -> None:
        assert self.child
        self.child.kill()

    def drain(self) -> None:
        assert self.child
        self.child.stop(35)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.child:
            self.child.kill()


@contextmanager
def running(*replicas: Replica) -> Iterator[None]:
    for replica in replicas:
        replica.start()
    try:
        yield
    finally:
        for replica in replicas:
            if replica.child:
                replica.child.kill()
