"""The HTTP server: runs on a thread of its own."""

import asyncio
import json
import resource
import socket
import threading
from http import HTTPStatus
from typing import Any, Final

import h11
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from moderator.errors import ConfigurationError
from moderator.http.framing import OneLength
from moderator.http.head import HeadAsGet
from moderator.http.refusals import Refusal, malformed, too_many_connections
from moderator.http.request_id import closing_headers, request_id_of
from moderator.observability.logging import get_logger

log = get_logger(__name__)

GRACE_S = 1
"""How long a request in flight may take once the server stops."""
STOP_TIMEOUT_S = 3.0
UNREAD_S = 60.0
"""How long a client may leave an answer unread that has more than its connection holds."""
MOST_CONNECTIONS: Final = 4_096
"""How many may be open at once; where a process may open few files, fewer."""
_OTHER_FILES: Final = 256
"""What the process needs besides: Kafka, Redis, policies, logs."""
_REFUSED_S: Final = 1.0
"""How long a client may take to read that there are too many."""
_AFTER_DEADLINE_S: Final = 2.0
"""How much later than its deadline a request that is not complete loses its connection: the answer goes first."""


class HttpServer:
    """Serves an application while other threads work.

    Args:
        app: answers the requests.
        host, port: where to listen; port 0: any free one.
        deadline_s: how long a client may take to send a request's headers.
        variables: what the settings of host and port begin with, for the error's text.
    """

    def __init__(
        self,
        app: FastAPI | ASGIApp,
        host: str,
        port: int,
        *,
        deadline_s: float = 10.0,
        variables: str = "MODERATOR_HTTP__",
    ) -> None:
        self._host, self._port = host, port
        self._variables = variables
        config = uvicorn.Config(
            OneLength(HeadAsGet(app)),
            http=_protocol(deadline_s, most_connections()),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Listen and serve; give the port.

        Raises:
            ConfigurationError: the server cannot listen on the address.
        """
        listener = _listen(self._host, self._port, self._variables)
        port: int = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="http", daemon=True
        )
        self._thread.start()
        log.info("http_listening", host=self._host, port=port)
        return port

    def stop(self) -> None:
        """Stop; a request that hangs is cut off. May be called twice, or without `start`."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(STOP_TIMEOUT_S)
            self._thread = None


def check_host(host: str) -> None:
    """Check that a port of the host can be listened on; the one that the settings name may be in use, and is not tried.

    Raises:
        ConfigurationError: none can: the name means nothing here, or no interface has the address.
    """
    try:
        _listening(host, 0).close()
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on `{host}`: {_reason(error)}; choose another `MODERATOR_HTTP__HOST`"
        ) from error


def _listen(host: str, port: int, variables: str) -> socket.socket:
    try:
        return _listening(host, port)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on `{host}` port {port}: {_reason(error)}; "
            f"choose another `{variables}PORT` (0: any free one) or `{variables}HOST`"
        ) from error


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except UnicodeError as error:  # not a possible host name
        raise OSError from error


def _reason(error: OSError) -> str:
    return error.strerror.partition(" (")[0] if error.strerror else "not a host name"


def most_connections() -> int:
    """Give how many connections may be open at once, so that the process can still open files of its own."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    known = MOST_CONNECTIONS if files == resource.RLIM_INFINITY else files - _OTHER_FILES
    return max(1, min(MOST_CONNECTIONS, known))


def _protocol(deadline_s: float, most: int) -> type[asyncio.Protocol]:
    """Make uvicorn's protocol close a connection whose client is late with its request, or with reading the answer.

    It has no limits of its own: a client that sends nothing, or a byte a minute, or never reads, would keep its
    connection forever. A connection beyond the most that may be open is refused before anything is read.
    """

    class Impatient(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._limit: asyncio.TimerHandle | None = None
            self._has_headers = False
            self._unread: asyncio.TimerHandle | None = None
            self._is_refused = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > most:
                self._refuse()
            else:
                self._await_headers()

        def data_received(self, data: bytes) -> None:
            if self._is_refused:
                return
            if self._limit is None:  # the first bytes of a later request
                self._await_headers()
            super().data_received(data)
            self._set_limit()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            has_more = self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]
            if self.conn.our_state is not h11.DONE and has_more:  # the next request began before this answer
                self._unset_keepalive_if_required()
                self._await_headers()
                self._set_limit()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._end_limit()
            self._end_unread()

        def pause_writing(self) -> None:
            super().pause_writing()
            # `close` would wait until all is read
            self._unread = self.loop.call_later(UNREAD_S, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._end_unread()

        def send_400_response(self, msg: str) -> None:
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # no answer has begun
                request_id = request_id_of([])
                log.info("http_malformed", request_id=request_id, problem=msg)
                for part in _answer_of(malformed(), request_id):
                    self.transport.write(self.conn.send(part) or b"")
            self.transport.close()

        def _unsupported_upgrade_warning(self) -> None:
            """Warn of nothing: a request to speak another protocol is answered as if it had not asked."""

        def _refuse(self) -> None:
            self._is_refused = True
            request_id = request_id_of([])
            log.warning("http_connections_full", most=most, request_id=request_id)
            unused = h11.Connection(h11.SERVER)
            for part in _answer_of(too_many_connections(), request_id):
                self.transport.write(unused.send(part) or b"")
            self.transport.write_eof()  # closed at once, a client that still sends would lose the answer
            self._limit = self.loop.call_later(_REFUSED_S, self._give_up)

        def _set_limit(self) -> None:
            state = self.conn.their_state
            if state is h11.IDLE and not self.conn.trailing_data[0]:
                self._end_limit()  # between requests the keep-alive limit holds
            elif state is h11.SEND_BODY and not self._has_headers:
                self._end_limit()
                self._has_headers = True
                self._limit = self.loop.call_later(deadline_s + _AFTER_DEADLINE_S, self._give_up)
            elif state not in (h11.IDLE, h11.SEND_BODY):
                self._end_limit()

        def _await_headers(self) -> None:
            self._end_limit()
            self._limit = self.loop.call_later(deadline_s, self._give_up)

        def _end_limit(self) -> None:
            self._has_headers = False
            if self._limit is not None:
                self._limit.cancel()
                self._limit = None

        def _end_unread(self) -> None:
            if self._unread is not None:
                self._unread.cancel()
                self._unread = None

        def _give_up(self) -> None:
            self._limit = None
            if not self.transport.is_closing():
                self.transport.close()

    return Impatient


def _answer_of(refusal: Refusal, request_id: str) -> tuple[h11.Response, h11.Data, h11.EndOfMessage]:
    """Give the parts of an answer to what is no request that the application sees."""
    body = json.dumps(refusal.body).encode()
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **closing_headers(request_id),
    }
    status = HTTPStatus(refusal.status)
    head = h11.Response(
        status_code=status, headers=[*(headers | refusal.headers).items()], reason=status.phrase.encode()
    )
    return head, h11.Data(data=body), h11.EndOfMessage()
