"""What a collector gets of a loop on doubles; and what the loop does without one."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from moderator.errors import ScorerUnavailableError
from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, Partition, PartitionSpan, Record, Scores, Turn
from moderator.observability.tracing import names
from moderator.observability.tracing.otel import OtelTracing
from moderator.pipeline.decision import Decider
from moderator.pipeline.observer import CountingObserver
from moderator.pipeline.processor import Processor
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.settings import Settings, WindowSettings
from moderator.testing import (
    InMemoryLog,
    InMemorySink,
    InMemorySource,
    InMemoryVerdictCache,
    ManualClock,
    ScriptedScorer,
)
from tests.builders import a_record, an_encoded_decision, an_event_json, some_policies, some_scores
from tests.servers.collector import Collector, Span
from tests.unit.pipeline.dict_cache import DictCache
from tests.waiting import PATIENCE_S

TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = ("traceparent", f"00-{TRACE}-{SENDER}-01".encode())
FEW_SPANS = {"OTEL_BSP_MAX_QUEUE_SIZE": "64", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16"}
"""What the SDK keeps until it is sent, and sends at once."""
NOT_SAMPLED = ("traceparent", f"00-{TRACE}-{SENDER}-00".encode())


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def a_log(*events: tuple[bytes, tuple[str, bytes] | None]) -> InMemoryLog:
    log = InMemoryLog()
    for value, header in events:
        record = log.append(value)
        records = log.records[next(iter(log.records))]
        records[-1] = record._replace(headers=[header] if header else [])
    return log


def tracing_to(url: str, monkeypatch: pytest.MonkeyPatch, **environ: str) -> OtelTracing:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, **environ}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return OtelTracing(given, topic="chat.events", group_id="moderators", client_id="moderator-0", model="scripted")


class Stage:
    """A processor on doubles."""

    def __init__(self, tmp_path: Path, log: InMemoryLog, tracing: OtelTracing, *, max_events: int = 25) -> None:
        self.log = log
        self.source = InMemorySource(log, records_per_poll=1_000)
        self.sink = InMemorySink(log, self.source)
        self.scorer = ScriptedScorer(self.score)
        self.tracing = tracing
        self.policies = some_policies(tmp_path)
        self.max_events = max_events

    def score(self, conversation: Sequence[Turn]) -> Scores:
        return some_scores(0.1 if "rude" in conversation[-1].content else 0.9, 0.7)

    def run(self) -> list[tuple[Record, EncodedDecision | DeadLetter]]:
        Processor(
            settings=Settings(window=WindowSettings(max_events=self.max_events)),
            source=self.source,
            sink=self.sink,
            scoring=ScoringThread(),
            scorer=self.scorer,
            score_cache=DictCache(),
            verdict_cache=InMemoryVerdictCache(),
            current_decider=lambda: Decider(self.policies, self.scorer.identity),
            observer=CountingObserver(),
            clock=ManualClock(),
            stop=threading.Event(),
            dead_letter_limit=None,
            tracing=self.tracing,
        ).run()
        self.tracing.close()
        return self.log.outcomes

    def run_and_send(self) -> list[tuple[Record, EncodedDecision | DeadLetter]]:
        """Run, and wait until the collector has everything."""
        outcomes = self.run()
        await_sent()
        return outcomes


def await_sent() -> None:
    """Wait until all is sent: a stream that ends does so for a second, in which a busy machine may send nothing."""
    for thread in threading.enumerate():
        if thread.name == "traces":
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def only(spans: list[Span]) -> Span:
    (span,) = spans
    return span


def test_a_window_is_one_span_with_links_to_the_senders_of_sampled_events(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = a_log((an_event_json(), SAMPLED), (an_event_json(), NOT_SAMPLED), (an_event_json(), None))

    Stage(tmp_path, log, tracing_to(collector.url, monkeypatch)).run_and_send()

    window = only(collector.named("process chat.events"))
    assert (window.kind, window.parent_id, window.links) == ("consumer", "", [SENDER])
    assert window.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "chat.events",
        "messaging.consumer.group.name": "moderators",
        "messaging.client.id": "moderator-0",
        "messaging.batch.message_count": 3,
    }
    assert window.resource["service.name"] == "moderator"
    assert window.resource["service.instance.id"] == "moderator-0"


def test_a_sampled_event_is_a_span_below_its_sender_s_with_what_was_decided_and_why(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    event = an_event_json(text="a rude word", conversation_id="c-9", user="u-1", tenant="acme")
    log = a_log((an_event_json(), None), (event, SAMPLED))

    stage = Stage(tmp_path, log, tracing_to(collector.url, monkeypatch))
    (_, made) = stage.run_and_send()[1]

    assert isinstance(made, EncodedDecision)
    span = only(collector.named(names.MODERATE))
    assert (span.kind, span.trace_id, span.parent_id) == ("internal", TRACE, SENDER)
    assert span.attributes == {
        "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 1,
        "gen_ai.request.model": "scripted",
        "gen_ai.conversation.id": "c-9",
        "moderator.decision.id": made.decision_id,
        "moderator.verdict": "flag",
        "moderator.status": "scored",
        "moderator.severity": "high",
        "moderator.reasons": ["unsafe_content"],
        "moderator.rules": ["safety/doubtful", "safety/unsafe"],
        "moderator.policy.snapshot": stage.policies.snapshot,
        "moderator.model.fingerprint": stage.scorer.identity.fingerprint,
        "moderator.cached": False,
    }
    assert [(each.name, each.attributes) for each in span.events] == [
        (
            "gen_ai.evaluation.result",
            {
                "gen_ai.evaluation.name": "safety",
                "gen_ai.evaluation.score.value": 0.1,
                "gen_ai.evaluation.score.label": "fail",
            },
        )
    ]
    assert b"rude" not in b"".join(collector.bodies)
    assert b"acme" not in b"".join(collector.bodies)
    assert b"u-1" not in b"".join(collector.bodies)


def test_a_shadow_rule_fails_no_signal(collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_log((an_event_json(), SAMPLED)), tracing_to(collector.url, monkeypatch))
    stage.scorer = ScriptedScorer(lambda _: some_scores(0.5, 0.7))  # the shadow rule alone

    stage.run_and_send()

    span = only(collector.named(names.MODERATE))
    assert span.attributes[names.RULES] == ["safety/doubtful"]
    assert [each.attributes[names.LABEL] for each in span.events] == ["pass"]


def test_a_decision_is_sent_on_with_our_span_and_what_is_not_traced_as_it_came(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = a_log((an_event_json(), SAMPLED), (an_event_json(), NOT_SAMPLED), (b"not json", SAMPLED))

    outcomes = Stage(tmp_path, log, tracing_to(collector.url, monkeypatch)).run_and_send()

    ours, dead = sorted(collector.named(names.MODERATE), key=lambda span: str(span.attributes[names.OFFSET]))
    headers = [dict(record.headers)["traceparent"] for record, _ in outcomes]
    assert headers == [f"00-{TRACE}-{ours.span_id}-01".encode(), NOT_SAMPLED[1], SAMPLED[1]]
    assert dead.attributes[names.ERROR_TYPE] == "bad_json"


def test_at_most_128_senders_are_linked_and_all_sampled_events_are_traced(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracing = tracing_to(collector.url, monkeypatch)

    tracing.window_began([(a_record(offset=offset, headers=[SAMPLED]), 0.0) for offset in range(150)])
    tracing.stopped(TimeoutError())
    tracing.close()
    await_sent()

    assert len(only(collector.named("process chat.events")).links) == 128
    assert len(collector.named(names.MODERATE)) == 150


def test_windows_that_were_not_committed_end_with_what_ended_the_loop(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: Any) -> Scores:
        raise ScorerUnavailableError("device lost")

    stage = Stage(tmp_path, a_log((an_event_json(), SAMPLED)), tracing_to(collector.url, monkeypatch))
    stage.scorer = ScriptedScorer(fail)

    with pytest.raises(ScorerUnavailableError):
        stage.run_and_send()
    stage.tracing.close()
    await_sent()

    assert [span.attributes[names.ERROR_TYPE] for span in collector.spans] == ["ScorerUnavailableError"] * 2


def test_events_whose_partition_was_taken_away_are_not_committed(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, a_log((an_event_json(), SAMPLED)), tracing_to(collector.url, monkeypatch))

    def revoke(_: Any) -> Scores:
        stage.source.revoke(next(iter(stage.log.records)))
        return some_scores()

    stage.scorer = ScriptedScorer(revoke)

    assert stage.run_and_send() == []
    assert [span.attributes[names.ERROR_TYPE] for span in collector.spans] == ["not_committed"] * 2


def test_a_record_that_cannot_be_described_is_traced_all_the_same(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracing = tracing_to(collector.url, monkeypatch)
    record = a_record(headers=[SAMPLED])
    span: DecidedSpan = PartitionSpan(Partition("chat.events", 0), 1, 1, [(record, an_encoded_decision(value=b"{}"))])

    tracing.window_began([(record, 0.0)])
    tracing.committed(tracing.window_decided([span]))
    tracing.window_ended()
    tracing.close()
    await_sent()

    assert names.ERROR_TYPE not in only(collector.named(names.MODERATE)).attributes


@pytest.mark.parametrize(
    ("environ", "name"),
    [({"OTEL_SERVICE_NAME": "chat"}, "chat"), ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=safety"}, "safety")],
)
def test_the_operator_names_the_service(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environ: dict[str, str], name: str
) -> None:
    Stage(tmp_path, a_log((an_event_json(), None)), tracing_to(collector.url, monkeypatch, **environ)).run_and_send()

    assert only(collector.spans).resource["service.name"] == name


def test_a_collector_that_does_not_answer_costs_neither_events_nor_the_stream_s_time(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It never answers, and the exporter never gives up: a stream that waited for it would not come to its end."""
    collector.answers.clear()
    tracing = tracing_to(collector.url, monkeypatch, OTEL_EXPORTER_OTLP_TIMEOUT="3600", **FEW_SPANS)
    events = 400
    log = a_log(*[(an_event_json(text=f"{number}"), SAMPLED) for number in range(events)])
    stage = Stage(tmp_path, log, tracing, max_events=50)
    in_time: list[bool] = []

    def last_waits(conversation: Sequence[Turn]) -> Scores:
        if conversation[-1].content == f"{events - 1}":  # so that an export has begun before the stream is through
            in_time.append(collector.asked.wait(PATIENCE_S))
        return some_scores(0.9, 0.7)

    stage.scorer = ScriptedScorer(last_waits)
    running = threading.Thread(target=stage.run, daemon=True)

    running.start()
    running.join(PATIENCE_S)

    assert not running.is_alive()
    assert in_time == [True]
    assert len(log.outcomes) == events
    assert collector.bodies == []
    collector.answers.set()
    await_sent()
    assert 0 < len(collector.named(names.MODERATE)) < events  # what waits is bounded
