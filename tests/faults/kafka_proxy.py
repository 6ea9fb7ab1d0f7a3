"""A TCP proxy that knows the head of Kafka's requests, to lose, cut, hold back or slow a chosen one or its answer."""

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, Self

_HEAD = struct.Struct(">hhi")


class Api(IntEnum):
    """Kafka's numbers for the requests that tests interfere with."""

    PRODUCE = 0
    OFFSET_COMMIT = 8
    SYNC_GROUP = 14
    ADD_PARTITIONS = 24
    ADD_OFFSETS = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


Side = Literal["request", "response"]
Act = Literal["drop", "cut", "hold", "slow"]


@dataclass
class Fault:
    """What to do with one kind of request, or with its answers; `times` of them, after which all is well again.

    What is held goes on, with all that comes after it, when `released` is set; what is slowed, after `slow_s`.
    """

    api: Api
    side: Side
    act: Act
    times: int = 1
    slow_s: float = 0.0
    happened: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class KafkaProxy:
    """`with KafkaProxy() as proxy`: listens on `port` and passes everything on to `upstream_port`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.upstream_port = 0
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for each in self._sockets:
            each.close()

    def inject(self, fault: Fault) -> Fault:
        """Do this to the next that fits; it replaces the one before."""
        with self._lock:
            self._fault = fault
        return fault

    def heal(self) -> None:
        """Do nothing any more to what passes, and let go of what is held."""
        with self._lock:
            fault, self._fault = self._fault, None
        if fault:
            fault.released.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed: the end
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.upstream_port), timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                _Connection(self, client, server).start()
                self._sockets += [client, server]

    def act_on(self, api: int, side: Side) -> Fault | None:
        """Give the fault that befalls this frame, counting it."""
        with self._lock:
            fault = self._fault
            if fault is None or fault.times == 0 or (fault.api, fault.side) != (api, side):
                return None
            fault.times -= 1
            fault.happened.set()
            return fault


class _Connection:
    """One client's connection: a thread each way."""

    def __init__(self, proxy: KafkaProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._apis: dict[int, int] = {}

    def start(self) -> None:
        threading.Thread(target=self._pass_requests, daemon=True).start()
        threading.Thread(target=self._pass_responses, daemon=True).start()

    def _pass_requests(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while frame := _read_frame(self._client):
                api, _, correlation = _HEAD.unpack_from(frame, 4)
                self._apis[correlation] = api
                self._pass(frame, api, "request", self._server)
        self._cut()

    def _pass_responses(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while frame := _read_frame(self._server):
                (correlation,) = struct.unpack_from(">i", frame, 4)
                self._pass(frame, self._apis.pop(correlation, -1), "response", self._client)
        self._cut()

    def _pass(self, frame: bytes, api: int, side: Side, to: socket.socket) -> None:
        fault = self._proxy.act_on(api, side)
        if fault and fault.act == "cut":
            raise EOFError
        if fault and fault.act == "hold":
            fault.released.wait()
        if fault and fault.act == "slow":
            time.sleep(fault.slow_s)  # the broker does not hurry: nothing to wait for
        if fault is None or fault.act in {"hold", "slow"}:
            to.sendall(frame)

    def _cut(self) -> None:
        for each in (self._client, self._server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _read_frame(connection: socket.socket) -> bytes:
    head = _read(connection, 4)
    (size,) = struct.unpack(">i", head)
    return head + _read(connection, size)


def _read(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
