"""A replica that stops once with its first transaction open, until a line comes in. A process of its own."""

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from moderator.errors import StoppedError
from moderator.events import DecidedSpan
from moderator.observability.logging import configure_logging
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka import source_and_sink
from moderator.stream.kafka.connection import client_settings
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.producing.sender import OutcomeSender
from tests.faults.loop import Loop
from tests.kafka_stream import usual_limits

STOPPED = 4


class StoppingSender(OutcomeSender):
    """Sends as always, and the first time waits with all records delivered."""

    has_stopped = False

    def __call__(self, producer: KafkaProducer, spans: Sequence[DecidedSpan]) -> list[Any]:
        futures = super().__call__(producer, spans)
        if not self.has_stopped:
            self.has_stopped = True
            producer.flush()
            print("in transaction", flush=True)
            sys.stdin.readline()
        return futures


def main() -> None:
    configure_logging("info")
    settings = KafkaSettings(**json.loads(sys.argv[1]))
    client = client_settings(settings)
    metrics = Metrics(CollectorRegistry())
    membership = Membership(lambda: source_and_sink.member(settings, client), settings.events_topic, metrics)
    sender = StoppingSender(settings, usual_limits(settings), time.time)
    loop = Loop(*source_and_sink.of_membership(membership, settings, client, sender, metrics))
    try:
        while True:
            loop.step()
    except StoppedError as error:
        print(error, flush=True)
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
