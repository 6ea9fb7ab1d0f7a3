"""The HTTP server: runs on a thread of its own, started before the stream and stopped after it."""

import socket
import threading

import uvicorn
from fastapi import FastAPI

from moderator.errors import ConfigurationError
from moderator.observability.logging import get_logger
from moderator.settings import HttpSettings

log = get_logger(__name__)

GRACE_S = 1
"""How long a request in flight may take once the server stops."""
STOP_TIMEOUT_S = 3.0


class HttpServer:
    """Serves an application while the stream runs."""

    def __init__(self, app: FastAPI, settings: HttpSettings) -> None:
        self._settings = settings
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Listen and serve; give the port, which the settings may have left open.

        Raises:
            ConfigurationError: the server cannot listen on the address.
        """
        listener = _listen(self._settings)
        port: int = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="http", daemon=True
        )
        self._thread.start()
        log.info("http_listening", host=self._settings.host, port=port)
        return port

    def stop(self) -> None:
        """Stop; a request that hangs is cut off. May be called twice, or without `start`."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(STOP_TIMEOUT_S)
            self._thread = None


def _listen(settings: HttpSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except (OSError, UnicodeError) as error:  # UnicodeError: not a possible host name
        text = isinstance(error, OSError) and error.strerror
        reason = text.partition(" (")[0] if text else "not a host name"
        raise ConfigurationError(
            f"cannot listen on `{settings.host}` port {settings.port}: {reason}; "
            "choose another `MODERATOR_HTTP__PORT` (0: any free one) or `MODERATOR_HTTP__HOST`"
        ) from error
