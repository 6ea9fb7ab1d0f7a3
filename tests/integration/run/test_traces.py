"""`moderator run` sends traces to a collector, and its decisions lead on to them."""

from tests.integration.run.test_run import READY_S, variables
from tests.kafka_stream import await_committed, produce, read_committed, some_topics
from tests.servers.collector import Collector
from tests.servers.shared import SharedKafka
from tests.waiting import await_condition
from tests.warm.process import WarmReplica

TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_the_trace_of_an_event_leads_from_its_sender_by_way_of_its_decision_to_whoever_reads_that(
    kafka: SharedKafka,
) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1, instance_id="one")
    header = ("traceparent", f"00-{TRACE}-{SENDER}-01".encode())
    produce(settings, [b'{"text": "You are an idiot"}'], partitions=1, headers=[header])

    with Collector() as collector:
        sending = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with WarmReplica(variables(settings, **sending)):
            await_committed(settings, [1], READY_S)
            await_condition(lambda: len(collector.spans) == 2)
        (span,) = collector.named("moderate")
        (window,) = collector.named(f"process {settings.events_topic}")

    (decision,) = read_committed(settings)
    assert dict(decision.headers)["traceparent"] == f"00-{TRACE}-{span.span_id}-01".encode()
    assert dict(decision.headers)["ce_id"].decode() == span.attributes["moderator.decision.id"]
    assert (span.trace_id, span.parent_id, window.links) == (TRACE, SENDER, [SENDER])
    assert window.attributes["messaging.client.id"] == "moderator-one"
    assert 0 < span.seconds < READY_S
