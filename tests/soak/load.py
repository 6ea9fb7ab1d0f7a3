"""A steady load of every shape of event that producers send, and some that they should not."""

import json
import threading
from collections.abc import Sequence
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, Self

from kafka import KafkaProducer
from kafka.errors import KafkaError

EVENTS_PER_S = 30
POISON = "text that ends whatever scores it"
TRACE = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
BINARY = [("ce_specversion", b"1.0"), ("ce_id", b"ce-1"), ("ce_type", b"chat"), ("ce_source", b"/chat")]


class Event(NamedTuple):
    """What one shape sends."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def _json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _chat(*contents: str) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[at % 2], "content": content} for at, content in enumerate(contents)]


def judged(number: int) -> list[Event]:
    """Give what gets a decision, a shape each; the texts differ by the number."""
    text = f"message number {number % 500}"
    return [
        Event(_json(id=f"evt-{number}", tenant="acme", text=text)),
        Event(_json(text=f"You are a useless idiot, {number % 50}")),
        Event(_json(prompt="How do I reset it?", response=f"Open Settings, then entry {number % 100}."), [TRACE]),
        Event(_json(id=number, messages=_chat("hello", "hi", text), channel="general", locale="en-GB", user="u-1")),
        Event(_json(messages=[{"role": "user", "content": [{"type": "text", "text": text}, {"type": "image_url"}]}])),
        Event(
            json.dumps(
                {"specversion": "1.0", "id": f"ce-{number}", "type": "chat", "source": "/chat", "data": {"text": text}}
            ).encode(),
            [("content-type", b"application/cloudevents+json")],
        ),
        Event(_json(text=text), BINARY),
        Event(b"\x00\x00\x00\x00\x2a" + _json(text=text)),
        Event(b"\xef\xbb\xbf" + _json(text="with a byte order mark")),
        Event(b'{"text": "a cut emoji \\ud83d"}'),
        Event(_json(text="n\u200bo\u200bb\u200bo\u200bdy \U0001f926\U0001f3fd \u043d\u0435\u0442 " + "\u202e" * 20)),
        Event(_json(text=f"a long message, {number % 20}. " * 600)),
    ]


def refused() -> list[Event]:
    """Give what becomes a dead letter, a shape each."""
    return [
        Event(b"not json"),
        Event(None),
        Event(b"\xff\xfe{"),
        Event(_json(messages=[])),
        Event(_json(text="  ")),
        Event(b"\x00\x00\x00\x00\x2a\x02binary"),
    ]


class Load:
    """Sends events at a steady rate on a thread of its own, one in eight of them refused; reads new partitions soon."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._topic = topic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, name="load", daemon=True)
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap_servers,
            acks="all",
            linger_ms=5,
            delivery_timeout_ms=120_000,
            metadata_max_age_ms=5_000,
            max_request_size=2**21,
        )

    def send(self, event: Event, number: int = 0) -> None:
        """Send one; a broker that is away is waited for by the client."""
        self._producer.send(self._topic, event.value, b"c-%d" % (number % 50), list(event.headers))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, and wait until the brokers have what was sent."""
        self._stop.set()
        self._thread.join(150)
        self._producer.close(120)

    def _send(self) -> None:
        shapes, dead = len(judged(0)), refused()
        for number in count():
            if self._stop.wait(1 / EVENTS_PER_S):
                return
            event = dead[number // 8 % len(dead)] if number % 8 == 7 else judged(number)[number % shapes]
            try:
                self.send(event, number)
            except KafkaError:  # no metadata within a minute: all brokers are away
                continue
